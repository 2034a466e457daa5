/**
 * Machines are tested again when their certificate is old: the oldest first, and few of a pool at a
 * time, so that there is room for whoever comes meanwhile.
 *
 * Hardware goes bad in service, and not every fault shows; a pool's `retestEverySeconds` says how
 * long a pass is believed. It is believed no longer on a machine on which work fails, again and
 * again and soon after, that is fine elsewhere. Who carries nothing is tested at once. Who carries
 * work is left alone, or emptied first where its pool says so, for as long as the ledger lets its
 * replicas go; where one cannot be emptied in time, the busy ones of its pool are left alone for a
 * while. Whoever is kept for somebody, or is on its way out, is not touched. A machine that fails
 * is set aside like a new one.
 */
import { byKey, byText, groupBy, inOrder } from '../base/order.ts'
import { LIMITS } from '../model/limits.ts'
import type { Node } from '../model/node.ts'
import type { WorkloadStatus } from '../model/status.ts'
import type { Action, NodeChanges } from './actions.ts'
import type { NodeFacts } from './facts.ts'
import type { Draft } from './fold.ts'
import { blame, evidenceOf, failsAgain } from './observe/blame.ts'
import { beginTest } from './observe/orders.ts'
import { isLeaving } from './replicas.ts'

/** Of a pool's nodes: one machine in so many, and always one, is tested again at a time. */
const POOL_PART = 10

export type RetestContext = {
  readonly facts: readonly NodeFacts[]
  readonly nowMs: number
  /** Nodes that something is planned for. */
  readonly used: ReadonlySet<string>
  /** Nodes on which work fails that is fine elsewhere, soon after they passed. */
  readonly suspects: ReadonlySet<string>
  /** True where the node may be given up now. */
  readonly condemn: (node: Node) => boolean
}

export type Retested = {
  readonly actions: readonly Action[]
  /** Moments still to come at which there is more to do. */
  readonly moments: readonly number[]
}

export function retest(context: RetestContext): Retested {
  const { facts, nowMs } = context
  const pools = [...groupBy(facts, ({ node }) => node.pool).values()]
  const acts = [
    ...facts.flatMap((own) => goOn(own, nowMs)),
    ...pools.flatMap((own) => begin(own, context)),
  ]
  const acted = new Set(acts.flatMap((own) => ('node' in own ? own.node : [])))
  const rest = facts.filter(({ node }) => !acted.has(node.name))
  // Where its replicas go is for the next pass to say.
  const isMoving = acts.some(({ kind }) => kind === 'drain' || kind === 'undrain')
  const again = isMoving ? [nowMs + LIMITS.unfinishedWakeMs] : []
  return {
    actions: [...acts, ...rest.flatMap((own) => noteAge(own, nowMs))],
    moments: [...momentsOf(context), ...again],
  }
}

/** Who was to be emptied for its test is empty by now, or will not be. */
function goOn(facts: NodeFacts, nowMs: number): readonly Action[] {
  const { node, assignment } = facts
  const { drain, burnIn } = node
  if (drain?.reason !== 'CertificateAge' || node.phase !== 'draining') return []
  if (assignment?.replicas.length === 0 && facts.pool !== undefined) {
    return beginTest(facts, { nowMs, reason: { code: 'Retest', text: drain.text } })
  }
  if (nowMs < drain.deadlineMs || burnIn === undefined) return []
  const reason = { code: 'RetestPostponed', text: 'it could not be emptied for its test in time' }
  const changes = { burnIn: { ...burnIn, notBeforeMs: nowMs + LIMITS.retestAgainMs } }
  return [
    { kind: 'undrain', node: node.name, reason },
    { kind: 'note', node: node.name, changes, reason },
  ]
}

const WHY = { code: 'Retest', text: 'its last test is older than its pool allows' }

function begin(own: readonly NodeFacts[], context: RetestContext): readonly Action[] {
  const { nowMs } = context
  const most = Math.max(1, Math.floor(own.length / POOL_PART)) - own.filter(isOut).length
  // Where one could not be emptied, the next could not be either.
  const isFull = own.some(({ node }) => (node.burnIn?.notBeforeMs ?? 0) > nowMs)
  return own
    .filter((one) => dueAtMs(one, context) <= nowMs && (isIdle(one) || !isFull))
    .toSorted(idleAndOldestFirst)
    .slice(0, Math.max(0, most))
    .flatMap((one) => beginOne(one, context))
}

function beginOne(one: NodeFacts, context: RetestContext): readonly Action[] {
  const { nowMs, suspects } = context
  const { node } = one
  const isDoubted = suspects.has(node.name)
  const deadlineMs = nowMs + LIMITS.drainDefaultMs
  if (isDoubted && isDoubtedAgain(node, nowMs)) {
    if (!context.condemn(node)) return []
    const text = `${DOUBTS.text}, again after a test that found nothing`
    const reason = { code: 'Impaired', text }
    return [{ kind: 'drain', node: node.name, because: 'Impaired', deadlineMs, reason }]
  }
  const reason = isDoubted ? DOUBTS : WHY
  const changes = isDoubted ? { doubtedAtMs: nowMs } : {}
  if (isIdle(one)) return beginTest(one, { nowMs, reason, changes })
  const drain = { because: 'CertificateAge' as const, deadlineMs }
  return [
    { kind: 'drain', node: node.name, ...drain, reason },
    ...(isDoubted ? [note(node, changes, reason.text)] : []),
  ]
}

