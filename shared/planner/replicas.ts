/**
 * The replicas of a draft, workload by workload, and what counts of them.
 *
 * "Run-ordered on a living node" is what a workload has; "ready and soaked and not told to stop" is
 * what it can count on. The two questions are asked all over the planner and answered only here.
 */
import { remembered } from '../base/remembered.ts'
import { countOf } from '../model/quantities.ts'
import type { BoundReplica } from '../model/assignment.ts'
import type { Node } from '../model/node.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import type { WorkloadSpec } from '../model/workload.ts'
import type { Draft } from './fold.ts'

export type Replica = { readonly bound: BoundReplica; readonly node: Node }
type Replicas = ReadonlyMap<string, readonly Replica[]>

/**
 * Every bound replica, stopping ones too, by the uid of its workload; in order of node and binding.
 */
export const replicasByUid = remembered((draft: Draft): Replicas => {
  const groups = new Map<string, Replica[]>()
  for (const assignment of draft.assignments.values()) {
    const node = draft.nodes.get(assignment.node)
    if (node === undefined) continue
    for (const bound of assignment.replicas) {
      const group = groups.get(bound.uid)
      if (group === undefined) groups.set(bound.uid, [{ bound, node }])
      else group.push({ bound, node })
    }
  }
  return groups
})

/** True while whatever runs there may still be running for us. */
export function isAlive(node: Node): boolean {
  return node.lostSinceMs === undefined && node.phase !== 'terminating'
}

/** True when the node's replicas must move somewhere else. */
export function isLeaving(node: Node): boolean {
  return node.drain !== undefined || node.phase === 'terminating' || node.lostSinceMs !== undefined
}

/** Ordered to run, on a node that is not lost. */
export function isRunning({ bound, node }: Replica): boolean {
  return bound.order === 'run' && isAlive(node)
}

/** Ready for `minReadySeconds`, and not told to stop by any pass: a late report is no reprieve. */
export function isAvailable(replica: Replica, spec: WorkloadSpec, nowMs: number): boolean {
  const { readySinceMs } = replica.bound
  if (!isRunning(replica) || readySinceMs === undefined) return false
  return nowMs - readySinceMs >= spec.rollout.minReadySeconds * 1000
}

export function desiredOf(workload: WorkloadItem): number {
  return workload.deletedAtMs === undefined ? (workload.spec.replicas ?? 0) : 0
}

/**
 * Replicas a roll-out may add and may take away, rounded as Kubernetes rounds them. Where neither
 * could ever be done, because `minAvailable` protects every replica, one is added at a time.
 */
export function rollRoom(spec: WorkloadSpec, desired: number): { surge: number; gap: number } {
  const surge = countOf(spec.rollout.maxSurge, { total: desired, round: 'up' })
  const gap = countOf(spec.rollout.maxUnavailable, { total: desired, round: 'down' })
  if (surge > 0) return { surge, gap }
  const isAllProtected = minAvailableOf(spec, desired) >= desired
  return { surge: isAllProtected ? 1 : 0, gap: Math.max(1, gap) }
}

/** The replicas that `minAvailable` protects; none without it. */
export function minAvailableOf(spec: WorkloadSpec, desired: number): number {
  const least = spec.availability.minAvailable
  return least === undefined ? 0 : countOf(least, { total: desired, round: 'up' })
}

/** Ready replicas that must sit on on-demand nodes. */
export function onDemandTarget(spec: WorkloadSpec, desired: number): number {
  const share = Math.ceil((spec.capacity.onDemandPercent * desired) / 100)
  return Math.min(desired, Math.max(spec.capacity.onDemandBase, share))
}

/**
 * How many replicas one spot pool (type and zone) may hold, so that one storm there leaves
 * `minAvailable`; unlimited where the workload states none, or asked for spot and nothing else.
 */
export function spotPoolCap(spec: WorkloadSpec, desired: number): number {
  const { minAvailable } = spec.availability
  if (minAvailable === undefined || spec.capacity.spot === 'required') return Infinity
  return Math.max(0, desired - minAvailableOf(spec, desired))
}
