/**
 * What buying works with: the wants, what may be bought for each, and the books it is charged to.
 */
import type { RepackLaunch } from '../../model/repack.ts'
import type { Demand } from '../demand.ts'
import type { Board } from '../place/board.ts'
import type { Want } from '../place/fill.ts'
import type { IdMaker } from '../ids.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Penalty } from './failure-penalty.ts'
import type { Offer } from './offers.ts'
import type { Weigh } from './place-history.ts'
import type { PoolBook } from './pool-limits.ts'

export type ProvisionContext = {
  readonly snapshot: Snapshot
  readonly board: Board
  readonly wants: readonly Want[]
  /** For each want, the offers that suit it. */
  readonly offersFor: ReadonlyMap<Want, readonly Offer[]>
  readonly limits: PoolBook
  readonly weigh: Weigh
  readonly penalty: Penalty
  readonly ids: IdMaker
  readonly worthOf?: WorthOf | undefined
  /** What is bought before anything else, each once; whatever is bought goes off this list. */
  readonly proposed?: RepackLaunch[] | undefined
}

/**
 * What one replica costs in the cheapest fleet, USD an hour, where that has been found: it says
 * better than its price alone which machines to buy for several.
 */
export type WorthOf = (demand: Demand) => number | undefined
