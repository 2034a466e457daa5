/**
 * Takes in which replicas fail, and remembers it for as long as it may tell something.
 *
 * A replica fails when its process ends by itself, cannot start, or stops answering the probe that
 * it answered before. What was seen of it is a stamp on the replica, so that a report read twice
 * counts once; a workload's status lists those that are not well again, and those that are gone.
 * Whether a version or a node is to blame for it is judged in `blame.ts`.
 */
import { byKey, byText, descending, inOrder } from '../../base/order.ts'
import { remembered, rememberedPair } from '../../base/remembered.ts'
import type { Assignment, BoundReplica } from '../../model/assignment.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Report, ReportedReplica } from '../../model/report.ts'
import type { Reason, ReplicaFailure } from '../../model/status.ts'
import type { Action } from '../actions.ts'
import type { NodeFacts } from '../facts.ts'
import type { Replica } from '../replicas.ts'

/** What a report says of failures that the assignment does not say yet. */
export function takeInFailures(facts: NodeFacts, nowMs: number): readonly Action[] {
  const { node, report, assignment } = facts
  if (assignment === undefined || report === undefined || isExcused(facts)) return []
  return newsIn(assignment, report).flatMap(({ bound, told, crashed, isUnwell }): Action[] => {
    // Of a machine that has booted anew nothing is ready, and nobody is to blame.
    const fresh = crashed > 0 || !isUnwell || report.bootId !== node.bootId ? crashed : 1
    const crashes = crashesOf(told)
    if (fresh === 0 && crashes === (bound.failures?.crashes ?? 0)) return []
    const known = isWell(bound, nowMs) ? undefined : bound.failures
    const failures = {
      crashes,
      count: Math.min(LIMITS.failureCountMax, (known?.count ?? 0) + fresh),
      sinceMs: known?.sinceMs ?? nowMs,
      lastMs: fresh === 0 ? (known?.lastMs ?? nowMs) : nowMs,
    }
    const reason = reasonOf({ fresh, crashed, count: failures.count, told })
    return [{ kind: 'fail', node: node.name, replica: bound.id, failures, reason }]
  })
}

/** A machine that is about to go, or that EC2 calls impaired, proves nothing against anybody. */
function isExcused({ node }: NodeFacts): boolean {
  return (
    node.phase === 'terminating' ||
    node.lostSinceMs !== undefined ||
    node.interruption !== undefined ||
    node.drain?.reason === 'Impaired'
  )
}

type News = {
  readonly bound: BoundReplica
  readonly told: ReportedReplica
  /** So many more ends of its process. */
  readonly crashed: number
  /** It runs and is ready no longer. */
  readonly isUnwell: boolean
}

const NOTHING: readonly News[] = Object.freeze([])

const newsIn = rememberedPair((assignment: Assignment, report: Report): readonly News[] => {
  const isSuspect = report.replicas.some((own) => crashesOf(own) > 0 || own.phase === 'running')
  if (!isSuspect && assignment.replicas.every((own) => own.failures === undefined)) return NOTHING
  const reported = new Map(report.replicas.map((own) => [own.id, own]))
  return assignment.replicas.flatMap((bound) => {
    const told = reported.get(bound.id)
    if (told === undefined || bound.order === 'stop') return []
    const [crashes, before] = [crashesOf(told), bound.failures?.crashes ?? 0]
    const crashed = crashes < before ? crashes : crashes - before
    const isUnwell =
      crashes >= before &&
      told.phase === 'running' &&
      !told.ready &&
      bound.readySinceMs !== undefined
    return crashes === before && !isUnwell ? [] : { bound, told, crashed, isUnwell }
  })
})

/** Ends of its process: each but the last was followed by a restart. */
function crashesOf({ restarts, phase }: ReportedReplica): number {
  return Math.min(restarts, LIMITS.failureCountMax) + (phase === 'failed' ? 1 : 0)
}

type Seen = {
  readonly fresh: number
  readonly crashed: number
  readonly count: number
  readonly told: ReportedReplica
}

function reasonOf({ fresh, crashed, count, told }: Seen): Reason {
  if (fresh === 0) return { code: 'Noted', text: 'its agent counts anew' }
  const times = count === 1 ? 'once' : `${String(count)} times`
  if (crashed === 0) {
    return { code: 'Unhealthy', text: `its probe fails, and it has failed ${times} lately` }
  }
  const last = count === 1 ? 'with' : 'last with'
  const why = told.lastExit === undefined ? '' : `, ${last} ${told.lastExit.reason}`
  return { code: 'Failed', text: `it has failed ${times} lately${why}` }
}

/** When the replica is well again if nothing more happens; infinite while it is not ready. */
function wellAtMs({ order, readySinceMs, failures }: BoundReplica): number {
  if (failures === undefined) return -Infinity
  if (order === 'stop' || readySinceMs === undefined) return Infinity
  return Math.max(readySinceMs, failures.lastMs) + LIMITS.restartResetMs
}

/** Ready for as long as it takes an agent to forgive it. */
function isWell(bound: BoundReplica, nowMs: number): boolean {
  return wellAtMs(bound) <= nowMs
}

/** Those of a workload's replicas that have failed. */
const failedOf = remembered((group: readonly Replica[]): readonly Replica[] =>
  group.filter(({ bound }) => (bound.failures?.count ?? 0) > 0),
)

/** What a workload remembers, of those that are bound and from its last status of those gone. */
export function failuresOf(
  group: readonly Replica[],
  told: readonly ReplicaFailure[] | undefined,
  nowMs: number,
): readonly ReplicaFailure[] {
  const failed = failedOf(group)
  if (failed.length === 0 && told === undefined) return []
  const bound = new Set(group.map((own) => own.bound.id))
  const now = failed.flatMap((own) => (isWell(own.bound, nowMs) ? [] : rowOf(own)))
  const gone = (told ?? []).filter((own) => !bound.has(own.replica) && forgottenAtMs(own) > nowMs)
  return [...now, ...gone].sort(newestFirst).slice(0, LIMITS.failuresKept)
}

const newestFirst = inOrder<ReplicaFailure>(descending(byKey((own) => own.lastMs)), (a, b) =>
  byText(a.replica, b.replica),
)

function rowOf({ bound, node }: Replica): ReplicaFailure[] {
  if (bound.failures === undefined) return []
  const { count, sinceMs, lastMs } = bound.failures
  return [{ replica: bound.id, version: bound.version, node: node.name, count, sinceMs, lastMs }]
}

/** Of a replica that is gone. */
function forgottenAtMs({ lastMs }: ReplicaFailure): number {
  return lastMs + LIMITS.failureMemoryMs
}

/** When a workload has less to remember, though nothing happens. */
export function failureMoments(
  group: readonly Replica[],
  told: readonly ReplicaFailure[],
): readonly number[] {
  const bound = new Set(group.map((own) => own.bound.id))
  return [
    ...failedOf(group).map((own) => wellAtMs(own.bound)),
    ...told.filter((own) => !bound.has(own.replica)).map(forgottenAtMs),
  ]
}
