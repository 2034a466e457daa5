/**
 * What can be bought now: the market's items where there are any, the shipped defaults elsewhere.
 *
 * A zone that EC2 has told of is wholly EC2's: a type without a price there is not sold there,
 * whatever the catalogue believes. A zone it has not told of keeps its defaults, so a new
 * installation can plan.
 */
import { byKey, byText } from '../base/order.ts'
import type { Market } from '../model/facts.ts'
import type { InstanceType, Offering } from '../model/machine.ts'
import { catalog as shipped, typeByName } from './catalog.ts'
import { interruptionBucketOf } from './spot.ts'

export type OfferingSources = {
  /** Types that may be bought; a price for any other is ignored, for its shape is not known. */
  readonly catalog: readonly InstanceType[]
  readonly markets: readonly Market[]
  /** Used for the zones that no market item covers, and for the catalogue's types alone. */
  readonly defaults?: readonly Offering[]
  /** USD an hour by type that beat every market's price, as a pool's `priceOverrides` do. */
  readonly overrides?: Readonly<Record<string, number>>
}

/** The shipped catalogue and the shapes that `market` found besides, in order of name. */
export function catalogWith(shapes: readonly InstanceType[]): readonly InstanceType[] {
  const added = shapes.filter((own) => !typeByName.has(own.name))
  if (added.length === 0) return shipped
  return [...shipped, ...added].toSorted(byKey((own) => own.name))
}

/** In order of zone, then of type; the defaults follow as given. On-demand before spot. */
export function offeringsOf(sources: OfferingSources): readonly Offering[] {
  const { catalog, markets, defaults = [], overrides = {} } = sources
  const known = new Set(catalog.map((type) => type.name))
  const marketByZone = new Map(markets.map((market) => [market.zone, market]))
  const fromMarkets = [...marketByZone.keys()]
    .toSorted(byText)
    .flatMap((zone) => offeringsIn(marketByZone.get(zone)))
  const fromDefaults = defaults.filter((own) => !marketByZone.has(own.zone))
  return [...fromMarkets, ...fromDefaults]
    .filter((own) => known.has(own.instanceType))
    .map((own) => {
      const override = overrides[own.instanceType]
      return override === undefined ? own : { ...own, priceUsdPerHour: override }
    })
}

function offeringsIn(market: Market | undefined): readonly Offering[] {
  if (market === undefined) return []
  const { zone, prices } = market
  return Object.keys(prices)
    .toSorted(byText)
    .flatMap((instanceType) => {
      const own = prices[instanceType] ?? {}
      const place = { instanceType, zone }
      const offerings: Offering[] = []
      if (own.onDemand !== undefined) {
        offerings.push({ ...place, capacityType: 'on-demand', priceUsdPerHour: own.onDemand })
      }
      if (own.spot !== undefined) {
        offerings.push({
          ...place,
          capacityType: 'spot',
          priceUsdPerHour: own.spot,
          ...interruptionOf(instanceType),
        })
      }
      return offerings
    })
}

/** The advisor's bucket, for the types that the shipped catalogue knows. */
function interruptionOf(instanceType: string): { interruptionBucket?: number } {
  if (!typeByName.has(instanceType)) return {}
  return { interruptionBucket: interruptionBucketOf(instanceType) }
}
