/**
 * How many replicas of which version each workload should have.
 *
 * Counts are fixed for now (autoscaling comes later), and a change of version is a bounded
 * replacement: new replicas within the surge, old ones leave as the ledger allows (`drain.ts`).
 * Replicas on nodes that must go are counted as gone already here, which is what makes every drain
 * *replacement first*. A workload that has its count but not its on-demand base gets one more on
 * an on-demand machine; once that is available another may go (`unwanted.ts`). What teams' quotas
 * make of the counts is decided in `admit.ts`.
 */
import { rememberedPair } from '../base/remembered.ts'
import { isGang } from '../model/gang.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import type { Template } from '../model/version.ts'
import type { Draft } from './fold.ts'
import {
  baseRoom,
  desiredOf,
  NO_REPLICAS,
  onDemandTarget,
  replicasByUid,
  rollRoom,
  runningOf,
  type Running,
} from './replicas.ts'
import { revisionOf } from './revision.ts'
import type { Snapshot } from './snapshot.ts'

export type Target = {
  readonly workload: WorkloadItem
  readonly version: string
  readonly template: Template
  readonly desired: number
  /** Replicas it may have by the teams' quotas; `desired` where there are none. */
  readonly allowed: number
  /** How many of those by right, whatever others need. */
  readonly guaranteed: number
  /** Firm replicas that it has, or had and lost; 0 where there are no quotas. */
  readonly held: number
  /** Replicas that ask for less than `template` does; 0 where there are no quotas. */
  readonly smaller: number
  /** New replicas of `version` to find a place for. */
  readonly start: number
  /** How many of those are beyond what is guaranteed, on what others leave idle. */
  readonly startBorrowed: number
  /** True when machines may be bought for what is borrowed. */
  readonly mayBuyBorrowed: boolean
  /** Why it is borrowed, in words; empty where nothing is. */
  readonly over: string
  /**
   * How many of those it is owed, so that others may have to give way: nothing borrowed, no surge,
   * and nothing that takes the place of a replica that still runs.
   */
  readonly owed: number
  /** Replicas that run beyond its right, and give way to whoever is entitled to the room. */
  readonly reclaimable: number
  /** How many of those must come up on on-demand machines. */
  readonly startOnDemand: number
  /** Some of its replicas, on nodes that stay, are of another version. */
  readonly rolling: boolean
  /** Older replicas whose place the newest version may not take: it needs more than is allowed. */
  readonly stuck: number
}

export function target(snapshot: Snapshot, draft: Draft): readonly Target[] {
  const replicas = replicasByUid(draft)
  return snapshot.workloads
    .filter((own) => own.deletedAtMs === undefined)
    .map((own) => targetOf(own, runningOf(replicas.get(own.uid) ?? NO_REPLICAS)))
}

const targetOf = rememberedPair((workload: WorkloadItem, running: Running): Target => {
  const desired = desiredOf(workload)
  return targetWithin({ workload, running }, { allowed: desired, guaranteed: desired })
})

type Counted = { readonly workload: WorkloadItem; readonly running: Running }

/** How many replicas a workload may have, of which so many by right. */
export type Entitlement = {
  readonly allowed: number
  readonly guaranteed: number
  /** The same of its newest version alone, where older replicas need less than that. */
  readonly newest?: { readonly allowed: number; readonly guaranteed: number }
  readonly stuck?: number
  readonly held?: number
  readonly smaller?: number
  readonly reclaimable?: number
  readonly mayBuyBorrowed?: boolean
  readonly over?: string
}

export function targetWithin({ workload, running }: Counted, entitlement: Entitlement): Target {
  const { all } = running
  const gang = isGang(workload)
  // A gang's replica is never replaced while it runs, so those that must go count until they do.
  const staying = gang ? all : running.staying
  const { allowed, guaranteed } = entitlement
  const newest = entitlement.newest ?? { allowed: Infinity, guaranteed }
  const { template, version } = revisionOf(workload.spec)
  const current = staying.filter((own) => own.bound.version === version).length
  const rolling = current < staying.length
  const missing = Math.min(allowed, newest.allowed) - current
  const most = allowed + (rolling ? rollRoom(workload.spec, allowed).surge : 0)
  const lasting = rolling ? staying.filter((own) => own.bound.version === version) : staying
  const onDemand = lasting.filter((own) => own.node.capacityType === 'on-demand').length
  const shortOfBase = Math.max(0, onDemandTarget(workload.spec, allowed) - onDemand)
  const moving = Math.min(shortOfBase, baseRoom(workload.spec, allowed) + missing)
  const wanted = gang
    ? wantedOfGang({ allowed, missing, rolling, desired: desiredOf(workload) })
    : rolling
      ? Math.min(missing, most - staying.length)
      : Math.max(missing, moving)
  const start = Math.max(0, wanted)
  const rights = Math.max(lasting.length, Math.min(guaranteed, newest.guaranteed))
  // One more than allowed for a while, as a surge, is no loan.
  const borrowed = Math.min(lasting.length + start, allowed) - rights
  return {
    ...{ workload, version, template, rolling, allowed, guaranteed, start },
    held: entitlement.held ?? 0,
    smaller: entitlement.smaller ?? 0,
    stuck: entitlement.stuck ?? 0,
    reclaimable: entitlement.reclaimable ?? 0,
    mayBuyBorrowed: entitlement.mayBuyBorrowed ?? false,
    over: entitlement.over ?? '',
    desired: desiredOf(workload),
    owed: Math.max(0, Math.min(start, guaranteed - all.length)),
    startBorrowed: Math.max(0, borrowed),
    startOnDemand: Math.max(0, Math.min(start, shortOfBase)),
  }
}

type GangCount = Pick<Target, 'allowed' | 'desired' | 'rolling'> & { readonly missing: number }

/** All that is missing, or nothing while quotas allow only some, or some of another version run. */
function wantedOfGang({ allowed, desired, rolling, missing }: GangCount): number {
  return rolling || allowed < desired ? 0 : missing
}
