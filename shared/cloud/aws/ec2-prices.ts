/**
 * The prices port on AWS: shapes and offerings from EC2, spot prices from its history, on-demand
 * prices from the price list.
 *
 * Only types that a herd is packed on are asked for: current, no bare metal, no burstable CPUs.
 * Types the shipped catalogue knows keep its allocatable numbers, so that a node looks the same
 * before and after the first visit; for newer ones they are computed from the shape, as the
 * catalogue's were.
 */
import {
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstanceTypesCommand,
  DescribeSpotPriceHistoryCommand,
  type EC2Client,
  type InstanceTypeInfo,
} from '@aws-sdk/client-ec2'
import { PricingClient } from '@aws-sdk/client-pricing'
import { describeError } from '../../base/errors.ts'
import { byKey, byText } from '../../base/order.ts'
import { allocatableOf } from '../../catalog/allocatable.ts'
import { typeByName } from '../../catalog/catalog.ts'
import { gpuModelName } from '../../catalog/gpu-model.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Architecture, InstanceType } from '../../model/machine.ts'
import { PricesError } from '../prices-error.ts'
import type { Prices, ZonePrices } from '../prices.ts'
import { makeEc2Clients, within, type Ec2ClientOptions } from './ec2-client.ts'
import { onDemandPrices, PRICE_LIST_REGION } from './price-list.ts'

export type Ec2PricesOptions = Ec2ClientOptions & {
  readonly pricingEndpoint?: string
  /** Milliseconds since the epoch; decides how long the price list is kept. */
  readonly clock?: () => number
}

type PriceList = () => Promise<ReadonlyMap<string, number>>

