/**
 * What a quota policy is asked, and what it answers: the place to plug in a firm's own.
 *
 * A policy sees teams and what their workloads ask for, as counts of equal replicas, and says what
 * each team may count on, how many replicas of each are guaranteed and how many run on what others
 * leave idle. Both are pure functions: where the replicas go, what is bought for them and who must
 * give way follows from its answers elsewhere. A new one gets a name in `model/quota-policy.ts` and
 * a line in `policies.ts`, and `test/planner/policies.property.test.ts` says what it owes.
 */
import type { Resources } from '../../model/quantities.ts'

/** What quotas count, in the units of `Resources`. */
export const DIMENSIONS = ['cpuMilli', 'memoryMib', 'gpuMilli'] as const
export type Dimension = (typeof DIMENSIONS)[number]
export type Amount = Readonly<Record<Dimension, number>>

export type Share = {
  /** A team's name. */
  readonly team: string
  /** Infinity in a dimension that its quota leaves out: that is not counted. */
  readonly guarantee: Amount
  /** At most so much of what it does not use goes to others. */
  readonly lend: Amount
  readonly weight: number
  readonly mayBorrow: boolean
  /** What it has borrowed lately, as a part of all that is guaranteed to anybody. */
  readonly debt: number
}

/** Equal replicas that a workload has. */
export type Holding = {
  /** Of one of them, as it was bound: not what its spec says by now. */
  readonly need: Amount
  readonly count: number
}

/** What one workload asks for. */
export type Ask = {
  readonly uid: string
  /** Undefined for a workload of no team, to which nothing is guaranteed. */
  readonly team: string | undefined
  readonly priority: number
  readonly preemptible: boolean
  /** Of one replica as the spec stands. */
  readonly need: Amount
  /** True while its team had to give way so lately that it must not borrow more of the kind. */
  readonly isCoolingDown: boolean
  /** The replicas it has, the smallest first. */
  readonly has: readonly Holding[]
  /** How many of those may not be asked back, whatever the quota is by now. */
  readonly firm: number
  /** In all; `has` is among them. */
  readonly wanted: number
  /** It is of no use in part: what it is granted beside what is firm is all of it or nothing. */
  readonly asOne?: boolean
  readonly sinceMs: number
}

/** How many of an ask's replicas may run: `guaranteed` by right, `borrowed` as long as it lasts. */
export type Grant = {
  readonly guaranteed: number
  readonly borrowed: number
  /** Of those that it has and that need more as the spec stands now: how many may have it. */
  readonly grown: number
  readonly grownOnLoan: number
}

export type QuotaQuestion = { readonly shares: readonly Share[]; readonly asks: readonly Ask[] }

export type QuotaPolicy = {
  /** What each team may count on, made of what its people wrote: the same teams. */
  sharesOf(written: readonly Share[]): readonly Share[]
  /** A grant for each ask, by its uid. The shares of the question are those of `sharesOf`. */
  grant(question: QuotaQuestion): ReadonlyMap<string, Grant>
}

/** Resources as quotas count them. */
export function amountOf({ cpuMilli, memoryMib, gpuMilli }: Resources): Amount {
  return { cpuMilli, memoryMib, gpuMilli }
}

export function countOfHoldings(holdings: readonly Holding[]): number {
  return holdings.reduce((sum, own) => sum + own.count, 0)
}
