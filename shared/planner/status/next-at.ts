/**
 * The first moment at which the plan would be another, though nothing else had changed.
 *
 * Every duration the planner waits for ends at a stamp plus a limit; this collects those ends, so
 * that nothing waits for the minute's tick. A moment too many costs one pass that decides nothing.
 */
import { nextRoundMs } from '../../base/rounds.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Node } from '../../model/node.ts'
import type { PoolSpec } from '../../model/pool.ts'
import type { Beat } from '../../model/report.ts'
import type { TeamStatus, WorkloadStatus } from '../../model/status.ts'
import { stopAtMs } from '../drain.ts'
import { beatsByArn, poolsByName, workloadsByUid } from '../facts.ts'
import { failureMoments } from '../observe/failures.ts'
import { rebootAgainAtMs } from '../observe/mending.ts'
import { findingsOf, forgottenAtMs, isGone } from '../findings.ts'
import type { Draft } from '../fold.ts'
import { hasHeadroom } from '../provision/headroom.ts'
import { borrowsAgainAtMs, forgivenAtMs } from '../quota/cool-down.ts'
import { forgottenAtMs as loanForgottenAtMs } from '../quota/loans.ts'
import { NO_REPLICAS, replicasByUid, runningOf } from '../replicas.ts'
import { rolloutMoments } from '../rollout/moments.ts'
import { drainOverdueAtMs, terminateAgainAtMs } from '../retire.ts'
import { mustBeat } from '../observe/silence.ts'
import type { Snapshot } from '../snapshot.ts'

export type NextContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly statuses: readonly WorkloadStatus[]
  readonly teamStatuses: readonly TeamStatus[]
  /** When brakes that held somebody back let go of something, and a repack goes on. */
  readonly moments: readonly number[]
  readonly isCutOff: boolean
}

/** Milliseconds since the epoch, later than now; undefined when only a change can matter. */
export function nextAtMs(context: NextContext): number | undefined {
  const { nowMs } = context.snapshot
  let nextMs = Infinity
  for (const moments of allMoments(context)) {
    for (const moment of moments) if (moment > nowMs && moment < nextMs) nextMs = moment
  }
  return nextMs === Infinity ? undefined : nextMs
}

function* allMoments(context: NextContext): Iterable<readonly number[]> {
  const { snapshot, draft } = context
  const pools = poolsByName(snapshot.pools)
  const beats = beatsByArn(snapshot.beats)
  for (const node of draft.nodes.values()) {
    yield nodeMoments(node, pools.get(node.pool)?.spec, context)
    yield silenceMoments(node, beats.get(node.machine?.arn ?? ''), snapshot)
  }
  yield* replicaMoments(context)
  yield launchMoments(snapshot)
  yield waitingMoments(context)
  yield* quotaMoments(context)
  const replicas = replicasByUid(draft)
  const workloads = workloadsByUid(snapshot.workloads)
  for (const { uid, failures, rollout, waiting } of context.statuses) {
    const group = replicas.get(uid) ?? NO_REPLICAS
    if (failures !== undefined) yield failureMoments(group, failures)
    const workload = workloads.get(uid)
    if (workload === undefined || rollout === undefined) continue
    yield rolloutMoments(workload, { rollout, waiting }, runningOf(group).staying)
  }
}

function nodeMoments(
  node: Node,
  pool: PoolSpec | undefined,
  { snapshot, draft }: NextContext,
): readonly number[] {
  const moments: number[] = []
  if (node.phase === 'booting' && node.adoptedAtMs === undefined)
    moments.push(node.phaseSinceMs + snapshot.settings.bootDeadlineMs + 1)
  if (node.phase === 'testing' && node.burnIn !== undefined) {
    const { retryAtMs, deadlineMs, reboot } = node.burnIn
    moments.push(retryAtMs ?? deadlineMs + 1)
    if (reboot !== undefined) moments.push(rebootAgainAtMs(reboot, snapshot.settings))
  }
  if (node.phase === 'terminating') moments.push(terminateAgainAtMs(node))
  if (node.phase === 'quarantined') {
    moments.push(node.phaseSinceMs + (pool?.burnIn.quarantineSeconds ?? 0) * 1000)
  }
  moments.push(...findingsOf(node).filter(isGone).map(forgottenAtMs))
  if (node.drain !== undefined) {
    moments.push(drainOverdueAtMs(node, draft.assignments.get(node.name)))
  }
  if (node.emptySinceMs !== undefined && pool !== undefined && pool.repack.when !== 'never') {
    moments.push(node.emptySinceMs + pool.repack.afterSeconds * 1000)
  }
  return moments
}

