/**
 * What may be bought right now: every (pool, type, zone, capacity type) on the market, less the
 * places that EC2 said are empty, and for each demand the part of that which would do.
 *
 * When nothing would do, the person who asked needs to know why, pool by pool; the same tests that
 * filter the offers say so (`whyNothingFits`).
 */
import { typesByName } from '../../catalog/catalog.ts'
import { onceFor, remembered } from '../../base/remembered.ts'
import { parseMib, type Resources } from '../../model/quantities.ts'
import type { InstanceType, Offering } from '../../model/machine.ts'
import type { PoolItem } from '../../model/spec-item.ts'
import type { Reason } from '../../model/status.ts'
import type { PoolSpec } from '../../model/pool.ts'
import type { WorkloadSpec } from '../../model/workload.ts'
import { poolsFor, untolerated, type Demand } from '../demand.ts'
import { allocatableDiskMib } from '../../catalog/allocatable.ts'
import { deviceFit } from '../place/devices.ts'
import type { Snapshot } from '../snapshot.ts'
import { poolsWithoutContainers } from './pool-runtimes.ts'
import { isClosed, isShortOf, isShortOfType } from './shortage.ts'
import { priceOf } from './prices.ts'

export type Offer = {
  readonly pool: PoolItem
  readonly type: InstanceType
  readonly zone: string
  readonly capacityType: 'spot' | 'on-demand'
  readonly priceUsdPerHour: number
  /** False where its machines are known to have no container engine. */
  readonly runsContainers: boolean
}

/** The whole machine, as limits count it: what the operating system takes is paid for too. */
export function shapeOf({ type }: Pick<Offer, 'type'>): Resources {
  return {
    cpuMilli: type.vcpu * 1000,
    memoryMib: type.memoryMib,
    gpuMilli: type.gpuCount * 1000,
    diskMib: 0,
  }
}

/** True when the pool's `instances` let it buy the type. */
export function poolTakes(pool: PoolSpec, type: InstanceType): boolean {
  const wanted = pool.instances
  const minMib = wanted.minMemory === undefined ? 0 : (parseMib(wanted.minMemory) ?? 0)
  const maxMib = wanted.maxMemory === undefined ? Infinity : (parseMib(wanted.maxMemory) ?? 0)
  return (
    (wanted.families?.includes(type.family) ?? true) &&
    (wanted.types?.includes(type.name) ?? true) &&
    (wanted.architectures?.includes(type.architecture) ?? true) &&
    (wanted.gpuModels === undefined || wanted.gpuModels.includes(type.gpuModel ?? '')) &&
    type.vcpu >= (wanted.minVcpu ?? 0) &&
    type.vcpu <= (wanted.maxVcpu ?? Infinity) &&
    type.memoryMib >= minMib &&
    type.memoryMib <= maxMib
  )
}

/** The type as the pool's machines are: with the disk that it buys them. */
export function typeIn({ spec }: Pick<PoolItem, 'spec'>, type: InstanceType): InstanceType {
  const { rootVolumeGiB } = spec.launch
  if (rootVolumeGiB === undefined) return type
  const diskMib = allocatableDiskMib(rootVolumeGiB)
  return { ...type, allocatable: { ...type.allocatable, diskMib } }
}

/** Every offer of every pool, shortages left out. */
export function offersOf(snapshot: Snapshot): readonly Offer[] {
  const { catalog, offerings, pools, shortages, nowMs } = snapshot
  const without = poolsWithoutContainers(snapshot)
  const short = shortages.filter((own) => isClosed(own, nowMs))
  const isShort = ({ type, zone, capacityType }: Offer): boolean =>
    short.some((own) => isShortOf(own, { instanceType: type.name, zone, capacityType }))
  return pools
    .filter((own) => own.deletedAtMs === undefined)
    .flatMap((pool) => offersOfPool(catalog)(offerings)(pool))
    .filter((own) => short.length === 0 || !isShort(own))
    .map((own) => (without.has(own.pool.name) ? { ...own, runsContainers: false } : own))
}

