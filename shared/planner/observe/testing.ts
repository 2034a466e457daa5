/**
 * Burn-in as the planner sees it: no node carries work before it has proved itself.
 *
 * Testing begins with the agent's first report and ends with a verdict for that very attempt, boot
 * and suite; without one in time the attempt counts as INFRA, which condemns nobody's hardware. It
 * fails closed: the absence of a verdict is never a pass.
 */
import { firstAskedOf, GPU_RESET, suiteOf, type Asked } from '../../model/burn-in.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Node, Rung } from '../../model/node.ts'
import type { CheckResult, VerdictName } from '../../model/verdict.ts'
import type { Action } from '../actions.ts'
import { BURN_IN_FAILED } from '../brake.ts'
import type { NodeFacts } from '../facts.ts'
import type { ObserveContext } from './context.ts'
import { nextRung, rebootAgain, rebootOf } from './mending.ts'

/** Tries of one test that may end in INFRA before the machine is replaced. */
const TRIES_MAX = 3
/** Verdicts of UNKNOWN that are looked into once more before the next counts as INFRA. */
const UNKNOWNS_MAX = 1

export function runBurnIn(
  facts: NodeFacts,
  { snapshot, brakes }: ObserveContext,
): readonly Action[] {
  const { node, report } = facts
  const { nowMs, settings } = snapshot
  if (node.drain !== undefined) return []
  if (node.phase === 'booting') {
    if (node.adoptedAtMs !== undefined) return takeInAdopted(facts, { snapshot, brakes })
    if (report !== undefined) return [testOf(facts, { nowMs, tries: 1, inShort: true })]
    if (nowMs - node.phaseSinceMs <= settings.bootDeadlineMs) return []
    if (!brakes.condemn(node, 'BootDeadline')) return []
    const text = 'no agent has reported within the boot deadline'
    return [{ kind: 'terminate', node: node.name, reason: { code: 'BootDeadline', text } }]
  }
  if (node.phase !== 'testing' || node.burnIn === undefined) return []
  if (node.burnIn.reboot !== undefined) return awaitReboot(facts, { snapshot, brakes })
  if (report !== undefined && report.bootId !== node.bootId) {
    return tryAgain(facts, { snapshot, brakes }, 'it booted anew during its burn-in')
  }
  const { retryAtMs, tries } = node.burnIn
  if (retryAtMs !== undefined) {
    return nowMs < retryAtMs ? [] : [sameAgain(facts, { nowMs, tries: tries + 1 })]
  }
  const verdict = verdictOn(facts)
  if (verdict !== undefined) return conclude(facts, verdict, { snapshot, brakes })
  if (nowMs <= node.burnIn.deadlineMs) return []
  return tryAgain(facts, { snapshot, brakes }, 'BurnInDeadline: no verdict in time')
}

/** Kept as it is while it carries what the table has forgotten, until a person allows the sweep. */
function takeInAdopted(facts: NodeFacts, { snapshot }: ObserveContext): Action[] {
  const { node, report } = facts
  if (snapshot.orders.some((order) => order.target === 'sweep')) {
    const reason = { code: 'Swept', text: 'a person allowed the sweep' }
    return [{ kind: 'terminate', node: node.name, reason }]
  }
  const isIdle = report?.replicas.every((own) => own.phase === 'gone') ?? false
  return isIdle ? [testOf(facts, { nowMs: snapshot.nowMs, tries: 1 })] : []
}

type Try = {
  readonly nowMs: number
  readonly tries: number
  readonly unknowns?: number
  readonly mended?: readonly Rung[]
  /** Its GPUs are reset before they are looked at. */
  readonly resets?: boolean
  /** In short, if there is a short form. */
  readonly inShort?: boolean
}

type Tested = Pick<NodeFacts, 'node' | 'machine' | 'report' | 'pool' | 'assignment'>

