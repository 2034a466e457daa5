/**
 * What buying works with: the wants, what may be bought for each, and the books it is charged to.
 */
import type { Board } from '../place/board.ts'
import type { Want } from '../place/fill.ts'
import type { IdMaker } from '../ids.ts'
import type { Snapshot } from '../snapshot.ts'
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
  readonly ids: IdMaker
}