/** All that the market has for a pool. */
const offersOfPool = remembered((catalog: readonly InstanceType[]) =>
  remembered((offerings: readonly Offering[]) =>
    remembered((pool: PoolItem): readonly Offer[] => {
      const { spec } = pool
      const taken = typesByName(takenTypes(catalog)(pool).map((type) => typeIn(pool, type)))
      const book = { pools: [pool], offerings }
      return offerings.flatMap((offering): Offer[] => {
        const { instanceType, zone, capacityType } = offering
        const type = taken.get(instanceType)
        if (type === undefined || !spec.capacityTypes.includes(capacityType)) return []
        if (!(spec.zones?.includes(zone) ?? true)) return []
        const price = priceOf(book, { ...offering, pool: pool.name })
        const priceUsdPerHour = price ?? offering.priceUsdPerHour
        return [{ pool, type, zone, capacityType, priceUsdPerHour, runsContainers: true }]
      })
    }),
  ),
)

/** What of a demand decides which machines it may run on. */
export type Asks = Pick<Demand, 'need' | 'capacity'> & {
  readonly target: Pick<Demand['target'], 'workload' | 'template'>
}

/** Equal for those who may run on the same machines. */
export function asksKey({ need, capacity, target }: Asks): string {
  const { team, tolerations, placement } = target.workload.spec
  const { pools, zones, architectures, instanceFamilies, gpuModels } = placement
  const isContainer = target.template.image !== undefined
  const where = [pools, zones, architectures, instanceFamilies, gpuModels, isContainer]
  return JSON.stringify([need, capacity, team, tolerations, ...where])
}

/**
 * The test for the demand's offers: true where one replica may run, alone on its machine. Made for
 * one list of them, because pools and types are looked at once.
 */
export function makeOfferTest(demand: Asks): (offer: Offer) => boolean {
  const { workload, template } = demand.target
  const { spec } = workload
  const holds = onceFor((type: InstanceType) => typeSuits(type, demand))
  const open = onceFor((pool: PoolItem) => poolSuits(pool, spec))
  return ({ pool, type, zone, capacityType, runsContainers }) =>
    (template.image === undefined || runsContainers) &&
    (demand.capacity === 'any' || demand.capacity === capacityType) &&
    (spec.placement.zones?.includes(zone) ?? true) &&
    open(pool) &&
    holds(type)
}

function poolSuits(pool: PoolItem, spec: WorkloadSpec): boolean {
  return (
    (spec.placement.pools?.includes(pool.name) ?? true) &&
    untolerated(pool.spec, spec) === undefined
  )
}

/** True when the type is of a sort the workload takes and holds one replica of it. */
export function typeSuits(type: InstanceType, demand: Asks): boolean {
  const { placement } = demand.target.workload.spec
  return (
    (placement.architectures?.includes(type.architecture) ?? true) &&
    (placement.instanceFamilies?.includes(type.family) ?? true) &&
    (placement.gpuModels?.includes(type.gpuModel ?? '') ?? true) &&
    holdsOne(type, demand)
  )
}

function holdsOne(type: InstanceType, { need }: Asks): boolean {
  return (
    need.cpuMilli <= type.allocatable.cpuMilli &&
    need.memoryMib <= type.allocatable.memoryMib &&
    need.diskMib <= type.allocatable.diskMib &&
    deviceFit(Array<number>(type.gpuCount).fill(1000), need.gpuMilli) > 0
  )
}

/** Why no machine on the market would do, pool by pool. */
export function whyNothingFits(demand: Asks, snapshot: Snapshot): readonly Reason[] {
  const { spec } = demand.target.workload
  const pools = poolsFor(snapshot.pools, spec)
  if (pools.length === 0) {
    const named = spec.placement.pools?.join(', ')
    const text = named === undefined ? 'there is no pool; apply one' : `there is no pool ${named}`
    return [{ code: 'NoPool', text }]
  }
  return pools.map(({ pool, taint }) => {
    if (taint === undefined) return whyNotPool(demand, pool, snapshot)
    return { code: 'Tainted', text: `pool ${pool.name} has the taint ${taint}` }
  })
}