/** The next attempt at the pool's suite: the `tries`-th of this test since it was mended last. */
export function testOf(
  { node, machine, report, pool, assignment }: Tested,
  { nowMs, tries, unknowns = 0, mended = [], resets = false, inShort = false }: Try,
): Extract<Action, { kind: 'test' }> {
  const burnIn = pool?.spec.burnIn
  const asked: Asked = inShort ? firstAskedOf(burnIn, machine) : { suite: suiteOf(burnIn, machine) }
  const { name: suite, checks, timeoutSeconds } = asked.suite
  const { certificate } = asked
  const first = resets ? [GPU_RESET] : []
  const allowed = first.reduce((sum, own) => sum + own.timeoutSeconds, timeoutSeconds)
  const attempt = attemptOf({ node, assignment }, suite)
  return {
    kind: 'test',
    node: node.name,
    attempt,
    ...{ tries, unknowns, mended },
    suite,
    checks: [...first, ...checks],
    ...(certificate === undefined ? {} : { certificate }),
    deadlineMs: nowMs + allowed * 1000,
    changes: { bootId: report?.bootId, runtimes: [...(report?.runtimes ?? node.runtimes)] },
    reason: { code: 'Testing', text: `burn-in ${suite}, attempt ${String(attempt)}` },
  }
}

/** What was asked last, once more, with the reset it began with: that may not have happened. */
function sameAgain(facts: Tested, changes: Pick<Try, 'nowMs' | 'tries' | 'unknowns'>): Action {
  const { node, assignment } = facts
  const { unknowns = 0, mended = [], whole } = node.burnIn ?? {}
  const resets = assignment?.burnIn?.checks.some((own) => own.check === GPU_RESET.check) ?? false
  const inShort = whole !== undefined
  return testOf(facts, { unknowns, mended, resets, inShort, ...changes })
}

/** A machine is dealt its first attempt with its name; what was dealt otherwise is counted too. */
function attemptOf(
  { node, assignment }: Pick<Tested, 'node' | 'assignment'>,
  suite: string,
): number {
  if (node.burnIn !== undefined) return node.burnIn.attempt + 1
  const dealt = assignment?.burnIn
  return dealt === undefined || dealt.suite === suite ? 1 : dealt.attempt + 1
}

/** The verdict on this very attempt, boot and suite, if there is one. */
function verdictOn({ node, verdict }: NodeFacts): NodeFacts['verdict'] {
  if (verdict === undefined || node.burnIn === undefined) return undefined
  const same =
    verdict.attempt === node.burnIn.attempt &&
    verdict.suite === node.burnIn.suite &&
    verdict.bootId === node.bootId &&
    verdict.arn === node.machine?.arn
  return same ? verdict : undefined
}

const isInShort = ({ whole }: NonNullable<Node['burnIn']>): boolean => whole !== undefined

type Conclusion = (
  facts: NodeFacts,
  context: ObserveContext,
  burnIn: NonNullable<NodeFacts['node']['burnIn']>,
) => readonly Action[]

const admit: Conclusion = (facts, { snapshot }, burnIn) => {
  const { node, verdict } = facts
  const { nowMs } = snapshot
  const { certifiedForMs } = verdict ?? {}
  // The short suite has found nothing: now the whole of it, unless that was passed a while ago.
  if (isInShort(burnIn) && certifiedForMs === undefined) {
    return [testOf(facts, { nowMs, tries: 1, mended: burnIn.mended })]
  }
  const certified = certifiedForMs === undefined ? {} : { certifiedAtMs: nowMs - certifiedForMs }
  return [
    {
      kind: 'advance',
      node: node.name,
      to: 'ready',
      changes: { burnIn: { ...burnIn, ...certified, admittedAtMs: nowMs }, reason: undefined },
      reason: { code: 'Admitted', text: `burn-in ${burnIn.suite}: ${String(burnIn.verdict)}` },
    },
  ]
}

/** The check could not be made: whatever was in its way may be gone in a while. */
const retry: Conclusion = (facts, context, burnIn) => {
  const { node } = facts
  const why = `burn-in was ${String(burnIn.verdict)}${toldBy(burnIn.checks, burnIn.verdict)}`
  if (burnIn.tries >= TRIES_MAX) return giveUp(node, context, why)
  const retryAtMs = context.snapshot.nowMs + LIMITS.burnInRetryMs * 2 ** (burnIn.tries - 1)
  const changes = { burnIn: { ...burnIn, retryAtMs } }
  const reason = { code: 'BurnInRetry', text: `${why}: it is tried again` }
  return [{ kind: 'note', node: node.name, changes, reason }]
}