const DOUBTS = { code: 'Retest', text: 'work fails on it that is fine elsewhere' }

/** It was tested for that lately, and passed. */
function isDoubtedAgain({ doubtedAtMs, burnIn }: Node, nowMs: number): boolean {
  if (doubtedAtMs === undefined || nowMs - doubtedAtMs >= LIMITS.healthMemoryMs) return false
  return (burnIn?.admittedAtMs ?? 0) > doubtedAtMs
}

function note({ name }: Node, changes: NodeChanges, text: string): Action {
  return { kind: 'note', node: name, changes, reason: { code: 'Noted', text } }
}

const isOut = ({ node }: NodeFacts): boolean =>
  node.phase === 'testing' || node.drain?.reason === 'CertificateAge'

const isIdle = ({ assignment }: NodeFacts): boolean => assignment?.replicas.length === 0

const idleAndOldestFirst = inOrder<NodeFacts>(
  byKey((own) => (isIdle(own) ? 0 : 1)),
  // Who could not be emptied has had its turn.
  byKey(({ node }) => node.burnIn?.notBeforeMs ?? 0),
  byKey(({ node }) => node.burnIn?.admittedAtMs ?? 0),
  (a, b) => byText(a.node.name, b.node.name),
)

/** Said once, for whoever looks at the node; the next test takes it back, or another schedule. */
function noteAge({ node, pool }: NodeFacts, nowMs: number): readonly Action[] {
  const { burnIn } = node
  const isServing = node.phase === 'ready' || node.phase === 'draining'
  if (!isServing || burnIn === undefined) return []
  const { overdueSinceMs, ...rest } = burnIn
  const isOverdue = agedAtMs(node, pool) <= nowMs
  if (isOverdue === (overdueSinceMs !== undefined)) return []
  if (isOverdue) return [note(node, { burnIn: { ...rest, overdueSinceMs: nowMs } }, WHY.text)]
  return [note(node, { burnIn: rest }, 'its pool allows certificates as old as its own')]
}

/** When somebody is due; who waits for a turn is woken by the others. */
function momentsOf(context: RetestContext): readonly number[] {
  return context.facts
    .flatMap((own) => {
      const { drain } = own.node
      const isEmptied = drain?.reason === 'CertificateAge'
      return [
        dueAtMs(own, context),
        agedAtMs(own.node, own.pool),
        ...(isEmptied ? [drain.deadlineMs] : []),
      ]
    })
    .filter((atMs) => atMs > context.nowMs && Number.isFinite(atMs))
}

/** When its certificate is too old. */
function agedAtMs({ burnIn }: Node, pool: NodeFacts['pool']): number {
  const everyMs = (pool?.spec.burnIn.retestEverySeconds ?? Infinity) * 1000
  return (burnIn?.certifiedAtMs ?? burnIn?.admittedAtMs ?? Infinity) + everyMs
}

/** When the node is to be tested again; never while it has something else to do. */
function dueAtMs(own: NodeFacts, { used, suspects }: RetestContext): number {
  const { node, pool, assignment } = own
  const isFree =
    node.phase === 'ready' &&
    assignment !== undefined &&
    pool !== undefined &&
    !used.has(node.name) &&
    node.repack === undefined &&
    node.silentSinceMs === undefined &&
    !node.cordoned &&
    !isLeaving(node)
  const mayGo = isIdle(own) || pool?.spec.burnIn.retestBusy === 'drain'
  if (!isFree || !mayGo) return Infinity
  const agedMs = suspects.has(node.name) ? 0 : agedAtMs(node, pool)
  return Math.max(agedMs, node.burnIn?.notBeforeMs ?? 0)
}

/**
 * Nodes that are to blame for failures within a day of their last pass (`observe/blame.ts`): at
 * least two, of work that is fine elsewhere.
 */
export function suspectsOf(
  { nodes, assignments }: Draft,
  statuses: readonly WorkloadStatus[],
): ReadonlySet<string> {
  if (!statuses.some(({ failures = [] }) => failures.length > 0)) return new Set()
  const herd = [...nodes.values()].map((node) => ({ node, assignment: assignments.get(node.name) }))
  const evidence = evidenceOf(herd, statuses)
  if (!failsAgain(evidence)) return new Set()
  const blamed = blame(evidence).filter(({ node, sinceMs, lastMs, blame: own }) => {
    const passedAtMs = nodes.get(node)?.burnIn?.admittedAtMs ?? Infinity
    const isSoon = sinceMs >= passedAtMs && lastMs <= passedAtMs + LIMITS.suspicionMs
    return own.code === 'BadNode' && isSoon
  })
  const counts = new Map<string, number>()
  for (const { node, count } of blamed) counts.set(node, (counts.get(node) ?? 0) + count)
  return new Set([...counts].flatMap(([node, count]) => (count >= FAILURES_LEAST ? node : [])))
}

/** One may be chance. */
const FAILURES_LEAST = 2
