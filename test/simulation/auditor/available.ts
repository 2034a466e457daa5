/**
 * What a workload could count on when a pass looked, and what it must keep.
 *
 * Where DESIGN leaves room the count is generous: a replica is left out only if the pass must have
 * known better. Kubernetes' rounding throughout.
 */
import { targetKey } from '#shared/model/service.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { countOf } from '#shared/model/quantities.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import type { WorkloadSpec } from '#shared/model/workload.ts'
import { keys } from '#shared/store/keys.ts'
import { statusOf, versionWanted } from './items.ts'
import type { OpenPass } from './passes.ts'
import { CLOCK_SLACK_MS } from './rule.ts'
import type { Scan, ScannedReplica } from './scan.ts'

/** Replicas that a workload must keep while it is disturbed voluntarily. */
export function floorOf({ rollout, availability }: WorkloadSpec, desired: number): number {
  const surge = countOf(rollout.maxSurge, { total: desired, round: 'up' })
  const down = countOf(rollout.maxUnavailable, { total: desired, round: 'down' })
  const mayMiss = surge === 0 && down === 0 ? 1 : down
  const { minAvailable } = availability
  const least =
    minAvailable === undefined ? 0 : countOf(minAvailable, { total: desired, round: 'up' })
  return Math.min(desired, Math.max(least, desired - mayMiss))
}

/** Of those, on on-demand nodes. */
export function reliableFloorOf({ availability }: WorkloadSpec, desired: number): number {
  const { minReliable } = availability
  const least =
    minReliable === undefined ? 0 : countOf(minReliable, { total: desired, round: 'up' })
  return Math.min(desired, least)
}

/** Replicas that must be on on-demand machines. */
export function baseOf(workload: WorkloadItem): number {
  const { spot, onDemandBase, onDemandPercent } = workload.spec.capacity
  const desired = desiredOf(workload)
  // One that takes no spot at all is judged where it is bound.
  if (spot === 'never') return 0
  const share = Math.ceil((onDemandPercent * desired) / 100)
  const reliable = reliableFloorOf(workload.spec, desired)
  return Math.min(desired, Math.max(onDemandBase, share, reliable))
}

export function desiredOf({ deletedAtMs, spec }: WorkloadItem): number {
  return deletedAtMs === undefined ? (spec.replicas ?? 0) : 0
}

/**
 * While another version is on its way than the spec's, quotas are asked for that one's size: what
 * they kept from it was said last.
 */
export function allowedIn(scan: Scan, workload: WorkloadItem): number {
  const desired = desiredOf(workload)
  const status = statusOf(scan.get(keys.status('workload', workload.name)))
  if (status?.uid !== workload.uid || status.rollout?.active === versionWanted(workload)) {
    return desired
  }
  return Math.min(desired, status.allowed ?? desired)
}

/** Told to run in the scan, on nodes that the pass held to be there. */
export function runningIn(scan: Scan, pass: OpenPass, uid: string): readonly ScannedReplica[] {
  return scan
    .replicasOf(uid)
    .filter((own) => own.bound.order === 'run' && isNodeAlive(own, scan, pass))
}

/** Ids of those that were ready and soaked. */
export function availableIn(
  scan: Scan,
  pass: OpenPass,
  workload: WorkloadItem,
): ReadonlySet<string> {
  const soakMs = workload.spec.rollout.minReadySeconds * 1000
  const found = runningIn(scan, pass, workload.uid).filter((replica) => {
    const { bound, node } = replica
    const report = scan.report(node.machine?.arn ?? '')
    const told = report?.replicas.find((own) => own.id === bound.id)
    const saysReady = told?.ready === true && told.phase === 'ready'
    if (report !== undefined && !saysReady) return false
    if (!servesIn(replica, pass)) return false
    if (bound.readySinceMs === undefined) return saysReady && soakMs === 0
    return scan.atMs + CLOCK_SLACK_MS - bound.readySinceMs >= soakMs
  })
  return new Set(found.map(({ bound }) => bound.id))
}

/** Healthy to its load balancer, if it has one; what nobody could tell is as it was. */
function servesIn({ bound, node, template }: ScannedReplica, pass: OpenPass): boolean {
  const service = template?.service
  if (service === undefined) return true
  const { balanced, readySinceMs } = bound
  if (balanced === undefined || balanced.leavingSinceMs !== undefined) return false
  if (balanced.targetGroupArn !== service.targetGroupArn) return false
  const heard = pass.targets.get(service.targetGroupArn)
  if (heard === undefined) return readySinceMs !== undefined
  const target = { instanceId: node.machine?.instanceId ?? '', port: balanced.port }
  const state = heard.get(targetKey(target))?.state
  return state === 'healthy' || state === 'unavailable'
}

function isNodeAlive({ node }: ScannedReplica, scan: Scan, pass: OpenPass): boolean {
  if (node.phase === 'terminating') return false
  if (pass.written.has(node.name)) {
    const written = pass.written.get(node.name)
    return (
      written !== undefined && written.phase !== 'terminating' && written.lostSinceMs === undefined
    )
  }
  if (node.lostSinceMs === undefined) return true
  // A lost node that beats again is found again, and this pass may not have come to write so yet.
  const beatAtMs = scan.beatAtMs(node.machine?.arn ?? '') ?? 0
  return scan.atMs - beatAtMs <= LIMITS.lostAfterMs + CLOCK_SLACK_MS
}
