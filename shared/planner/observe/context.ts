/**
 * What every part of `observe` works with: what was read, and the books of who is given up.
 */
import type { BrakeBook } from '../brake.ts'
import type { Snapshot } from '../snapshot.ts'

export type ObserveContext = {
  readonly snapshot: Snapshot
  readonly brakes: BrakeBook
}
