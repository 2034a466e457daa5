/**
 * The breaker: how many replicas of a version that is rolled out have failed, and how many may.
 *
 * Only what speaks against the version counts: failures on nodes that are well, and where nobody
 * blames the node. On one node they count as one, however many there are, unless the version is
 * fine nowhere: a single bad node must not halt a good version. What has not proved itself and
 * could still fail is never more than is left until the breaker trips.
 *
 * Source: the clamp and its bounds are those of ECS' deployment circuit breaker; weighing by nodes
 * is drover's own (`research/lifecycle.md` §4.6).
 */
import { groupBy } from '../../base/order.ts'
import { isFetching } from '../../model/assignment.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Node } from '../../model/node.ts'
import { countOf } from '../../model/quantities.ts'
import type { WorkloadSpec } from '../../model/workload.ts'
import { askedBy, findingsOf } from '../findings.ts'
import type { Blamed } from '../observe/blame.ts'
import type { Replica } from '../replicas.ts'

/** So many failed replicas end a roll-out. A share is clamped; a count is taken at its word. */
export function breakerOf({ rollout: { maxFailures } }: WorkloadSpec, desired: number): number {
  if (typeof maxFailures === 'number') return Math.max(1, maxFailures)
  const share = countOf(maxFailures, { total: desired, round: 'up' })
  const least = Math.min(LIMITS.breakerLeast, Math.max(1, desired))
  return Math.min(LIMITS.breakerMost, Math.max(least, share))
}

export type BreakerFacts = {
  /** The version's replicas that are to run, on nodes that are there. */
  readonly running: readonly Replica[]
  /** What is remembered of its failures, with whose fault they are. */
  readonly blamed: readonly Blamed[]
  readonly nodes: ReadonlyMap<string, Node>
  /** Nodes on which other versions of the workload are ready. */
  readonly fineNodes: ReadonlySet<string>
  /** What failed before the version was rolled out this time is forgotten. */
  readonly sinceMs: number
  readonly healthyDeadlineMs: number
  readonly nowMs: number
}

/** Replicas of the version that count as failed. */
export function failuresOf(facts: BreakerFacts): number {
  const { running, blamed, nodes, sinceMs } = facts
  const told = blamed.filter(
    ({ node, lastMs, blame }) =>
      lastMs >= sinceMs && blame.code !== 'BadNode' && isSound(nodes.get(node)),
  )
  const overdue = running.filter((own) => isOverdue(own, facts))
  const counts = new Map(told.map((own) => [own.node, own.replicas]))
  for (const [node, late] of groupBy(overdue, (own) => own.node.name)) {
    counts.set(node, (counts.get(node) ?? 0) + late.length)
  }
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const isBlamed = told.some((own) => own.blame.code === 'BadVersion')
  return counts.size > 1 || isBlamed || isFineNowhere(facts, overdue) ? all : Math.min(1, all)
}

/** None of it is ready, and beside one that should be the version before is: the node is well. */
function isFineNowhere({ running, fineNodes }: BreakerFacts, overdue: readonly Replica[]): boolean {
  return (
    running.every(({ bound }) => bound.readySinceMs === undefined) &&
    overdue.some(({ node }) => fineNodes.has(node.name))
  )
}

/** What goes wrong on a node that is about to go, or has something itself, proves nothing. */
function isSound(node: Node | undefined): boolean {
  if (node === undefined) return true
  return (
    node.phase === 'ready' &&
    node.lostSinceMs === undefined &&
    node.silentSinceMs === undefined &&
    node.interruption === undefined &&
    findingsOf(node).every((own) => askedBy(own, node) === 'observe')
  )
}

/** Never ready so far, and late; those that were ready once are told of by their failures. */
function isOverdue({ bound, node }: Replica, facts: BreakerFacts): boolean {
  return (
    bound.readySinceMs === undefined &&
    (bound.failures?.count ?? 0) === 0 &&
    isSound(node) &&
    facts.nowMs >= overdueAtMs(bound, facts)
  )
}

export function overdueAtMs(
  bound: Replica['bound'],
  { healthyDeadlineMs }: Pick<BreakerFacts, 'healthyDeadlineMs'>,
): number {
  // What fetches is not late: its fetch has limits of its own, and fails by them.
  if (isFetching(bound)) return Infinity
  return Math.max(bound.assignedAtMs, bound.fetchedAtMs ?? -Infinity) + healthyDeadlineMs
}