/**
 * While a node is silent its neighbours are asked again twice a tick. A node that has missed two
 * beats is about to fall silent.
 */
function silenceMoments(
  node: Node,
  beat: Beat | undefined,
  { nowMs, pass, settings }: Snapshot,
): readonly number[] {
  if (node.silentSinceMs !== undefined) return [nextRoundMs(nowMs, LIMITS.tickMs / 2)]
  const { machine } = node
  if (machine === undefined || !mustBeat(node)) return []
  const heardMs = Math.max(beat?.atMs ?? 0, pass.coveredSinceMs, machine.launchedAtMs)
  const isQuiet = nowMs - heardMs > 2 * LIMITS.beatEveryMs
  return isQuiet ? [heardMs + settings.lostAfterMs + 1] : []
}

function* replicaMoments({ snapshot, draft }: NextContext): Iterable<readonly number[]> {
  const workloads = workloadsByUid(snapshot.workloads)
  for (const [uid, group] of replicasByUid(draft)) {
    const { all, staying, lastReadyMs } = runningOf(group)
    const soakMs = (workloads.get(uid)?.spec.rollout.minReadySeconds ?? 0) * 1000
    if (lastReadyMs + soakMs > snapshot.nowMs) {
      yield all.map((own) => (own.bound.readySinceMs ?? -Infinity) + soakMs)
    }
    if (staying.length < all.length) {
      yield all.map((own) => (own.node.drain === undefined ? Infinity : stopAtMs(own)))
    }
  }
}

function launchMoments({ launches }: Snapshot): number[] {
  return launches.flatMap((launch) => [
    launch.notAfterMs,
    launch.notAfterMs + LIMITS.launchUnknownMs,
  ])
}

function waitingMoments(context: NextContext): number[] {
  const { snapshot, statuses, moments, isCutOff } = context
  const waits = statuses.some((own) =>
    own.waiting.some((group) => group.unschedulableSinceMs !== undefined),
  )
  const fallbacks = statuses
    .filter((own) => own.waiting.length > 0 && own.belowMinSinceMs !== undefined)
    .map((own) => (own.belowMinSinceMs ?? 0) + LIMITS.spotFallbackAfterMs)
  const mayBuy = waits || snapshot.pools.some(hasHeadroom)
  const shortages = mayBuy ? snapshot.shortages.map((own) => own.untilMs) : []
  const told = statuses.flatMap((own) =>
    own.waiting.flatMap(({ reasons }) => reasons.flatMap(({ atMs }) => atMs ?? [])),
  )
  const rest = isCutOff ? [snapshot.nowMs + LIMITS.unfinishedWakeMs] : []
  return [...fallbacks, ...shortages, ...moments, ...told, ...rest]
}

/** When somebody may have to give way, may borrow again, or is given up waiting for. */
function* quotaMoments(context: NextContext): Iterable<readonly number[]> {
  const { snapshot, draft, statuses } = context
  yield context.teamStatuses.flatMap(({ loans }) =>
    loans === undefined ? [] : [loanForgottenAtMs(loans)],
  )
  for (const { reservations, reclaims } of statuses) {
    if (reservations !== undefined) yield reservations.map((own) => own.untilMs)
    for (const own of reclaims ?? []) yield [borrowsAgainAtMs(own), forgivenAtMs(own)]
  }
  const sinceMs = statuses.flatMap((own) =>
    own.waiting.flatMap((group) => group.entitledSinceMs ?? []),
  )
  const onLoan = new Set(statuses.filter((own) => own.borrowed !== undefined).map(({ uid }) => uid))
  const preemptible = snapshot.workloads.filter(
    (own) => own.spec.preemptible || onLoan.has(own.uid),
  )
  if (sinceMs.length === 0 || preemptible.length === 0) return
  yield sinceMs.map((ms) => ms + LIMITS.reclaimAfterMs)
  const replicas = replicasByUid(draft)
  for (const { uid } of preemptible) {
    const { all } = runningOf(replicas.get(uid) ?? NO_REPLICAS)
    yield all.map(({ bound }) => bound.assignedAtMs + LIMITS.reclaimMinRuntimeMs)
  }
}
