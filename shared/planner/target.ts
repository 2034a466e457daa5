/**
 * How many replicas of which version each workload should have.
 *
 * Counts are fixed for now (autoscaling comes later), and a change of version is a bounded
 * replacement: new replicas within the surge, old ones leave as the ledger allows (`drain.ts`).
 * Replicas on nodes that must go are counted as gone already here, which is what makes every drain
 * *replacement first*. A workload that has its count but not its on-demand base gets one more on
 * an on-demand machine; once that is available another may go (`unwanted.ts`).
 */
import { rememberedPair } from '../base/remembered.ts'
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
  /** New replicas of `version` to find a place for. */
  readonly start: number
  /** How many of those must come up on on-demand machines. */
  readonly startOnDemand: number
  /** Some of its replicas, on nodes that stay, are of another version. */
  readonly rolling: boolean
}

export function target(snapshot: Snapshot, draft: Draft): readonly Target[] {
  const replicas = replicasByUid(draft)
  return snapshot.workloads
    .filter((own) => own.deletedAtMs === undefined)
    .map((own) => targetOf(own, runningOf(replicas.get(own.uid) ?? NO_REPLICAS)))
}

const targetOf = rememberedPair((workload: WorkloadItem, { staying }: Running): Target => {
  const { template, version } = revisionOf(workload.spec)
  const desired = desiredOf(workload)
  const current = staying.filter((own) => own.bound.version === version).length
  const rolling = current < staying.length
  const missing = desired - current
  const most = desired + (rolling ? rollRoom(workload.spec, desired).surge : 0)
  const lasting = rolling ? staying.filter((own) => own.bound.version === version) : staying
  const onDemand = lasting.filter((own) => own.node.capacityType === 'on-demand').length
  const shortOfBase = Math.max(0, onDemandTarget(workload.spec, desired) - onDemand)
  const moving = Math.min(shortOfBase, baseRoom(workload.spec, desired) + missing)
  const start = rolling ? Math.min(missing, most - staying.length) : Math.max(missing, moving)
  return {
    workload,
    version,
    template,
    desired,
    start: Math.max(0, start),
    startOnDemand: Math.max(0, Math.min(start, shortOfBase)),
    rolling,
  }
})
