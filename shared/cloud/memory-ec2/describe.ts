/**
 * The describing calls: filters, pages, and what EC2 does not show yet.
 *
 * A fresh instance is unknown for a moment, to lists and by id alike: that is how EC2's eventual
 * consistency reaches its callers. Naming one unknown id fails a whole call; filtering by it does
 * not.
 */
import { byKey } from '../../base/order.ts'
import type { InstanceType } from '../../model/machine.ts'
import { priceAt, stepStartMs } from './market.ts'
import type {
  Ec2Instance,
  Filter,
  InstanceStatus,
  Page,
  PageRequest,
  Refusal,
  SpotPrice,
} from './types.ts'
import { refuse, type World } from './world.ts'

type Done<T> = { readonly answer: 'done'; readonly value: T }
const done = <T>(value: T): Done<T> => ({ answer: 'done', value })

/** Enough for every caller here; a longer history is cut, oldest first. */
const HISTORY_STEPS_MAX = 100

export type InstanceQuery = PageRequest & {
  readonly instanceIds?: readonly string[]
  readonly filters?: readonly Filter[]
}

/** Status checks can be asked for by id or all at once; EC2 has no filter by id or tag here. */
export type StatusQuery = PageRequest & {
  readonly instanceIds?: readonly string[]
  readonly includeAll?: boolean
}

/** The instances with these ids, or the refusal that names those unknown. */
export function findAll(
  world: World,
  instanceIds: readonly string[],
): Done<readonly Ec2Instance[]> | Refusal {
  const found = [...new Set(instanceIds)].map((instanceId) => {
    const instance = world.instances.get(instanceId)
    return {
      instanceId,
      instance: instance !== undefined && isShown(world, instance) ? instance : undefined,
    }
  })
  const malformed = found.find(({ instanceId }) => !/^i-[0-9a-f]{8,17}$/.test(instanceId))
  if (malformed !== undefined) {
    return refuse('InvalidInstanceID.Malformed', `Invalid id: "${malformed.instanceId}"`)
  }
  const unknown = found.filter(({ instance }) => instance === undefined)
  if (unknown.length > 0) {
    const names = unknown.map(({ instanceId }) => instanceId).join(', ')
    const [subject, verb] = unknown.length === 1 ? ['ID', 'does'] : ['IDs', 'do']
    return refuse(
      'InvalidInstanceID.NotFound',
      `The instance ${subject} '${names}' ${verb} not exist`,
    )
  }
  return done(found.flatMap(({ instance }) => (instance === undefined ? [] : [instance])))
}

function isShown(world: World, instance: Ec2Instance): boolean {
  return instance.visibleAtMs <= world.clock()
}

const INSTANCE_FILTERS: Readonly<Record<string, (instance: Ec2Instance) => string>> = {
  'instance-id': ({ instanceId }) => instanceId,
  'instance-state-name': ({ state }) => state,
  'instance-type': ({ instanceType }) => instanceType,
  'availability-zone': ({ zone }) => zone,
}
const TAG_FILTER = 'tag:'

function readerOf(name: string): ((instance: Ec2Instance) => string | undefined) | undefined {
  if (!name.startsWith(TAG_FILTER)) return INSTANCE_FILTERS[name]
  const key = name.slice(TAG_FILTER.length)
  return ({ tags }) => tags[key]
}

export function describeInstances(
  world: World,
  query: InstanceQuery,
): Done<Page<Ec2Instance>> | Refusal {
  const filters = query.filters ?? []
  const strange = filters.find(({ name }) => readerOf(name) === undefined)
  if (strange !== undefined) {
    return refuse('InvalidParameterValue', `The filter '${strange.name}' is invalid`)
  }
  if (query.instanceIds !== undefined && query.maxResults !== undefined) {
    const text = 'The parameter instancesSet cannot be used with the parameter maxResults'
    return refuse('InvalidParameterCombination', text)
  }
  const named = query.instanceIds === undefined ? undefined : findAll(world, query.instanceIds)
  if (named?.answer === 'refused') return named
  const all = named?.value ?? [...world.instances.values()].filter((own) => isShown(world, own))
  const matching = all.filter((instance) =>
    filters.every(({ name, values }) => values.includes(readerOf(name)?.(instance) ?? '\0')),
  )
  const sorted = matching.toSorted(byKey(({ sequence }) => sequence))
  return pageOf(sorted, query, ({ sequence }) => sequence)
}

