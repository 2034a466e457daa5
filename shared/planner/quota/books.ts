/**
 * The books of a policy at work: what is left of each team's guarantee, and who was granted what.
 */
import { must } from '../../base/assert.ts'
import { byKey, descending, inOrder } from '../../base/order.ts'
import {
  DIMENSIONS,
  type Amount,
  type Ask,
  type Dimension,
  type Grant,
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
  grantOf(ask: Ask): Grant
  /** Adds to the ask's grant and takes it off the account. */
  guarantee(ask: Ask, count: number): void
  /** Adds to the ask's grant and takes nothing off. */
  lend(ask: Ask, count: number): void
  readonly grants: ReadonlyMap<string, Grant>
}

const NOBODYS: Amount = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0 }
const NO_GRANT: Grant = { guaranteed: 0, borrowed: 0 }

export function openBooks({ shares, asks }: QuotaQuestion): Books {
  const governed = DIMENSIONS.filter((own) => shares.some((s) => s.guarantee[own] !== Infinity))
  const accounts = shares.map((share): Account => ({ share, left: { ...share.guarantee } }))
  const byTeam = new Map(accounts.map((own) => [own.share.team, own]))
  const nobodys: Account = {
    share: { team: '', guarantee: NOBODYS, lend: NOBODYS, weight: 1, mayBorrow: true },
    left: { ...NOBODYS },
  }
  const grants = new Map(asks.map((own) => [own.uid, NO_GRANT]))
  const grantOf = ({ uid }: Ask): Grant => must(grants.get(uid), 'the grant of an ask')
  const accountOf = ({ team }: Ask): Account => byTeam.get(team ?? '') ?? nobodys
  return {
    ...{ governed, accounts, grants, accountOf, grantOf },
    guarantee: (ask, count) => {
      const { left } = accountOf(ask)
      for (const own of governed) left[own] -= count * ask.need[own]
      const known = grantOf(ask)
      grants.set(ask.uid, { ...known, guaranteed: known.guaranteed + count })
    },
    lend: (ask, count) => {
      const known = grantOf(ask)
      grants.set(ask.uid, { ...known, borrowed: known.borrowed + count })
    },
  }
}

/** Replicas of the ask that fit into the amount, counted in the governed dimensions alone. */
export function fitting(
  { need }: Ask,
  room: Readonly<Record<Dimension, number>>,
  governed: readonly Dimension[],
): number {
  let count = Infinity
  for (const own of governed) {
    if (need[own] > 0) count = Math.min(count, Math.floor(room[own] / need[own]))
  }
  return Math.max(0, count)
}

/** The replicas of an ask that it has, or those it still waits for. */
export type Part = { readonly ask: Ask; readonly count: number; readonly isHeld: boolean }

/**
 * Who comes first: the more important, then what can only run by right, then what runs already,
 * then the oldest.
 */
export function partsOf(asks: readonly Ask[]): readonly Part[] {
  return asks
    .flatMap((ask): Part[] => [
      { ask, count: Math.min(ask.held, ask.wanted), isHeld: true },
      { ask, count: Math.max(0, ask.wanted - ask.held), isHeld: false },
    ])
    .filter((own) => own.count > 0)
    .sort(
      inOrder(
        descending(byKey((own) => own.ask.priority)),
        byKey((own) => (own.ask.preemptible ? 1 : 0)),
        byKey((own) => (own.isHeld ? 0 : 1)),
        byKey((own) => own.ask.sinceMs),
        byKey((own) => own.ask.uid),
      ),
    )
}

/** What runs and may not be stopped for others counts first, even where a quota was lowered. */
export function guaranteeWhatStays(books: Books, parts: readonly Part[]): readonly Part[] {
  const stays = ({ ask, isHeld }: Part): boolean => isHeld && !ask.preemptible
  for (const { ask, count } of parts.filter(stays)) books.guarantee(ask, count)
  return parts.filter((own) => !stays(own))
}