function noContainers({ name }: PoolItem): Reason {
  const text = `machines of pool ${name} report no container runtime; boot an image that has one`
  return { code: 'NoContainerRuntime', text }
}

/** The types of a catalogue that a pool's `instances` let it buy. */
const takenTypes = remembered((catalog: readonly InstanceType[]) =>
  remembered(({ spec }: PoolItem) => catalog.filter((type) => poolTakes(spec, type))),
)

function whyNotPool(demand: Asks, pool: PoolItem, snapshot: Snapshot): Reason {
  const types = takenTypes(snapshot.catalog)(pool).map((type) => typeIn(pool, type))
  if (types.length === 0) {
    return { code: 'NoTypes', text: `pool ${pool.name} allows no known instance type` }
  }
  if (
    demand.target.template.image !== undefined &&
    poolsWithoutContainers(snapshot).has(pool.name)
  ) {
    return noContainers(pool)
  }
  const tooLarge = whyTooLarge(demand, pool, types)
  if (tooLarge !== undefined) return tooLarge
  if (!types.some((type) => typeSuits(type, demand))) {
    const what = 'architectures, families or GPU models asked for'
    const text = `pool ${pool.name} has no type of the ${what}`
    return { code: 'NoMatchingType', text }
  }
  if (demand.capacity !== 'any' && !pool.spec.capacityTypes.includes(demand.capacity)) {
    return { code: 'NoCapacityType', text: `pool ${pool.name} buys no ${demand.capacity} machines` }
  }
  const zones = demand.target.workload.spec.placement.zones
  const sold = snapshot.offerings.filter(
    (own) =>
      (pool.spec.zones?.includes(own.zone) ?? true) &&
      (zones?.includes(own.zone) ?? true) &&
      types.some((type) => type.name === own.instanceType),
  )
  if (sold.length === 0) {
    const where = zones === undefined && pool.spec.zones === undefined ? 'here' : 'in those zones'
    return { code: 'NoZone', text: `EC2 sells none of pool ${pool.name}'s types ${where}` }
  }
  const other = snapshot.shortages.find(
    (own) =>
      isClosed(own, snapshot.nowMs) &&
      own.code !== 'InsufficientInstanceCapacity' &&
      (demand.capacity === 'any' || own.capacityType === demand.capacity) &&
      types.some((type) => typeSuits(type, demand) && isShortOfType(own, type.name)),
  )
  if (other !== undefined) {
    return { code: other.code, text: `EC2 refuses pool ${pool.name}: ${other.text}` }
  }
  const text = `EC2 has no capacity left for any type in pool ${pool.name} that would do`
  return { code: 'Shortage', text }
}

function whyTooLarge(
  { need }: Asks,
  pool: PoolItem,
  types: readonly InstanceType[],
): Reason | undefined {
  const largest = (of: (type: InstanceType) => number): number => Math.max(...types.map(of))
  const gpus = largest((type) => type.gpuCount)
  const cpuMilli = largest((type) => type.allocatable.cpuMilli)
  const memoryMib = largest((type) => type.allocatable.memoryMib)
  const diskMib = largest((type) => type.allocatable.diskMib)
  const what = (needs: string, has: string): Reason => ({
    code: 'TooLarge',
    text: `needs ${needs}; the largest type in pool ${pool.name} has ${has}`,
  })
  if (need.gpuMilli > gpus * 1000) {
    const count = need.gpuMilli / 1000
    return what(`${String(count)} GPU${count === 1 ? '' : 's'}`, gpus === 0 ? 'none' : String(gpus))
  }
  if (need.cpuMilli > cpuMilli) {
    return what(`${String(need.cpuMilli / 1000)} CPUs`, `${String(cpuMilli / 1000)} allocatable`)
  }
  if (need.memoryMib > memoryMib) {
    return what(`${String(need.memoryMib)} MiB`, `${String(memoryMib)} MiB allocatable`)
  }
  return need.diskMib > diskMib
    ? what(`${String(need.diskMib)} MiB of disk`, `${String(diskMib)} MiB allocatable`)
    : undefined
}
