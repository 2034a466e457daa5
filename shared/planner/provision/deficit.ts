/**
 * Where there is not enough for all who are entitled, each team is to get the like part of what it
 * is guaranteed, and the more the heavier it weighs.
 *
 * What there is only shows once places are sought. So they are sought for everybody together at
 * first; where somebody entitled is left, once more and bit by bit, always for the team that has
 * least so far. Only then for those who borrow.
 */
import { groupBy } from '../../base/order.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Demand } from '../demand.ts'
import type { Draft } from '../fold.ts'
import { governedBy } from '../quota/books.ts'
import { amountOf, type Amount, type Dimension, type Share } from '../quota/policy.ts'
import { sharesOf } from '../quota/shares.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Target } from '../target.ts'
import { usedByTeam } from '../preempt/team-use.ts'

type DeficitContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly targets: readonly Target[]
}

/** The demands in the order in which they are to be served, part by part. */
export function partsByDeficit(
  demands: readonly Demand[],
  context: DeficitContext,
): readonly (readonly Demand[])[] {
  const borrowed = demands.filter((own) => own.isBorrowed)
  const entitled = demands.filter((own) => !own.isBorrowed)
  const queues = queuesOf(entitled, context)
  if (queues.length <= 1) return [entitled, borrowed]
  const count = entitled.reduce((sum, own) => sum + own.count, 0)
  const most = Math.ceil(count / LIMITS.deficitParts)
  const parts: Demand[][] = []
  for (;;) {
    const next = poorest(queues)
    const demand = next?.demands.shift()
    if (next === undefined || demand === undefined) break
    const size = Math.min(most, demand.count)
    if (size < demand.count) next.demands.unshift({ ...demand, count: demand.count - size })
    for (const own of next.governed) next.used[own] += size * amountOf(demand.need)[own]
    parts.push([{ ...demand, count: size }])
  }
  return [...parts, borrowed]
}

/** True where somebody entitled is left and others were served: another team's, or borrowers. */
export function isUnfair(demands: readonly Demand[], left: readonly Demand[]): boolean {
  const short = left.filter((own) => !own.isBorrowed)
  if (short.length === 0) return false
  const teams = new Set(demands.map((own) => own.target.workload.spec.team))
  return teams.size > 1
}

/** What a team waits for, the most important first, and how much it has of its guarantee. */
type Queue = {
  readonly share: Share | undefined
  readonly governed: readonly Dimension[]
  readonly demands: Demand[]
  readonly used: Record<Dimension, number>
}

function queuesOf(demands: readonly Demand[], context: DeficitContext): readonly Queue[] {
  const shares = sharesOf(context.snapshot)
  const governed = governedBy(shares)
  const used = usedByTeam(context)
  const byTeam = groupBy(demands, (own) => own.target.workload.spec.team ?? '')
  return [...byTeam].map(([team, own]) => ({
    ...{ share: shares.find((one) => one.team === team), governed, demands: own },
    used: { ...(used.get(team) ?? NOTHING) },
  }))
}

const NOTHING: Amount = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0 }

function poorest(queues: readonly Queue[]): Queue | undefined {
  let least: { queue: Queue; part: number } | undefined
  for (const queue of queues) {
    if (queue.demands.length === 0) continue
    const part = partOf(queue)
    if (least === undefined || part < least.part) least = { queue, part }
  }
  return least?.queue
}

/** The largest part that it has of any of its guarantees, by its weight. */
function partOf({ share, governed, used }: Queue): number {
  if (share === undefined) return Infinity
  const parts = governed
    .filter((own) => share.guarantee[own] > 0 && share.guarantee[own] !== Infinity)
    .map((own) => used[own] / share.guarantee[own])
  return Math.max(0, ...parts) / Math.max(share.weight, LIMITS.leastWeight)
}