/** An answer that nobody understands is asked for once more, at once. */
const askAgain: Conclusion = (facts, context, burnIn) => {
  const { unknowns } = burnIn
  if (unknowns >= UNKNOWNS_MAX) return retry(facts, context, burnIn)
  const { nowMs } = context.snapshot
  return [sameAgain(facts, { nowMs, tries: burnIn.tries, unknowns: unknowns + 1 })]
}

/** The first check that came to the verdict, and what it said. */
function toldBy(checks: readonly CheckResult[], verdict: VerdictName | undefined): string {
  const first = checks.find((own) => own.verdict === verdict)
  return first === undefined ? '' : `: ${first.name}: ${first.text}`
}

const conclusions = {
  PASS: admit,
  WARN: admit,
  UNKNOWN: askAgain,
  INFRA: retry,
  FAIL: mend,
} satisfies Record<VerdictName, Conclusion>

/** The next rung of the ladder; behind the last the machine is set aside. */
function mend(
  facts: NodeFacts,
  context: ObserveContext,
  burnIn: Parameters<Conclusion>[2],
): readonly Action[] {
  const { node, verdict } = facts
  const why = `burn-in failed${toldBy(burnIn.checks, 'FAIL')}`
  const rung = verdict === undefined ? undefined : nextRung({ ...facts, verdict })
  if (rung === undefined) return [setAside(node, context, { burnIn, text: why })]
  if (rung === 'reboot') return [rebootOf({ node: node.name, burnIn, why }, context.snapshot)]
  const mended: readonly Rung[] = [...burnIn.mended, rung]
  const { nowMs } = context.snapshot
  const reason = { code: 'BurnInRepair', text: `${why}: ${REPAIRS[rung]}` }
  const next = { nowMs, tries: 1, mended, resets: rung === 'reset', inShort: isInShort(burnIn) }
  return [{ ...testOf(facts, next), reason }]
}

const REPAIRS = {
  again: 'it is looked at once more',
  reset: 'its GPUs are reset',
} as const satisfies Record<Exclude<Rung, 'reboot'>, string>

/** It is not mended where it is not back in time; a verdict on its last boot is no news by then. */
function awaitReboot(facts: NodeFacts, context: ObserveContext): readonly Action[] {
  const { node, report } = facts
  const { nowMs } = context.snapshot
  const { burnIn } = node
  if (burnIn === undefined) return []
  if (report !== undefined && report.bootId !== node.bootId) {
    const { mended } = burnIn
    return [testOf(facts, { nowMs, tries: 1, mended, inShort: isInShort(burnIn) })]
  }
  if (nowMs <= burnIn.deadlineMs) return rebootAgain(facts, context.snapshot)
  const { reboot: _, ...rest } = burnIn
  const text = 'it failed its burn-in and did not come back from a reboot'
  return [setAside(node, context, { burnIn: rest, text })]
}

function setAside(
  node: Node,
  { brakes }: ObserveContext,
  { burnIn, text }: { burnIn: NonNullable<Node['burnIn']>; text: string },
): Action {
  brakes.record(node, BURN_IN_FAILED)
  return {
    kind: 'advance',
    node: node.name,
    to: 'quarantined',
    changes: { burnIn, reason: text },
    reason: { code: 'Quarantined', text },
  }
}

function conclude(
  facts: NodeFacts,
  verdict: NonNullable<NodeFacts['verdict']>,
  context: ObserveContext,
): readonly Action[] {
  const { burnIn } = facts.node
  if (burnIn === undefined) return []
  const judged = { ...burnIn, verdict: verdict.verdict, checks: verdict.checks, atMs: verdict.atMs }
  return conclusions[verdict.verdict](facts, context, judged)
}

function tryAgain(
  facts: NodeFacts,
  { snapshot, brakes }: ObserveContext,
  why: string,
): readonly Action[] {
  const { node } = facts
  const { tries = 0 } = node.burnIn ?? {}
  if (tries >= TRIES_MAX) return giveUp(node, { snapshot, brakes }, why)
  return [sameAgain(facts, { nowMs: snapshot.nowMs, tries: tries + 1 })]
}

function giveUp(node: Node, { brakes }: ObserveContext, why: string): readonly Action[] {
  if (!brakes.condemn(node, 'BurnInGaveUp')) return []
  const text = `${why}, ${String(TRIES_MAX)} times: the machine is replaced`
  return [{ kind: 'terminate', node: node.name, reason: { code: 'BurnInGaveUp', text } }]
}
