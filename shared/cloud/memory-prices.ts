/**
 * The prices port on the emulated EC2: its shapes and its market of this moment.
 */
import { byText, groupBy } from '../base/order.ts'
import type { MemoryEc2 } from './memory-ec2.ts'
import type { Prices, ZonePrices } from './prices.ts'

export function makeMemoryPrices(world: MemoryEc2): Prices {
  return {
    instanceTypes: () => Promise.resolve(world.options.instanceTypes),
    zones: () => Promise.resolve(zonesOf(world)),
  }
}

function zonesOf(world: MemoryEc2): readonly ZonePrices[] {
  world.settle()
  const byZone = groupBy(world.offerings(), ({ zone }) => zone)
  return [...byZone.keys()].toSorted(byText).map((zone) => {
    const prices: Record<string, { onDemand?: number; spot?: number }> = {}
    for (const offering of byZone.get(zone) ?? []) {
      const price = world.priceUsdPerHour(offering)
      if (price === undefined) continue
      const entry = (prices[offering.instanceType] ??= {})
      if (offering.capacityType === 'spot') entry.spot = price
      else entry.onDemand = price
    }
    return { zone, prices }
  })
}