export function makeEc2Prices(options: Ec2PricesOptions): Prices {
  const { region, pricingEndpoint } = options
  const { retrying } = makeEc2Clients(options)
  const pricing = new PricingClient({
    region: PRICE_LIST_REGION,
    ...(options.attempts === undefined ? {} : { maxAttempts: options.attempts }),
    ...(pricingEndpoint === undefined ? {} : { endpoint: pricingEndpoint }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  })
  const priceList = kept(() => onDemandPrices(pricing, region), options.clock ?? Date.now)
  return {
    instanceTypes: () => instanceTypes(retrying, priceList),
    zones: () => zones(retrying, priceList),
  }
}

/** Keeps a good answer for a while; a failed one is asked again. */
function kept(load: PriceList, clock: () => number): PriceList {
  let last: { atMs: number; prices: Awaited<ReturnType<PriceList>> } | undefined
  return async () => {
    const nowMs = clock()
    if (last !== undefined && nowMs - last.atMs < LIMITS.priceListKeepMs) return last.prices
    last = { atMs: nowMs, prices: await load() }
    return last.prices
  }
}

async function instanceTypes(
  client: EC2Client,
  priceList: PriceList,
): Promise<readonly InstanceType[]> {
  const prices = await priceList()
  const found = await pages('the instance types', async (token) => {
    const command = new DescribeInstanceTypesCommand({
      Filters: [
        { Name: 'current-generation', Values: ['true'] },
        { Name: 'bare-metal', Values: ['false'] },
        { Name: 'burstable-performance-supported', Values: ['false'] },
      ],
      MaxResults: LIMITS.typesPageItems,
      ...token,
    })
    const output = await client.send(command, within(LIMITS.pricesCallTimeoutMs))
    return { items: output.InstanceTypes ?? [], next: output.NextToken }
  })
  const types = found.flatMap((info) => typeOf(info, prices) ?? [])
  return types.toSorted(byKey(({ name }) => name))
}

/** Undefined for what drover cannot pack: no price, parts of a GPU, or another processor. */
function typeOf(
  info: InstanceTypeInfo,
  prices: ReadonlyMap<string, number>,
): InstanceType | undefined {
  const name: string | undefined = info.InstanceType
  const vcpu = info.VCpuInfo?.DefaultVCpus
  const memoryMib = info.MemoryInfo?.SizeInMiB
  const architecture = architectureOf(info)
  const onDemandUsdPerHour = name === undefined ? undefined : prices.get(name)
  const gpus = gpusOf(info)
  if (name === undefined || vcpu === undefined || memoryMib === undefined) return undefined
  if (architecture === undefined || onDemandUsdPerHour === undefined || gpus === undefined) {
    return undefined
  }
  const shape = { architecture, vcpu, memoryMib, gpuCount: gpus.gpuCount, pods: podsOf(info) }
  return {
    name,
    family: name.split('.')[0] ?? name,
    architecture,
    vcpu,
    memoryMib,
    ...gpus,
    allocatable: typeByName.get(name)?.allocatable ?? allocatableOf(shape),
    onDemandUsdPerHour,
  }
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = { x86_64: 'amd64', arm64: 'arm64' }

function architectureOf(info: InstanceTypeInfo): Architecture | undefined {
  const known = (info.ProcessorInfo?.SupportedArchitectures ?? []).map((own) => ARCHITECTURES[own])
  return known.find((own) => own !== undefined)
}

function gpusOf(info: InstanceTypeInfo): { gpuCount: number; gpuModel?: string } | undefined {
  const gpus = info.GpuInfo?.Gpus ?? []
  const [first] = gpus
  if (first === undefined) return { gpuCount: 0 }
  if (gpus.some(({ GpuPartitionSize }) => (GpuPartitionSize ?? 1) < 1)) return undefined
  const gpuCount = gpus.reduce((sum, { Count }) => sum + (Count ?? 0), 0)
  const { Manufacturer, Name } = first
  if (Manufacturer === undefined || Name === undefined) return undefined
  return { gpuCount, gpuModel: gpuModelName({ manufacturer: Manufacturer, name: Name }) }
}

/**
 * Addresses a size carries, as EKS counts pods: each interface keeps one, two more are the host's.
 */
function podsOf({ NetworkInfo }: InstanceTypeInfo): number {
  const interfaces = NetworkInfo?.MaximumNetworkInterfaces ?? 0
  const addresses = NetworkInfo?.Ipv4AddressesPerInterface ?? 1
  return interfaces * (addresses - 1) + 2
}

type MutablePrices = Record<string, { onDemand?: number; spot?: number }>

async function zones(client: EC2Client, priceList: PriceList): Promise<readonly ZonePrices[]> {
  const onDemand = await priceList()
  const byZone = new Map<string, MutablePrices>()
  for (const { instanceType, zone } of await soldWhere(client)) {
    const prices = byZone.get(zone) ?? {}
    byZone.set(zone, prices)
    const price = onDemand.get(instanceType)
    prices[instanceType] = price === undefined ? {} : { onDemand: price }
  }
  for (const { instanceType, zone, usdPerHour } of await spotPrices(client)) {
    const entry = byZone.get(zone)?.[instanceType]
    // The history also tells of places that sell no more.
    if (entry !== undefined) entry.spot = usdPerHour
  }
  return [...byZone.keys()].toSorted(byText).map((zone) => {
    const entries = Object.entries(byZone.get(zone) ?? {})
    const sold = entries.filter(([, own]) => own.onDemand !== undefined || own.spot !== undefined)
    return { zone, prices: Object.fromEntries(sold) }
  })
}

async function soldWhere(
  client: EC2Client,
): Promise<readonly { instanceType: string; zone: string }[]> {
  const found = await pages('the offerings', async (token) => {
    const command = new DescribeInstanceTypeOfferingsCommand({
      LocationType: 'availability-zone',
      MaxResults: LIMITS.describePageItems,
      ...token,
    })
    const output = await client.send(command, within(LIMITS.pricesCallTimeoutMs))
    return { items: output.InstanceTypeOfferings ?? [], next: output.NextToken }
  })
  return found.flatMap(({ InstanceType, Location }) =>
    InstanceType === undefined || Location === undefined
      ? []
      : [{ instanceType: InstanceType, zone: Location }],
  )
}

type SpotQuote = { instanceType: string; zone: string; usdPerHour: number; atMs: number }

/** The latest quote of each type and zone; asked for *now*, EC2 tells the price in force. */
async function spotPrices(client: EC2Client): Promise<readonly SpotQuote[]> {
  const now = new Date()
  const found = await pages('the spot prices', async (token) => {
    const command = new DescribeSpotPriceHistoryCommand({
      ProductDescriptions: ['Linux/UNIX'],
      StartTime: now,
      EndTime: now,
      MaxResults: LIMITS.describePageItems,
      ...token,
    })
    const output = await client.send(command, within(LIMITS.pricesCallTimeoutMs))
    return { items: output.SpotPriceHistory ?? [], next: output.NextToken }
  })
  const latest = new Map<string, SpotQuote>()
  for (const { InstanceType, AvailabilityZone, SpotPrice, Timestamp } of found) {
    if (InstanceType === undefined || AvailabilityZone === undefined) continue
    const key = `${InstanceType}/${AvailabilityZone}`
    const [atMs, usdPerHour] = [Timestamp?.getTime() ?? 0, Number(SpotPrice)]
    const known = latest.get(key)
    if (!(usdPerHour > 0) || (known !== undefined && known.atMs >= atMs)) continue
    latest.set(key, { instanceType: InstanceType, zone: AvailabilityZone, usdPerHour, atMs })
  }
  return [...latest.values()]
}

type OnePage<T> = (token: { NextToken?: string }) => Promise<{
  items: readonly T[]
  next: string | undefined
}>

/** All of them or PricesError: a market with holes would look like a shortage. */
async function pages<T>(what: string, call: OnePage<T>): Promise<readonly T[]> {
  const items: T[] = []
  let token: string | undefined
  for (let page = 0; page < LIMITS.describePagesMax; page++) {
    const output = await call(token === undefined ? {} : { NextToken: token }).catch(
      (cause: unknown): never => {
        throw new PricesError({ text: `${what}: ${describeError(cause)}`, cause })
      },
    )
    items.push(...output.items)
    token = output.next
    if (token === undefined || token === '') return items
  }
  throw new PricesError({ text: `${what} do not end` })
}
