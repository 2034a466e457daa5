/**
 * Whether the world could still sell a machine for a workload, inside its pools' limits.
 *
 * The world knows what every place has left and asks; drover only remembers. Asked only once the
 * faults are over, to tell "there is nothing to be had" from "nobody looked".
 */
import { catalog, typeByName } from '#shared/catalog/catalog.ts'
import { DEFAULT_ZONES } from '#shared/catalog/zones.ts'
import type { InstanceType } from '#shared/model/machine.ts'
import type { PoolItem, WorkloadItem } from '#shared/model/spec-item.ts'
import type { WorkloadSpec } from '#shared/model/workload.ts'
import type { Place } from '#shared/cloud/memory-ec2/types.ts'
import { kindOf } from './items.ts'
import { chargeOf, limitsOf, needOf, plus, shapeOfType, ZERO, type Amount } from './needs.ts'
import { times } from './quotas.ts'
import type { RunningNow } from './replicas-now.ts'
import type { Knowledge } from './rule.ts'
import { holdsOne, poolBuys, whyNotMachine, whyNotPool } from './suits.ts'

type Sold = Place & { readonly type: InstanceType; readonly priceUsdPerHour: number }

export type Wanted = {
  readonly capacityType?: 'spot' | 'on-demand'
  /** Only there. */
  readonly zones?: ReadonlySet<string>
  /** Not there. */
  readonly isClosed?: (place: Place) => boolean
  /** So many replicas, all of them of one place; one where it is left out. */
  readonly count?: number
}

export type Buyable = {
  /** A pool and place where one more machine for the workload can be had, in words. */
  where(spec: WorkloadSpec, wanted?: Wanted): string | undefined
}

/** What can be had just now; to be asked anew once time has passed. */
export function makeBuyable({ truth, books }: Knowledge): Buyable {
  let market: readonly Sold[] | undefined
  const uses = new Map<string, Amount & { usdPerHour: number }>()
  const useOf = (pool: string): Amount & { usdPerHour: number } => {
    const known = uses.get(pool)
    if (known !== undefined) return known
    let sum = { ...ZERO, usdPerHour: 0 }
    for (const node of books.nodesOfPool(pool)) {
      const charge = chargeOf(node)
      sum = { ...plus(sum, charge), usdPerHour: sum.usdPerHour + charge.usdPerHour }
    }
    uses.set(pool, sum)
    return sum
  }
  const isInside = (pool: PoolItem, { type, priceUsdPerHour }: Sold, machines: number): boolean => {
    const [use, limits] = [useOf(pool.name), limitsOf(pool)]
    const sum = plus(use, times(shapeOfType(type.name) ?? ZERO, machines))
    const price = pool.spec.priceOverrides[type.name] ?? priceUsdPerHour
    return (
      sum.cpuMilli <= limits.cpuMilli &&
      sum.memoryMib <= limits.memoryMib &&
      sum.gpuMilli <= limits.gpuMilli &&
      use.usdPerHour + price * machines <= limits.usdPerHour
    )
  }
  return {
    where: (spec, { capacityType, zones, isClosed, count = 1 } = {}) => {
      market ??= soldNow(truth)
      for (const pool of books.pools.values()) {
        if (pool.deletedAtMs !== undefined) continue
        if (whyNotPool(spec, pool.name, pool.spec) !== undefined) continue
        const found = market.find(
          (own) =>
            (capacityType ?? own.capacityType) === own.capacityType &&
            pool.spec.capacityTypes.includes(own.capacityType) &&
            (pool.spec.zones?.includes(own.zone) ?? true) &&
            (zones?.has(own.zone) ?? true) &&
            !(isClosed?.(own) ?? false) &&
            poolBuys(pool.spec, own.type) &&
            whyNotMachine(spec, { ...own, ...sortOf(own.type) }) === undefined &&
            holdsOne(own.type, spec) &&
            truth.capacityLeft(own) >= machinesFor(count, own.type, spec) &&
            isInside(pool, own, machinesFor(count, own.type, spec)),
        )
        if (found === undefined) continue
        return `${found.type.name}/${found.zone}/${found.capacityType} for pool ${pool.name}`
      }
      return undefined
    },
  }
}

/** Who must stay in one zone can only be served there. */
export function zonesOpenTo({ spec }: WorkloadItem, running: readonly RunningNow[]): Wanted {
  const { affinity } = spec.placement
  const by = typeof affinity === 'object' ? affinity.by : affinity
  const zones = new Set(running.map((own) => own.zone))
  return by === undefined || zones.size === 0 ? {} : { zones }
}

/** Machines of the type that are enough for so many replicas. */
function machinesFor(count: number, type: InstanceType, spec: WorkloadSpec): number {
  const [room, need] = [type.allocatable, needOf(spec)]
  const each = Math.min(
    room.cpuMilli / need.cpuMilli,
    room.memoryMib / need.memoryMib,
    need.diskMib === 0 ? Infinity : room.diskMib / need.diskMib,
    // A part of a device is counted as a whole one: parts need not fit together.
    need.gpuMilli === 0 ? Infinity : type.gpuCount / Math.ceil(need.gpuMilli / 1000),
  )
  return Math.ceil(count / Math.max(1, Math.floor(each)))
}

const sortOf = ({ architecture, family, gpuModel }: InstanceType) => ({
  architecture,
  family,
  ...(gpuModel === undefined ? {} : { gpuModel }),
})

/** Places with capacity, among the types and zones that the market's items name. */
function soldNow(truth: Knowledge['truth']): readonly Sold[] {
  const markets = truth.items().filter((item) => kindOf(item) === 'market' && 'prices' in item)
  const named = markets.flatMap((item) => Object.keys(item['prices'] as object))
  const zones = markets.length === 0 ? DEFAULT_ZONES : markets.map((item) => String(item['zone']))
  const types =
    named.length === 0 ? catalog : [...new Set(named)].flatMap((name) => typeByName.get(name) ?? [])
  const found: Sold[] = []
  for (const type of types) {
    for (const zone of zones) {
      for (const capacityType of ['spot', 'on-demand'] as const) {
        const place = { instanceType: type.name, zone, capacityType }
        const priceUsdPerHour = truth.priceUsdPerHour(place)
        if (priceUsdPerHour === undefined || truth.capacityLeft(place) < 1) continue
        found.push({ ...place, type, priceUsdPerHour })
      }
    }
  }
  return found
}
