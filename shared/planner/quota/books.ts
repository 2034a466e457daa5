/**
 * The books of a policy at work: what is left of each team's guarantee, and who was granted what.
 */
import { must } from '../../base/assert.ts'
import { byKey, descending, inOrder } from '../../base/order.ts'
import {
  countOfHoldings,
  DIMENSIONS,
  type Amount,
  type Ask,
  type Dimension,
  type Grant,
  type Holding,
  type QuotaQuestion,
  type Share,
} from './policy.ts'

export type Account = {
  readonly share: Share
  /** Of the guarantee; below zero where a quota was lowered under what runs. */
  readonly left: Record<Dimension, number>
}

export type Books = {
  /** Dimensions that some quota names: nothing else is counted. */
  readonly governed: readonly Dimension[]
  readonly accounts: readonly Account[]
  /** That of the ask's team; an empty one where it has none, or none that is known. */
  accountOf(ask: Ask): Account
  /** Adds to the grant of the part's ask and takes it off the account. */
  guarantee(part: Part, count: number): void
  /** Adds to the grant of the part's ask and takes nothing off. */
  lend(part: Part, count: number): void
  readonly grants: ReadonlyMap<string, Grant>
}

/**
 * A part of an ask, as equal pieces: replicas that it has and may keep whatever happens, others
 * that it has, what some of those need more as the spec stands now, and replicas it has not yet.
 */
export type Part = {
  readonly ask: Ask
  readonly kind: 'firm' | 'loose' | 'growth' | 'more'
  /** Of one piece. */
  readonly need: Amount
  readonly count: number
  /** Replicas in one piece; one where it is not said. */
  readonly size?: number
}

const NOBODYS: Amount = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0 }
const NO_GRANT: Grant = { guaranteed: 0, borrowed: 0, grown: 0, grownOnLoan: 0 }

export function openBooks({ shares, asks }: QuotaQuestion): Books {
  const governed = governedBy(shares)
  const accounts = shares.map((share): Account => ({ share, left: { ...share.guarantee } }))
  const byTeam = new Map(accounts.map((own) => [own.share.team, own]))
  const nobodys: Account = {
    share: { team: '', guarantee: NOBODYS, lend: NOBODYS, weight: 1, mayBorrow: true, debt: 0 },
    left: { ...NOBODYS },
  }
  const grants = new Map(asks.map((own) => [own.uid, NO_GRANT]))
  const accountOf = ({ team }: Ask): Account => byTeam.get(team ?? '') ?? nobodys
  const add = ({ uid }: Ask, key: keyof Grant, count: number): void => {
    const known = must(grants.get(uid), 'the grant of an ask')
    grants.set(uid, { ...known, [key]: known[key] + count })
  }
  return {
    ...{ governed, accounts, grants, accountOf },
    guarantee: ({ ask, kind, need, size = 1 }, count) => {
      const { left } = accountOf(ask)
      for (const own of governed) left[own] -= count * need[own]
      add(ask, kind === 'growth' ? 'grown' : 'guaranteed', count * size)
    },
    lend: ({ ask, kind, size = 1 }, count) => {
      add(ask, kind === 'growth' ? 'grownOnLoan' : 'borrowed', count * size)
    },
  }
}

/** Dimensions that some quota names. */
export function governedBy(shares: readonly Share[]): readonly Dimension[] {
  return DIMENSIONS.filter((own) => shares.some((share) => share.guarantee[own] !== Infinity))
}

/** All that is guaranteed to anybody, where it is counted. */
export function totalOf(shares: readonly Share[], own: Dimension): number {
  const amounts = shares.map((share) => share.guarantee[own])
  return amounts.reduce((sum, amount) => sum + (amount === Infinity ? 0 : amount), 0)
}

/** The largest part of all guarantees that such an amount is. */
export function partOfAll(amount: Amount, shares: readonly Share[]): number {
  const parts = governedBy(shares).map((own) => amount[own] / Math.max(1, totalOf(shares, own)))
  return Math.max(0, ...parts)
}

/** Pieces that fit into the amount, counted in the governed dimensions alone. */
export function fitting(
  need: Amount,
  room: Readonly<Record<Dimension, number>>,
  governed: readonly Dimension[],
): number {
  let count = Infinity
  for (const own of governed) {
    if (need[own] > 0) count = Math.min(count, Math.floor(room[own] / need[own]))
  }
  return Math.max(0, count)
}

/**
 * Who comes first: the more important, then what can only run by right, then what runs already and
 * what it needs more by now, then the oldest.
 */
export function partsOf(asks: readonly Ask[]): readonly Part[] {
  return asks
    .flatMap((ask): Part[] => [
      ...keptOf(ask),
      ...ask.has.map((holding): Part => ({ ask, kind: 'growth', ...growthOf(holding, ask) })),
      { ask, kind: 'more', need: ask.need, count: ask.wanted - countOfHoldings(ask.has) },
    ])
    .filter((own) => own.count > 0)
    .map((own) => (own.ask.asOne === true && own.kind !== 'firm' ? inOnePiece(own) : own))
    .sort(
      inOrder(
        descending(byKey((own) => own.ask.priority)),
        byKey((own) => (own.ask.preemptible ? 1 : 0)),
        byKey((own) => ['firm', 'loose', 'growth', 'more'].indexOf(own.kind)),
        byKey((own) => own.ask.sinceMs),
        byKey((own) => own.ask.uid),
      ),
    )
}

function inOnePiece(part: Part): Part {
  const need = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0 }
  for (const own of DIMENSIONS) need[own] = part.count * part.need[own]
  return { ...part, need, count: 1, size: part.count }
}

/** The replicas it has, as far as they are wanted. */
function keptOf(ask: Ask): readonly Part[] {
  let [wanted, firm] = [ask.wanted, ask.firm]
  return ask.has.flatMap(({ need, count }): Part[] => {
    const kept = Math.min(count, wanted)
    const fixed = Math.min(kept, firm)
    wanted -= kept
    firm -= fixed
    return [
      { ask, kind: 'firm', need, count: fixed },
      { ask, kind: 'loose', need, count: kept - fixed },
    ]
  })
}

/** What one of the holding needs more by now, and how many do. */
function growthOf({ need, count }: Holding, ask: Ask): Holding {
  const growth = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0 }
  for (const own of DIMENSIONS) growth[own] = Math.max(0, ask.need[own] - need[own])
  const isLarger = DIMENSIONS.some((own) => growth[own] > 0)
  return { need: growth, count: isLarger ? count : 0 }
}

/** What runs and may not be stopped for others counts first, even where a quota was lowered. */
export function guaranteeWhatStays(books: Books, parts: readonly Part[]): readonly Part[] {
  for (const part of parts) if (part.kind === 'firm') books.guarantee(part, part.count)
  return parts.filter((own) => own.kind !== 'firm')
}
