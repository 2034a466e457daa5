import { beforeEach, describe, expect, it } from 'vitest'
import { makeHandler, bindPorts } from '#functions/market.ts'
import { must } from '#shared/base/assert.ts'
import { makeLogger, silentLogger } from '#shared/base/log.ts'
import { catalog, typeByName } from '#shared/catalog/catalog.ts'
import { catalogWith, offeringsOf } from '#shared/catalog/offerings.ts'
import type { Prices, ZonePrices } from '#shared/cloud/prices.ts'
import { PricesError } from '#shared/cloud/prices-error.ts'
import { updateMarket, type MarketPorts } from '#shared/controllers/market.ts'
import { marketSchema, marketShapesSchema } from '#shared/model/facts.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { InstanceType } from '#shared/model/machine.ts'
import { keys } from '#shared/store/keys.ts'
import { makeMemoryStore, type MemoryStore } from '#shared/store/memory-store.ts'
import { StoreError, type Change, type Write } from '#shared/store/store.ts'

const m5 = must(typeByName.get('m5.large'), 'm5.large')
const huge: InstanceType = { ...m5, name: 'm99.huge', family: 'm99' }

type World = {
  store: MemoryStore
  changes: Change[]
  atMs: number
  zones: ZonePrices[]
  types: InstanceType[]
  ports: MarketPorts
}

let world: World

beforeEach(() => {
  const store = makeMemoryStore()
  const changes: Change[] = []
  store.changes((change) => changes.push(change))
  const prices: Prices = {
    instanceTypes: () => Promise.resolve(world.types),
    zones: () => Promise.resolve(world.zones),
  }
  world = {
    store,
    changes,
    atMs: 1_000,
    zones: [
      { zone: 'us-east-1a', prices: { 'm5.large': { onDemand: 0.096, spot: 0.04 } } },
      { zone: 'us-east-1b', prices: { 'm5.large': { onDemand: 0.096 } } },
    ],
    types: [m5],
    ports: { store, prices, clock: { now: () => world.atMs }, log: silentLogger },
  }
})

describe('the market function', () => {
  it('writes an item a zone, and none for shapes while nothing is new', async () => {
    expect(await updateMarket(world.ports)).toEqual({
      written: ['us-east-1a', 'us-east-1b'],
      unchanged: [],
      newTypes: 0,
    })
    expect(marketSchema.parse(await world.store.get(keys.market('us-east-1a')))).toEqual({
      kind: 'market',
      zone: 'us-east-1a',
      atMs: 1_000,
      prices: { 'm5.large': { onDemand: 0.096, spot: 0.04 } },
    })
    expect(world.store.size()).toBe(2)
  })

  it('writes nothing while prices stand, and only the zone where one moved', async () => {
    await updateMarket(world.ports)
    world.changes.length = 0
    world.atMs = 2_000
    expect(await updateMarket(world.ports)).toMatchObject({ written: [] })
    expect(world.changes).toEqual([])
    world.zones[1] = { zone: 'us-east-1b', prices: { 'm5.large': { onDemand: 0.1 } } }
    expect(await updateMarket(world.ports)).toMatchObject({
      written: ['us-east-1b'],
      unchanged: ['us-east-1a'],
    })
    expect(world.changes.map((own) => own.key)).toEqual([keys.market('us-east-1b')])
  })

  it('keeps shapes of new types, and prices of types that somebody can pack', async () => {
    world.types = [huge, m5, { ...huge, name: 'inf9.xlarge', family: 'inf9' }]
    world.zones = [
      {
        zone: 'us-east-1a',
        prices: {
          'm99.huge': { onDemand: 9 },
          'inf9.xlarge': { onDemand: 1 },
          'm5.large': { onDemand: 0.096 },
          'nobody.knows': { spot: 1 },
        },
      },
    ]
    expect(await updateMarket(world.ports)).toMatchObject({ newTypes: 1 })
    const shapes = marketShapesSchema.parse(await world.store.get(keys.marketShapes()))
    expect(shapes.types).toEqual([huge])
    const market = marketSchema.parse(await world.store.get(keys.market('us-east-1a')))
    expect(Object.keys(market.prices).toSorted()).toEqual(['m5.large', 'm99.huge'])
    const types = catalogWith(shapes.types)
    expect(types).toHaveLength(catalog.length + 1)
    expect(offeringsOf({ catalog: types, markets: [market] })).toHaveLength(2)
  })

  it('forgets shapes that EC2 tells no more', async () => {
    world.types = [huge]
    await updateMarket(world.ports)
    world.types = []
    world.atMs = 2_000
    await updateMarket(world.ports)
    const shapes = marketShapesSchema.parse(await world.store.get(keys.marketShapes()))
    expect(shapes.types).toEqual([])
  })

  it('holds the shapes within one item', async () => {
    world.types = Array.from({ length: LIMITS.newTypesMax + 5 }, (_, at) => ({
      ...huge,
      name: `m99.${String(at).padStart(4, '0')}`,
    }))
    const lines: string[] = []
    const log = makeLogger((line) => lines.push(line))
    expect(await updateMarket({ ...world.ports, log })).toMatchObject({
      newTypes: LIMITS.newTypesMax,
    })
    expect(lines.some((line) => line.includes('more new types than one item holds'))).toBe(true)
    const item = await world.store.get(keys.marketShapes())
    expect(JSON.stringify(item).length).toBeLessThan(400_000)
  })

  it('believes no price that is none', async () => {
    world.zones = [
      {
        zone: 'us-east-1a',
        prices: { 'm5.large': { onDemand: Number.NaN, spot: 0.04 }, 'c5.large': { onDemand: 0 } },
      },
    ]
    await updateMarket(world.ports)
    expect(marketSchema.parse(await world.store.get(keys.market('us-east-1a'))).prices).toEqual({
      'm5.large': { spot: 0.04 },
    })
  })
})

