/**
 * Asks what EC2 sells and for how much, and keeps the answer in the table, one item a zone.
 *
 * Only a zone whose prices moved is written, since an item of a thousand prices is a dear write. An
 * answer without any price is never believed: it would empty the market and stop every launch,
 * while prices that are an hour old do no harm. So the last good items stand meanwhile.
 */
import { sameJson } from '../base/equal.ts'
import { describeError, DroverError, type ErrorFacts } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { byKey } from '../base/order.ts'
import { typeByName } from '../catalog/catalog.ts'
import { isBought } from '../catalog/selection.ts'
import type { Clock } from '../cloud/clock.ts'
import type { Prices, ZonePrices } from '../cloud/prices.ts'
import { marketSchema, marketShapesSchema, type Market, type MarketShapes } from '../model/facts.ts'
import { LIMITS } from '../model/limits.ts'
import type { InstanceType } from '../model/machine.ts'
import { keys } from '../store/keys.ts'
import { below, type Item, type Key, type Store } from '../store/store.ts'

export type MarketPorts = {
  store: Pick<Store, 'get' | 'write'>
  prices: Prices
  clock: Pick<Clock, 'now'>
  log: Logger
}

export type MarketOutcome = {
  /** Zones whose item was written. */
  written: readonly string[]
  /** Zones whose prices stand as they were. */
  unchanged: readonly string[]
  /** Types that EC2 sells and the shipped catalogue does not know. */
  newTypes: number
}

/** `MarketEmpty`: EC2 told no price. `MarketNotStored`: some items were not written. */
export class MarketError extends DroverError {
  constructor(facts: ErrorFacts) {
    super({ next: 'the last good prices stand; the schedule tries again', ...facts })
  }
}

/** Reads the market once and stores what changed; throws PricesError or MarketError. */
export async function updateMarket(ports: MarketPorts): Promise<MarketOutcome> {
  const atMs = ports.clock.now()
  // One after the other: the second finds the price list that the first has read.
  const newTypes = newTypesOf(await ports.prices.instanceTypes(), ports.log)
  const zones = await ports.prices.zones()
  const known = new Set([...typeByName.keys(), ...newTypes.map((own) => own.name)])
  const markets = zones.map((zone) => marketOf(zone, known, atMs)).filter(hasPrices)
  if (markets.length === 0) {
    throw new MarketError({ code: 'MarketEmpty', text: 'EC2 told no price of any known type' })
  }
  const shapes: MarketShapes = { kind: 'market-shapes', atMs, types: newTypes }
  return store(ports, { shapes, markets })
}

/** What a herd may be made of besides the shipped catalogue; EC2's own order does not matter. */
function newTypesOf(types: readonly InstanceType[], log: Logger): InstanceType[] {
  const found = types
    .filter((own) => !typeByName.has(own.name) && isBought(own))
    .toSorted(byKey((own) => own.name))
  if (found.length > LIMITS.newTypesMax) {
    log.warn('more new types than one item holds; the rest are left out', { found: found.length })
  }
  return found.slice(0, LIMITS.newTypesMax)
}

function marketOf(own: ZonePrices, known: ReadonlySet<string>, atMs: number): Market {
  const prices: Market['prices'] = {}
  for (const [name, { onDemand, spot }] of Object.entries(own.prices)) {
    const price = {
      ...(isPrice(onDemand) ? { onDemand } : {}),
      ...(isPrice(spot) ? { spot } : {}),
    }
    if (known.has(name) && Object.keys(price).length > 0) prices[name] = price
  }
  return { kind: 'market', zone: own.zone, atMs, prices }
}

function isPrice(usd: number | undefined): usd is number {
  return usd !== undefined && Number.isFinite(usd) && usd > 0
}

function hasPrices(market: Market): boolean {
  return Object.keys(market.prices).length > 0
}

type Told = { shapes: MarketShapes; markets: readonly Market[] }

/** Shapes first: a price is of use only to a pass that knows the shape. */
async function store(ports: MarketPorts, { shapes, markets }: Told): Promise<MarketOutcome> {
  const written: string[] = []
  const unchanged: string[] = []
  const failures: string[] = []
  try {
    if (await shapesMoved(ports, shapes)) await put(ports, keys.marketShapes(), shapes)
  } catch (error) {
    failures.push(`shapes: ${describeError(error)}`)
  }
  for (const market of markets) {
    // One zone's trouble must not keep the others' prices from being stored.
    try {
      const moved = await pricesMoved(ports, market)
      if (moved) await put(ports, keys.market(market.zone), market)
      ;(moved ? written : unchanged).push(market.zone)
    } catch (error) {
      failures.push(`${market.zone}: ${describeError(error)}`)
    }
  }
  if (failures.length > 0) {
    const text = `${String(failures.length)} market items were not stored`
    throw new MarketError({ code: 'MarketNotStored', text, seen: failures.slice(0, 5) })
  }
  const outcome = { written, unchanged, newTypes: shapes.types.length }
  ports.log.info('market read', outcome)
  return outcome
}

/** An item that does not parse is written anew. */
async function pricesMoved({ store }: MarketPorts, market: Market): Promise<boolean> {
  const before = marketSchema.safeParse(await store.get(keys.market(market.zone)))
  return !before.success || !sameJson(before.data.prices, market.prices)
}

/** Where nothing is new there is no item, until there has been one. */
async function shapesMoved({ store }: MarketPorts, shapes: MarketShapes): Promise<boolean> {
  const item = await store.get(keys.marketShapes())
  if (item === undefined) return shapes.types.length > 0
  const before = marketShapesSchema.safeParse(item)
  return !before.success || !sameJson(before.data.types, shapes.types)
}

/** Replaces the item unless a visit that began later has written it already. */
async function put(
  { store, log }: MarketPorts,
  key: Key,
  value: Market | MarketShapes,
): Promise<void> {
  const item: Item = { ...key, ...value }
  const result = await store.write({ kind: 'put', item, when: [below('atMs', value.atMs)] })
  if (!result.applied) log.warn('a later visit has written this item', { ...key })
}
