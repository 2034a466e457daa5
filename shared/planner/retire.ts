/**
 * Nodes that are no longer needed, or no longer any good, are drained, terminated and seen off.
 *
 * Removal has two phases. First the node is told (its drain is part of the assignment); only when
 * an agent that knows of it holds nothing any more, and says so in its current boot, is the machine
 * terminated. *Terminating* is never taken back: EC2 is asked again until it says that it is done.
 */
import { LIMITS } from '../model/limits.ts'
import type { Assignment } from '../model/assignment.ts'
import type { Node } from '../model/node.ts'
import type { Action } from './actions.ts'
import type { NodeFacts } from './facts.ts'
import { isVoluntary } from './repack/groups.ts'

export type RetireContext = {
  readonly facts: readonly NodeFacts[]
  readonly nowMs: number
  /** Nodes that something is planned for. */
  readonly used: ReadonlySet<string>
  /** Pools at whose limit somebody waits. */
  readonly blocked: ReadonlySet<string>
}

export function retire(context: RetireContext): readonly Action[] {
  return context.facts.flatMap((facts) => retireOne(facts, context))
}

function retireOne(facts: NodeFacts, { nowMs, used, blocked }: RetireContext): readonly Action[] {
  const { node } = facts
  if (node.phase === 'terminating') return askAgain(node, nowMs)
  if (node.phase === 'quarantined') {
    if (blocked.has(node.pool)) {
      return [terminate(node, 'RoomNeeded', 'it failed its burn-in, and its pool is at its limit')]
    }
    return endQuarantine(facts, nowMs)
  }
  if (node.lostSinceMs !== undefined) return [terminate(node, 'Lost', 'it is lost')]
  if (node.drain !== undefined) return finishDrain(facts, nowMs)
  return leaveEmpty(facts, nowMs, used)
}

function askAgain(node: Node, nowMs: number): readonly Action[] {
  if (nowMs < terminateAgainAtMs(node)) return []
  const reason = { code: 'StillThere', text: 'EC2 has not ended it yet' }
  return [{ kind: 'terminate', node: node.name, reason }]
}

/**
 * When EC2 is asked again to end it. The first answer may have been lost, so soon; then it just
 * takes its time, minutes with a large machine, and the pauses double.
 */
export function terminateAgainAtMs({ terminating, phaseSinceMs }: Node): number {
  const { sinceMs = phaseSinceMs, lastTryMs = sinceMs } = terminating ?? {}
  const { terminateAgainFirstMs, terminateAgainMaxMs } = LIMITS
  const pauseMs = Math.max(terminateAgainFirstMs, lastTryMs - sinceMs)
  return lastTryMs + Math.min(terminateAgainMaxMs, pauseMs)
}

function endQuarantine({ node, pool }: NodeFacts, nowMs: number): readonly Action[] {
  if (node.drain !== undefined) return [terminate(node, node.drain.reason, node.drain.text)]
  const keptMs = (pool?.spec.burnIn.quarantineSeconds ?? 0) * 1000
  if (nowMs - node.phaseSinceMs < keptMs) return []
  return [terminate(node, 'QuarantineOver', 'it failed its burn-in')]
}

function finishDrain(facts: NodeFacts, nowMs: number): readonly Action[] {
  const { node } = facts
  // What becomes of that is for `retest.ts` to say.
  if (node.drain === undefined || node.drain.reason === 'CertificateAge') return []
  if (isEmpty(facts)) {
    if (node.drain.reason === 'Retest') return []
    return [terminate(node, node.drain.reason, node.drain.text)]
  }
  if (nowMs < drainOverdueAtMs(node, facts.assignment)) return []
  return [terminate(node, 'DrainOverdue', `${node.drain.text}; its agent does not empty it`)]
}

/**
 * When a drain has had its deadline, the longest grace and some more: its agent is stuck. Where no
 * deadline presses, a load balancer may take its time to let go.
 */
export function drainOverdueAtMs(node: Node, assignment: Assignment | undefined): number {
  const deadlineMs = node.drain?.deadlineMs ?? Infinity
  const ends = (assignment?.replicas ?? []).map(({ graceSeconds, balanced }) => {
    const leavingMs = isVoluntary(node) ? (balanced?.leavingSinceMs ?? -Infinity) : -Infinity
    return Math.max(deadlineMs, leavingMs + LIMITS.deregisterMostMs) + graceSeconds * 1000
  })
  return Math.max(deadlineMs, ...ends) + LIMITS.drainOverdueMs
}

/** Nothing is bound, and an agent that knows of the drain says so; or there never was an agent. */
function isEmpty({ node, assignment, report }: NodeFacts): boolean {
  if ((assignment?.replicas.length ?? 0) > 0) return false
  if (node.bootId === undefined) return true
  return (
    report !== undefined &&
    report.bootId === node.bootId &&
    node.drain !== undefined &&
    node.drain.generation > 0 &&
    report.observedGeneration >= node.drain.generation &&
    report.replicas.every((own) => own.phase === 'gone')
  )
}

function leaveEmpty(
  { node, assignment, pool }: NodeFacts,
  nowMs: number,
  used: ReadonlySet<string>,
): readonly Action[] {
  // Who cannot be told anything, or was adopted as it stands, is not known to be empty.
  if (assignment === undefined) return []
  const isUsed = assignment.replicas.length > 0 || used.has(node.name)
  if (isUsed) {
    if (node.emptySinceMs === undefined) return []
    return [note(node, { emptySinceMs: undefined }, 'it is needed again')]
  }
  if (node.emptySinceMs === undefined)
    return [note(node, { emptySinceMs: nowMs }, 'it stands empty')]
  if (pool === undefined || node.cordoned) return []
  const { repack } = pool.spec
  if (repack.when === 'never') return []
  if (nowMs - node.emptySinceMs < repack.afterSeconds * 1000) return []
  const reason = { code: 'Empty', text: 'nothing needs it' }
  return [{ kind: 'drain', node: node.name, because: 'Empty', deadlineMs: nowMs, reason }]
}

function terminate(node: Node, code: string, text: string): Action {
  return { kind: 'terminate', node: node.name, reason: { code, text } }
}

function note(node: Node, changes: { emptySinceMs: number | undefined }, text: string): Action {
  return { kind: 'note', node: node.name, changes, reason: { code: 'Noted', text } }
}
