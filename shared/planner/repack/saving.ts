/**
 * What a repack saves, and how much that must be.
 *
 * Moving work is never free: replicas start cold, caches are empty, and something may go wrong. So
 * a group must save a share of what the emptied machines cost, and a cent an hour beyond what its
 * moves are reckoned to cost. Without that a herd follows every flicker of the market.
 */
import { groupBy } from '../../base/order.ts'
import { rememberedPair } from '../../base/remembered.ts'
import { sum } from '../../base/sum.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Assignment } from '../../model/assignment.ts'
import type { Node } from '../../model/node.ts'
import type { RepackGroup, RepackReason } from '../../model/repack.ts'
import { priceNow } from '../bound.ts'
import { poolsByName } from '../facts.ts'
import type { Draft } from '../fold.ts'
import type { Snapshot } from '../snapshot.ts'
import { isForMoney } from './herd.ts'

export type Deal = {
  readonly retire: readonly Node[]
  /** USD an hour of all that is bought. */
  readonly launchUsdPerHour: number
  readonly moves: number
}

/** USD an hour, at the prices of the snapshot; below 0 where it costs more. */
export function savingOf({ retire, launchUsdPerHour }: Deal, snapshot: Snapshot): number {
  return dollars(sum(retire.map((node) => priceNow(node, snapshot))) - launchUsdPerHour)
}

/** The same less what its moves are reckoned to cost. */
export function gainOf(deal: Deal, snapshot: Snapshot): number {
  return savingOf(deal, snapshot) - deal.moves * moveUsdPerHour(deal.retire, snapshot)
}

/** What a move must bring in an hour: a share of what a replica costs, on average, in the pools. */
function moveUsdPerHour(
  retire: readonly Node[],
  { nodes, assignments }: Pick<Snapshot, 'nodes' | 'assignments'>,
): number {
  const averages = averagesOf(nodes, assignments)
  const own = retire.map(({ pool }) => averages.get(pool) ?? 0)
  const average = sum(own) / Math.max(1, own.length)
  return Math.max(LIMITS.repackMoveUsdPerHour, LIMITS.repackMoveShare * average)
}

type Averages = ReadonlyMap<string, number>

/** By pool: USD an hour of machines that carry something, as bought, for each replica there. */
const averagesOf = rememberedPair(
  (nodes: readonly Node[], assignments: readonly Assignment[]): Averages => {
    const replicas = new Map(assignments.map((own) => [own.node, own.replicas.length]))
    return new Map(
      [...groupBy(nodes, (own) => own.pool)].map(([pool, mine]) => {
        const carrying = mine.filter((own) => (replicas.get(own.name) ?? 0) > 0)
        const prices = carrying.map((own) => own.machine?.priceUsdPerHour ?? 0)
        const count = sum(carrying.map((own) => replicas.get(own.name) ?? 0))
        return [pool, sum(prices) / Math.max(1, count)]
      }),
    )
  },
)

/** True when the deal saves what it must; expiry and drift need not save anything. */
export function isWorthIt(deal: Deal, reason: RepackReason, snapshot: Snapshot): boolean {
  if (!isForMoney(reason)) return true
  const net = gainOf(deal, snapshot)
  const saving = savingOf(deal, snapshot)
  return saving >= leastOf(deal.retire, snapshot) - DUST && net >= LIMITS.repackLeastUsdPerHour
}

/** By the pools' own `minSaving`: a share of what the emptied machines cost, or so many USD. */
function leastOf(retire: readonly Node[], snapshot: Snapshot): number {
  const pools = poolsByName(snapshot.pools)
  const wanted = retire.map((node) => {
    const least = pools.get(node.pool)?.spec.repack.minSaving ?? 0
    if (typeof least === 'number') return { share: 0, usd: least }
    return { share: (Number(least.slice(0, -1)) / 100) * priceNow(node, snapshot), usd: 0 }
  })
  return Math.max(sum(wanted.map((own) => own.share)), ...wanted.map((own) => own.usd))
}

/** Replicas that would have to move: all off the nodes to empty, and those that move aside. */
export function movesOff(
  { retire, shift }: Pick<RepackGroup, 'retire' | 'shift'>,
  { assignments }: Draft,
): number {
  const replicas = retire.flatMap((name) => assignments.get(name)?.replicas ?? [])
  return replicas.filter((own) => own.order === 'run').length + shift.length
}

/** What floating point owes. */
const DUST = 1e-9

/** Sums of prices without the dust of binary fractions. */
export const dollars = (usd: number): number => Math.round(usd * 1e6) / 1e6
