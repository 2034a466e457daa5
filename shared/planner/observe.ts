/**
 * What is really there: takes in what EC2, the agents and the burn-in function say of each node.
 *
 * The order is the policy. A machine that EC2 has ended is over, whatever else is said of it; a
 * notice comes before silence, because a node about to be taken away may well fall silent; orders
 * come last but for health, which leaves alone what a person has given an order about.
 */
import { LIMITS } from '../model/limits.ts'
import type { Action } from './actions.ts'
import type { FactsOf, NodeFacts } from './facts.ts'
import type { ObserveContext } from './observe/context.ts'
import { takeInFailures } from './observe/failures.ts'
import { fold, type Draft } from './fold.ts'
import { respond, takeInHealth } from './observe/health.ts'
import { carryOutOrder } from './observe/orders.ts'
import { takeInReport } from './observe/readiness.ts'
import { judgeSilence } from './observe/silence.ts'
import { openServing } from './service.ts'
import type { Snapshot } from './snapshot.ts'
import { runBurnIn } from './observe/testing.ts'

export function observe(
  context: ObserveContext,
  draft: Draft,
  factsOf: FactsOf,
): readonly Action[] {
  const { snapshot } = context
  const actions: Action[] = []
  const servingOf = openServing(snapshot)
  let current = draft
  const stages: readonly ((facts: readonly NodeFacts[]) => readonly Action[])[] = [
    (facts) => facts.flatMap((own) => takeInEndings(own, snapshot)),
    (facts) => facts.flatMap((own) => takeInNotices(own, snapshot)),
    (facts) => judgeSilence(facts, context),
    (facts) => facts.flatMap((own) => runBurnIn(own, context)),
    // Before readiness: a failed probe is told by a stamp that this report is about to take away.
    (facts) => facts.flatMap((own) => takeInFailures(own, snapshot.nowMs)),
    (facts) => facts.flatMap((own) => takeInReport(own, servingOf, snapshot.nowMs)),
    (facts) => facts.flatMap((own) => takeInHealth(own, snapshot.nowMs)),
    (facts) => facts.flatMap((own) => carryOutOrder(own, snapshot.nowMs)),
    (facts) => respond(facts, context),
    (facts) => facts.flatMap((own) => leaveDeletedPool(own, snapshot)),
  ]
  for (const stage of stages) {
    const found = stage(factsOf(current))
    actions.push(...found)
    current = fold(current, found, snapshot)
  }
  return actions
}

/** EC2 says that the machine is ending or over, or no longer knows it. */
function takeInEndings(facts: NodeFacts, { nowMs, listing }: Snapshot): readonly Action[] {
  const { node, machine, listed, signal, assignment } = facts
  const states = [listed?.state, signal?.state?.value]
  const why = node.terminating?.reason ?? node.reason ?? 'EC2 ended the machine'
  if (states.includes('terminated')) return [remove(node.name, why)]
  if (states.includes('shutting-down') || states.includes('stopped')) {
    const reason = { code: 'Ending', text: 'EC2 says that the machine is shutting down' }
    const gone = (assignment?.replicas ?? []).map((own) => own.id)
    const actions: Action[] = []
    if (node.phase !== 'terminating') actions.push({ kind: 'terminate', node: node.name, reason })
    if (gone.length > 0) actions.push({ kind: 'forget', node: node.name, replicas: gone, reason })
    return actions
  }
  if (listing === undefined) return []
  if (listed !== undefined) {
    if (node.missingSinceMs === undefined) return []
    return [note(node.name, { missingSinceMs: undefined }, 'EC2 lists the machine again')]
  }
  if (listing.listedAtMs - machine.launchedAtMs < LIMITS.notFoundMinAgeMs) return []
  if (node.missingSinceMs === undefined) {
    return [note(node.name, { missingSinceMs: nowMs }, 'EC2 does not list the machine')]
  }
  if (nowMs - node.missingSinceMs < LIMITS.notFoundConfirmMs) return []
  return [remove(node.name, 'EC2 does not know the machine any more')]
}

/** EC2 has announced the machine's end, or hinted at it. */
function takeInNotices(facts: NodeFacts, { nowMs }: Snapshot): readonly Action[] {
  const { node, report, signal } = facts
  if (node.phase === 'terminating') return []
  const actions: Action[] = []
  const told = report?.bootId === node.bootId ? report?.interruption : undefined
  if (told !== undefined || signal?.interruption !== undefined) {
    const latest = (node.interruption?.noticedAtMs ?? nowMs) + SPOT_NOTICE_MS
    const deadlineMs = Math.min(
      latest,
      node.interruption?.deadlineMs ?? latest,
      told?.deadlineMs ?? latest,
      signal?.interruption?.deadlineMs ?? latest,
      node.drain?.deadlineMs ?? latest,
    )
    if (node.interruption?.deadlineMs !== deadlineMs) {
      const noticedAtMs = node.interruption?.noticedAtMs ?? nowMs
      const text = 'EC2 takes the machine back'
      actions.push(note(node.name, { interruption: { noticedAtMs, deadlineMs } }, text))
      actions.push({
        kind: 'drain',
        node: node.name,
        because: 'Interrupted',
        deadlineMs,
        reason: { code: 'Interrupted', text },
      })
    }
  }
  const hinted = report?.rebalance === true || signal?.rebalance !== undefined
  if (hinted && node.rebalanceAtMs === undefined) {
    const text = 'EC2 recommends to rebalance: nothing new goes here'
    actions.push(note(node.name, { rebalanceAtMs: nowMs }, text))
  }
  if (signal?.health !== undefined && node.drain === undefined) {
    const text = `AWS announces ${signal.health.code}`
    actions.push({
      kind: 'drain',
      node: node.name,
      because: 'Impaired',
      deadlineMs: Math.max(nowMs + LIMITS.drainDefaultMs, signal.health.startAtMs ?? 0),
      reason: { code: 'Impaired', text },
    })
  }
  return actions
}

/** A deleted pool, or one that nobody can read any more, keeps no machine. */
function leaveDeletedPool({ node, pool }: NodeFacts, snapshot: Snapshot): readonly Action[] {
  const isUnreadable = snapshot.invalid.some((own) => own.key === `spec#pool/${node.pool}`)
  if ((pool !== undefined && pool.deletedAtMs === undefined) || isUnreadable) return []
  if (node.drain !== undefined || node.phase === 'terminating') return []
  const reason = { code: 'PoolDeleted', text: `pool ${node.pool} is deleted` }
  const deadlineMs = snapshot.nowMs + LIMITS.drainDefaultMs
  return [{ kind: 'drain', node: node.name, because: 'PoolDeleted', deadlineMs, reason }]
}

/** EC2's notice; a shorter one is told by instance metadata, in the report. */
const SPOT_NOTICE_MS = 120_000

function remove(node: string, text: string): Action {
  return { kind: 'remove', node, reason: { code: 'Gone', text } }
}

function note(
  node: string,
  changes: Extract<Action, { kind: 'note' }>['changes'],
  text: string,
): Action {
  return { kind: 'note', node, changes, reason: { code: 'Noted', text } }
}
