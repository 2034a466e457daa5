/**
 * What a machine costs an hour: the pool's own override where there is one, else the market's
 * price.
 */
import type { CapacityType, Offering } from '../../model/machine.ts'
import type { PoolItem } from '../../model/spec-item.ts'

export type PriceBook = {
  readonly offerings: readonly Offering[]
  readonly pools: readonly PoolItem[]
}

export type Place = {
  readonly instanceType: string
  readonly zone: string
  readonly capacityType: CapacityType
  readonly pool: string
}

const books = new WeakMap<readonly Offering[], ReadonlyMap<string, number>>()

/** USD an hour, or undefined where the place is not on the market. */
export function priceOf(book: PriceBook, place: Place): number | undefined {
  const pool = book.pools.find((own) => own.name === place.pool)
  const own = pool?.spec.priceOverrides[place.instanceType]
  return own ?? indexOf(book.offerings).get(offeringKey(place))
}

export function offeringKey(place: Omit<Place, 'pool'>): string {
  return `${place.instanceType}/${place.zone}/${place.capacityType}`
}

/** The same offerings give the same index, so it is built once for a list and kept with it. */
function indexOf(offerings: readonly Offering[]): ReadonlyMap<string, number> {
  const known = books.get(offerings)
  if (known !== undefined) return known
  const index = new Map(offerings.map((own) => [offeringKey(own), own.priceUsdPerHour]))
  books.set(offerings, index)
  return index
}
