/**
 * Finds places for the replicas that have none: on the nodes there are, or else on machines to buy.
 *
 * Most passes have nobody to place. Then there is nothing to look at, neither the room on every
 * node nor the market.
 */
import type { Shortage } from '../model/facts.ts'
import type { Action, Refusal } from './actions.ts'
import { makeBoard } from './board.ts'
import type { BrakeBook } from './brake.ts'
import { demandsOf } from './demand.ts'
import type { Draft } from './fold.ts'
import type { IdMaker } from './ids.ts'
import { offersOf } from './offers.ts'
import { place } from './place.ts'
import { openPoolBook } from './pool-limits.ts'
import { provision } from './provision.ts'
import type { Snapshot } from './snapshot.ts'
import type { Target } from './target.ts'
import { wantsOf } from './wants.ts'

export type Supply = {
  readonly actions: readonly Action[]
  readonly refusals: readonly Refusal[]
  /** Nodes that something is planned for, bought ones too. */
  readonly used: ReadonlySet<string>
  /** By workload uid: replicas that wait for a node which is on its way. */
  readonly coming: ReadonlyMap<string, number>
  /** Pools at whose limit somebody waits. */
  readonly blocked: ReadonlySet<string>
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
  const { wants, offersFor } = wantsOf(demands, { snapshot, board, offers, limits })
  const placed = place({ board, wants, ids, nowMs: snapshot.nowMs })
  const bought = provision({ snapshot, board, wants, offersFor, limits, ids })
  return {
    actions: [...placed.actions, ...bought.actions],
    refusals: bought.refusals,
    used: new Set([...placed.used, ...bought.bought]),
    coming: sum(placed.coming, bought.coming),
    blocked: limits.blocked,
  }
}

const NOBODY_WAITS: Supply = {
  actions: [],
  refusals: [],
  used: new Set(),
  coming: new Map(),
  blocked: new Set(),
}

function sum(
  a: ReadonlyMap<string, number>,
  b: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const total = new Map(a)
  for (const [key, count] of b) total.set(key, (total.get(key) ?? 0) + count)
  return total
}