export function describeInstanceStatus(
  world: World,
  query: StatusQuery,
): Done<Page<InstanceStatus>> | Refusal {
  const page = describeInstances(world, query)
  if (page.answer === 'refused') return page
  const items = page.value.items
    .filter(({ state }) => query.includeAll === true || state === 'running')
    .map((instance) => ({ instance, status: statusOf(instance) }))
  return done({ ...page.value, items })
}

function statusOf({ state, impaired, up }: Ec2Instance): InstanceStatus['status'] {
  if (state !== 'running') return 'not-applicable'
  if (impaired) return 'impaired'
  return up ? 'ok' : 'initializing'
}

export function describeInstanceTypes(
  world: World,
  query: PageRequest & { readonly instanceTypes?: readonly string[] },
): Done<Page<InstanceType>> | Refusal {
  const wanted = query.instanceTypes === undefined ? undefined : new Set(query.instanceTypes)
  const known = world.options.instanceTypes
  const strange = [...(wanted ?? [])].filter((name) => !world.vcpuByType.has(name))
  if (strange.length > 0) {
    const text = `The following supplied instance types do not exist: [${strange.join(', ')}]`
    return refuse('InvalidInstanceType', text)
  }
  const items = known.filter(({ name }) => wanted === undefined || wanted.has(name))
  return pageByPosition(items, query)
}

/** Every type with the zones that sell it, in whatever capacity type. */
export function describeInstanceTypeOfferings(
  world: World,
  query: PageRequest,
): Done<Page<{ instanceType: string; zone: string }>> | Refusal {
  const pairs = new Map<string, { instanceType: string; zone: string }>()
  for (const { instanceType, zone } of world.offerings.values()) {
    pairs.set(`${instanceType}/${zone}`, { instanceType, zone })
  }
  return pageByPosition([...pairs.values()], query)
}

/** The price in force at `startMs`, and each step after it, newest first. */
export function describeSpotPriceHistory(
  world: World,
  query: PageRequest & { readonly startMs?: number; readonly instanceTypes?: readonly string[] },
): Done<Page<SpotPrice>> | Refusal {
  const nowMs = world.clock()
  const { stepMs } = world.options.priceWalk
  const lastMs = stepStartMs(world, nowMs)
  const firstMs = stepStartMs(world, Math.min(nowMs, query.startMs ?? nowMs))
  const steps = Math.min(HISTORY_STEPS_MAX, Math.round((lastMs - firstMs) / stepMs) + 1)
  const wanted = query.instanceTypes === undefined ? undefined : new Set(query.instanceTypes)
  const spot = [...world.offerings.values()].filter(
    ({ capacityType, instanceType }) =>
      capacityType === 'spot' && (wanted === undefined || wanted.has(instanceType)),
  )
  const items = spot.flatMap((place) =>
    Array.from({ length: steps }, (_, back): SpotPrice => {
      const atMs = lastMs - back * stepMs
      const { instanceType, zone } = place
      return { instanceType, zone, atMs, priceUsdPerHour: priceAt(world, place, atMs) ?? 0 }
    }),
  )
  return pageByPosition(items, query)
}

function pageByPosition<T>(items: readonly T[], query: PageRequest): Done<Page<T>> | Refusal {
  const numbered = items.map((item, at) => ({ item, at }))
  const page = pageOf(numbered, query, ({ at }) => at + 1)
  if (page.answer === 'refused') return page
  return done({ ...page.value, items: page.value.items.map(({ item }) => item) })
}

/** Cuts a page of what is sorted by `rank`, a positive number; the token is the last rank shown. */
function pageOf<T>(
  sorted: readonly T[],
  query: PageRequest,
  rank: (item: T) => number,
): Done<Page<T>> | Refusal {
  const after =
    query.nextToken === undefined ? 0 : Number(/^after-(\d+)$/.exec(query.nextToken)?.[1])
  if (Number.isNaN(after)) return refuse('InvalidNextToken', 'The NextToken is not valid.')
  const rest = sorted.filter((item) => rank(item) > after)
  const items = rest.slice(0, query.maxResults ?? rest.length)
  const last = items.at(-1)
  if (last === undefined || items.length === rest.length) return done({ items })
  return done({ items, next: `after-${String(rank(last))}` })
}
