/**
 * Finds places for the replicas that have none: on the nodes there are, or else on machines to buy,
 * or else where others give way.
 *
 * Most passes have nobody to place. Then there is nothing to look at, neither the room on every
 * node nor the market.
 */
import type { Shortage } from '../model/facts.ts'
import type { Action, Refusal } from './actions.ts'
import { makeBoard } from './board.ts'
import type { BrakeBook } from './brake.ts'
import type { ClaimDraft } from './claims.ts'
import { demandsOf, type Demand } from './demand.ts'
import type { Draft } from './fold.ts'
import type { IdMaker } from './ids.ts'
import { launchAll } from './launch-claims.ts'
import { offersOf } from './offers.ts'
import type { Want } from './fill.ts'
import { place, type Placing } from './place.ts'
import { openWeigh } from './place-history.ts'
import { openPoolBook } from './pool-limits.ts'
import type { ProvisionContext } from './provision-context.ts'
import { provision } from './provision.ts'
import { preempt, type PreemptContext, type Reclaim } from './preempt.ts'
import { refusalOf } from './refusals.ts'
import { serveReserved, type Reserved } from './reserved.ts'
import type { Snapshot } from './snapshot.ts'
import type { Target } from './target.ts'
import { wantsOf, type WantContext } from './wants.ts'

export type Supply = {
  readonly actions: readonly Action[]
  readonly refusals: readonly Refusal[]
  /** Nodes that something is planned for, bought ones too. */
  readonly used: ReadonlySet<string>
  /** By workload uid: replicas that wait for a node which is on its way. */
  readonly coming: ReadonlyMap<string, number>
  /** Pools at whose limit somebody waits. */
  readonly blocked: ReadonlySet<string>
  readonly reclaim: Reclaim
}

export type SupplyContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly targets: readonly Target[]
  /** Shortages that this very pass has found. */
  readonly shortages: readonly Shortage[]
  readonly brakes: BrakeBook
  readonly ids: IdMaker
}

export function supply(context: SupplyContext): Supply {
  const { snapshot, draft, brakes, ids } = context
  const demands = demandsOf(context.targets)
  if (demands.length === 0) return NOBODY_WAITS
  const board = makeBoard(snapshot, draft, demands)
  const shortages = [...snapshot.shortages, ...context.shortages]
  const offers = offersOf({ ...snapshot, shortages })
  const limits = openPoolBook(snapshot, draft, brakes.onTrial())
  const { reserved, rounds } = findPlaces(demands, {
    ...{ snapshot, board, offers, limits, ids },
    weigh: openWeigh(shortages, snapshot.nowMs),
  })
  const launches = launchAll(
    rounds.flatMap((own) => own.claims),
    ids,
  )
  const waiting = rounds.flatMap((own) => waitingOf(own.buying))
  const made = preempt({ ...context, board, waiting, kept: reserved.kept })
  const placed = [reserved, ...rounds.map((own) => own.placed)]
  return {
    actions: [...placed.flatMap((own) => own.actions), ...launches.actions, ...made.actions],
    refusals: waiting
      .filter(({ want }) => want.left > 0)
      .map(({ want, refusal }) => {
        const why = made.reasons.get(want) ?? []
        const reasons = [...refusal.reasons, ...[why].flat()]
        return { ...refusal, reasons, count: want.left, isEntitled: !want.demand.isBorrowed }
      }),
    used: new Set([...placed.flatMap((own) => [...own.used]), ...launches.bought, ...made.used]),
    coming: sum([...rounds.map((own) => own.placed.coming), launches.coming]),
    blocked: limits.blocked,
    reclaim: { ...made, reservations: merge(reserved.kept, made.reservations) },
  }
}

type Round = {
  readonly placed: Placing
  readonly claims: readonly ClaimDraft[]
  readonly buying: ProvisionContext
}

/**
 * Round by round, until one finds nothing. What a round has placed and bought may fill a zone or
 * carry a pool to its limit, and then those that are left may go where they might not before.
 */
function findPlaces(
  demands: readonly Demand[],
  context: WantContext & Pick<ProvisionContext, 'limits' | 'ids' | 'weigh'>,
): { readonly reserved: Reserved; readonly rounds: readonly Round[] } {
  const rounds: Round[] = []
  let reserved = NOTHING_RESERVED
  const claims: ClaimDraft[] = []
  let waiting = demands
  while (waiting.length > 0) {
    const buying = { ...context, ...wantsOf(waiting, context) }
    const before = claims.length
    const { nowMs, workloadStatuses } = context.snapshot
    if (rounds.length === 0) reserved = serveReserved({ ...buying, nowMs }, workloadStatuses)
    const placed = place({ ...buying, nowMs })
    provision(buying, claims)
    rounds.push({ placed, claims: claims.slice(before), buying })
    if (placed.used.size === 0 && claims.length === before) break
    waiting = buying.wants.flatMap(takeLeft)
  }
  return { reserved, rounds }
}

/** What is left of the want, for the next round to find a place for. */
function takeLeft(want: Want): readonly Demand[] {
  const count = want.left
  want.left = 0
  return count === 0 ? [] : [{ ...want.demand, count }]
}

function waitingOf(buying: ProvisionContext): PreemptContext['waiting'] {
  return buying.wants
    .filter((want) => want.left > 0)
    .map((want) => ({ want, refusal: refusalOf(want, buying) }))
}

const NOBODY_WAITS: Supply = {
  actions: [],
  refusals: [],
  used: new Set(),
  coming: new Map(),
  blocked: new Set(),
  reclaim: { borrowers: new Map(), reservations: new Map() },
}

const NOTHING_RESERVED: Reserved = {
  ...{ actions: [], used: new Set(), kept: new Map() },
}

function merge<T>(
  a: ReadonlyMap<string, readonly T[]>,
  b: ReadonlyMap<string, readonly T[]>,
): ReadonlyMap<string, readonly T[]> {
  const merged = new Map(a)
  for (const [key, values] of b) merged.set(key, [...(merged.get(key) ?? []), ...values])
  return merged
}

function sum(counts: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const total = new Map<string, number>()
  for (const [key, count] of counts.flatMap((own) => [...own])) {
    total.set(key, (total.get(key) ?? 0) + count)
  }
  return total
}