describe('the market function in bad weather', () => {
  it('lets the last good prices stand when EC2 tells none', async () => {
    await updateMarket(world.ports)
    world.changes.length = 0
    for (const zones of [[], [{ zone: 'us-east-1a', prices: {} }]]) {
      world.zones = zones
      await expect(updateMarket(world.ports)).rejects.toMatchObject({ code: 'MarketEmpty' })
    }
    expect(world.changes).toEqual([])
  })

  it('lets them stand when EC2 cannot be asked', async () => {
    await updateMarket(world.ports)
    world.changes.length = 0
    const fail = (): Promise<never> => Promise.reject(new PricesError({ text: 'throttled' }))
    for (const prices of [
      { ...world.ports.prices, zones: fail },
      { ...world.ports.prices, instanceTypes: fail },
    ]) {
      await expect(updateMarket({ ...world.ports, prices })).rejects.toThrow('throttled')
    }
    expect(world.changes).toEqual([])
  })

  it('stores the other zones when one cannot be stored, then says so', async () => {
    const write = (own: Write): ReturnType<MemoryStore['write']> =>
      own.kind === 'put' && own.item.pk === 'market#us-east-1a'
        ? Promise.reject(new StoreError({ text: 'timed out' }))
        : world.store.write(own)
    const store = { get: world.store.get.bind(world.store), write }
    await expect(updateMarket({ ...world.ports, store })).rejects.toMatchObject({
      code: 'MarketNotStored',
      seen: [expect.stringContaining('us-east-1a: StoreError: StoreFailed: timed out')],
    })
    expect(await world.store.get(keys.market('us-east-1b'))).toBeDefined()
  })

  it('writes anew an item that does not parse', async () => {
    const key = keys.market('us-east-1a')
    await world.store.write({ kind: 'put', item: { ...key, kind: 'market', prices: 'none' } })
    await updateMarket(world.ports)
    expect(marketSchema.parse(await world.store.get(key)).atMs).toBe(1_000)
  })

  it('does not overwrite what a later visit has told', async () => {
    world.atMs = 9_000
    await updateMarket(world.ports)
    world.atMs = 1_000
    world.zones[0] = { zone: 'us-east-1a', prices: { 'm5.large': { onDemand: 7 } } }
    await updateMarket(world.ports)
    const market = marketSchema.parse(await world.store.get(keys.market('us-east-1a')))
    expect(market.prices['m5.large']?.onDemand).toBe(0.096)
  })
})

describe('the Lambda', () => {
  it('runs the controller with the ports it is given', async () => {
    expect(await makeHandler(world.ports)({ 'detail-type': 'Scheduled Event' })).toMatchObject({
      written: ['us-east-1a', 'us-east-1b'],
    })
  })

  it('says which variable is missing', () => {
    expect(() => bindPorts({ AWS_REGION: 'us-east-1' })).toThrow('DROVER_TABLE: is not set')
    expect(() => bindPorts({ DROVER_TABLE: 'herd' })).toThrow('AWS_REGION: is not set')
  })
})
