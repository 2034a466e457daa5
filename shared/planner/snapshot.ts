/**
 * Snapshot: everything a plan may know, and nothing else.
 *
 * The time, fresh ids (through the epoch), prices and known shortages are in it, so the same
 * snapshot always gives the same plan. Items that did not parse are left out and named in
 * `invalid`: one bad item never stops the work of the others.
 */
import type { Assignment } from '../model/assignment.ts'
import type { Brake, Order, Pass, Shortage, Signal } from '../model/facts.ts'
import type { ImageSort, Launch } from '../model/launch.ts'
import type { InstanceType, ListedInstance, Offering } from '../model/machine.ts'
import type { Node } from '../model/node.ts'
import type { Proposal } from '../model/proposal.ts'
import type { QuotaPolicyName } from '../model/quota-policy.ts'
import type { Rates } from '../model/rates.ts'
import type { Beat, Report } from '../model/report.ts'
import type { PoolItem, Revision, TeamItem, WorkloadItem } from '../model/spec-item.ts'
import type { TargetHealth } from '../model/service.ts'
import type { ScaleTarget } from '../model/scale-target.ts'
import type { PoolStatus, TeamStatus, WorkloadStatus } from '../model/status.ts'
import type { Verdict } from '../model/verdict.ts'

/** What an installation may set; everything else is in LIMITS. */
export type PlanSettings = {
  readonly lostAfterMs: number
  readonly bootDeadlineMs: number
  /** How teams' quotas are shared out; by default each has its own and lends what it leaves. */
  readonly quotaPolicy?: QuotaPolicyName
  /** What machines boot whose pool names no image. */
  readonly images?: Readonly<Record<ImageSort, string>>
}

export type Listing = {
  readonly listedAtMs: number
  readonly items: readonly ListedInstance[]
  /** Ids whose status checks EC2 calls impaired. */
  readonly impaired: readonly string[]
}

export type TargetGroupView = {
  readonly targetGroupArn: string
  /** Absent where it could not be asked. */
  readonly targets?: readonly TargetHealth[]
  /** Why not. */
  readonly error?: { readonly code: string; readonly text: string }
}

export type Snapshot = {
  readonly nowMs: number
  readonly pass: Pass
  readonly settings: PlanSettings
  readonly workloads: readonly WorkloadItem[]
  readonly pools: readonly PoolItem[]
  readonly teams: readonly TeamItem[]
  /** Templates of versions that may have to run again. */
  readonly revisions: readonly Revision[]
  readonly orders: readonly Order[]
  readonly nodes: readonly Node[]
  readonly launches: readonly Launch[]
  readonly assignments: readonly Assignment[]
  readonly reports: readonly Report[]
  readonly beats: readonly Beat[]
  readonly verdicts: readonly Verdict[]
  readonly signals: readonly Signal[]
  readonly workloadStatuses: readonly WorkloadStatus[]
  readonly poolStatuses: readonly PoolStatus[]
  readonly teamStatuses: readonly TeamStatus[]
  readonly shortages: readonly Shortage[]
  /** What autoscaling has said of scaled workloads. */
  readonly targets: readonly ScaleTarget[]
  readonly brakes: readonly Brake[]
  /** What `repack` found last. */
  readonly proposal?: Proposal
  /** How often machines failed their burn-in lately, by type, zone and image. */
  readonly rates?: Rates
  readonly catalog: readonly InstanceType[]
  readonly offerings: readonly Offering[]
  /** Only where EC2 was asked in this pass: *not listed* is not *none*. */
  readonly listing?: Listing
  /** Of the workloads' load balancers; absent where no workload has one. */
  readonly targetGroups?: readonly TargetGroupView[]
  readonly invalid: readonly { key: string; text: string }[]
}
