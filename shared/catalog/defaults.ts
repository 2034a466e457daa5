/**
 * The market before anybody has asked EC2: every type in every zone, both ways to buy.
 */
import type { Offering } from '../model/machine.ts'
import { catalog } from './catalog.ts'
import { interruptionBucketOf, spotPriceUsdPerHour } from './spot.ts'

export type DefaultMarket = {
  readonly zones: readonly string[]
  readonly atMs: number
  readonly seed: number
}

/** In order of type, then of zone as given; on-demand before spot. */
export function defaultOfferings({ zones, atMs, seed }: DefaultMarket): readonly Offering[] {
  return catalog.flatMap((type) =>
    zones.flatMap((zone): Offering[] => [
      {
        instanceType: type.name,
        zone,
        capacityType: 'on-demand',
        priceUsdPerHour: type.onDemandUsdPerHour,
      },
      {
        instanceType: type.name,
        zone,
        capacityType: 'spot',
        priceUsdPerHour: spotPriceUsdPerHour({ type: type.name, zone, atMs, seed }),
        interruptionBucket: interruptionBucketOf(type.name),
      },
    ]),
  )
}
