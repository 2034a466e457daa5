/**
 * Machines that carry nothing are tested again when their certificate is old: the oldest first, and
 * few of a pool at a time, so that there is room for whoever comes meanwhile.
 *
 * Hardware goes bad in service, and not every fault shows; a pool's `retestEverySeconds` says how
 * long a pass is believed. Who carries work, is kept for somebody, or is on its way out, is left
 * alone. A machine that fails is set aside like a new one.
 */
import { byKey, byText, groupBy, inOrder } from '../base/order.ts'
import type { Action } from './actions.ts'
import type { NodeFacts } from './facts.ts'
import { isLeaving } from './replicas.ts'
import { testOf } from './observe/testing.ts'

/** Of a pool's nodes: one machine in so many, and always one, is tested again at a time. */
const POOL_PART = 10

export type RetestContext = {
  readonly facts: readonly NodeFacts[]
  readonly nowMs: number
  /** Nodes that something is planned for. */
  readonly used: ReadonlySet<string>
}

export function retest({ facts, nowMs, used }: RetestContext): readonly Action[] {
  return [...groupBy(facts, ({ node }) => node.pool).values()].flatMap((own) => {
    const testing = own.filter(({ node }) => node.phase === 'testing').length
    const most = Math.max(1, Math.floor(own.length / POOL_PART)) - testing
    const due = own
      .filter((one) => dueAtMs(one, used) <= nowMs)
      .toSorted(oldestFirst)
      .slice(0, Math.max(0, most))
    return due.map((one): Action => {
      const text = 'its last test is older than its pool allows'
      return { ...testOf(one, { nowMs, tries: 1 }), reason: { code: 'Retest', text } }
    })
  })
}

const oldestFirst = inOrder<NodeFacts>(
  byKey(({ node }) => node.burnIn?.admittedAtMs ?? 0),
  (a, b) => byText(a.node.name, b.node.name),
)

/** Moments still to come at which somebody is due; who waits for a turn is woken by the others. */
export function retestsAfter({ facts, nowMs, used }: RetestContext): readonly number[] {
  return facts
    .map((own) => dueAtMs(own, used))
    .filter((atMs) => atMs > nowMs && Number.isFinite(atMs))
}

/** When the node is to be tested again; never while it has something else to do. */
function dueAtMs({ node, pool, assignment }: NodeFacts, used: ReadonlySet<string>): number {
  const everyMs = (pool?.spec.burnIn.retestEverySeconds ?? Infinity) * 1000
  const { admittedAtMs } = node.burnIn ?? {}
  const isIdle =
    node.phase === 'ready' &&
    assignment !== undefined &&
    assignment.replicas.length === 0 &&
    !used.has(node.name) &&
    node.repack === undefined &&
    node.silentSinceMs === undefined &&
    !node.cordoned &&
    !isLeaving(node)
  return isIdle && admittedAtMs !== undefined ? admittedAtMs + everyMs : Infinity
}
