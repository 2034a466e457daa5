import { describe, expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import { catalog, typeByName } from '#shared/catalog/catalog.ts'
import { defaultOfferings } from '#shared/catalog/defaults.ts'
import { catalogWith, offeringsOf } from '#shared/catalog/offerings.ts'
import { isBought } from '#shared/catalog/selection.ts'
import { interruptionBucketOf, spotPriceUsdPerHour, spotRatioOf } from '#shared/catalog/spot.ts'
import { DEFAULT_ZONES, REGION_ZONES } from '#shared/catalog/zones.ts'
import type { Market } from '#shared/model/facts.ts'

const HOUR_MS = 3_600_000
const place = { type: 'm5.large', zone: 'us-east-1a', atMs: 1_000 * HOUR_MS, seed: 1 }
const sample = catalog.filter((_, at) => at % 7 === 0)

function quantile(values: readonly number[], share: number): number {
  return must(values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))], 'value')
}

describe('spot prices', () => {
  it('are a function of place, hour and seed alone', () => {
    expect(spotPriceUsdPerHour(place)).toBe(spotPriceUsdPerHour({ ...place }))
    expect(spotPriceUsdPerHour({ ...place, atMs: place.atMs + HOUR_MS - 1 })).toBe(
      spotPriceUsdPerHour(place),
    )
    expect(spotPriceUsdPerHour({ ...place, seed: 2 })).not.toBe(spotPriceUsdPerHour(place))
    expect(spotPriceUsdPerHour({ ...place, zone: 'us-east-1b' })).not.toBe(
      spotPriceUsdPerHour(place),
    )
  })

  it('stay below on-demand, about at the ratio of the family', () => {
    for (const type of catalog) {
      const usd = spotPriceUsdPerHour({ ...place, type: type.name })
      const share = usd / type.onDemandUsdPerHour
      expect(usd, type.name).toBeGreaterThan(0)
      expect(share, type.name).toBeLessThanOrEqual(1)
      expect(Math.abs(share / spotRatioOf(type.family) - 1), type.name).toBeLessThan(0.18)
    }
  })

  it('move in small steps, as measured: 0.2 % in seven hours is usual, 0.7 % rare', () => {
    const steps = sample.flatMap(({ name: type }) =>
      [0, 50, 100].map((hours) => {
        const atMs = place.atMs + hours * HOUR_MS
        const before = spotPriceUsdPerHour({ ...place, type, atMs })
        const after = spotPriceUsdPerHour({ ...place, type, atMs: atMs + 7 * HOUR_MS })
        return Math.abs(after / before - 1)
      }),
    )
    expect(quantile(steps, 0.5)).toBeGreaterThan(0.0005)
    expect(quantile(steps, 0.5)).toBeLessThan(0.003)
    expect(quantile(steps, 0.99)).toBeLessThan(0.007)
  })

  it('differ between zones as measured: 1.16 is usual', () => {
    const spreads = sample.map(({ name: type }) => {
      const prices = REGION_ZONES.slice(0, 5).map((zone) =>
        spotPriceUsdPerHour({ ...place, type, zone }),
      )
      return Math.max(...prices) / Math.min(...prices)
    })
    expect(quantile(spreads, 0.5)).toBeGreaterThan(1.12)
    expect(quantile(spreads, 0.5)).toBeLessThan(1.2)
  })

  it('drift over two months', () => {
    const prices = Array.from({ length: 61 }, (_, day) =>
      spotPriceUsdPerHour({ ...place, atMs: place.atMs + day * 24 * HOUR_MS }),
    )
    const range = Math.max(...prices) / Math.min(...prices)
    expect(range).toBeGreaterThan(1.04)
    expect(range).toBeLessThan(1.15)
  })

  it('take the ratio of their class where the family has no history', () => {
    expect(spotRatioOf('m5')).toBe(0.45)
    for (const family of ['m9g', 'c8i', 'x8i', 'g6', 'g7e', 'p6-b300']) {
      expect(spotRatioOf(family), family).toBeGreaterThan(0.35)
      expect(spotRatioOf(family), family).toBeLessThan(0.65)
    }
  })

  it('refuse a type that nobody knows', () => {
    expect(() => spotPriceUsdPerHour({ ...place, type: 'm5.huge' })).toThrow('m5.huge is missing')
    expect(() => interruptionBucketOf('m5.huge')).toThrow('m5.huge is missing')
  })
})

describe('interruption buckets', () => {
  it('are the advisor’s where it knows the type', () => {
    expect(interruptionBucketOf('m5.large')).toBe(3)
    expect(interruptionBucketOf('c5.large')).toBe(0)
    expect(interruptionBucketOf('p5.48xlarge')).toBe(4)
  })

  it('are whole numbers from 0 to 4 for every type', () => {
    for (const { name } of catalog)
      expect([0, 1, 2, 3, 4], name).toContain(interruptionBucketOf(name))
  })
})

describe('the market until EC2 has been asked', () => {
  const offerings = defaultOfferings({ zones: DEFAULT_ZONES, atMs: 0, seed: 1 })

  it('sells every type in every zone, both ways', () => {
    expect(offerings).toHaveLength(catalog.length * DEFAULT_ZONES.length * 2)
    const keys = offerings.map((own) => `${own.instanceType} ${own.zone} ${own.capacityType}`)
    expect(new Set(keys).size).toBe(keys.length)
  })

  it('says what on-demand costs and how often spot ends', () => {
    expect(offerings.filter((own) => own.instanceType === 'm5.large').slice(0, 2)).toEqual([
      {
        instanceType: 'm5.large',
        zone: 'us-east-1a',
        capacityType: 'on-demand',
        priceUsdPerHour: 0.096,
      },
      {
        instanceType: 'm5.large',
        zone: 'us-east-1a',
        capacityType: 'spot',
        priceUsdPerHour: spotPriceUsdPerHour({ ...place, atMs: 0 }),
        interruptionBucket: 3,
      },
    ])
  })
})

describe('offeringsOf', () => {
  const m5 = must(typeByName.get('m5.large'), 'm5.large')
  const c5 = must(typeByName.get('c5.large'), 'c5.large')
  const market: Market = {
    kind: 'market',
    zone: 'us-east-1b',
    atMs: 0,
    prices: { 'm5.large': { onDemand: 0.1, spot: 0.04 }, 'z9.huge': { onDemand: 9 } },
  }
  const defaults = defaultOfferings({ zones: ['us-east-1a', 'us-east-1b'], atMs: 0, seed: 1 })

  it('lets the market have its zone, and leaves the others their defaults', () => {
    const offerings = offeringsOf({ catalog: [m5, c5], markets: [market], defaults })
    expect(
      offerings.map((own) => [own.zone, own.instanceType, own.capacityType].join(' ')),
    ).toEqual([
      'us-east-1b m5.large on-demand',
      'us-east-1b m5.large spot',
      'us-east-1a c5.large on-demand',
      'us-east-1a c5.large spot',
      'us-east-1a m5.large on-demand',
      'us-east-1a m5.large spot',
    ])
    expect(offerings[1]).toEqual({
      instanceType: 'm5.large',
      zone: 'us-east-1b',
      capacityType: 'spot',
      priceUsdPerHour: 0.04,
      interruptionBucket: 3,
    })
  })

  it('sells a type new to drover once its shape is known', () => {
    const huge = { ...m5, name: 'z9.huge', family: 'z9' }
    const spot: Market = { ...market, prices: { 'z9.huge': { spot: 4 } } }
    expect(offeringsOf({ catalog: [huge], markets: [spot] })).toEqual([
      {
        instanceType: 'z9.huge',
        zone: 'us-east-1b',
        capacityType: 'spot',
        priceUsdPerHour: 4,
      },
    ])
  })

  it('keeps to the types that it was given', () => {
    const offerings = offeringsOf({ catalog: catalogWith([]), markets: [market] })
    expect(offerings.map((own) => own.instanceType)).toEqual(['m5.large', 'm5.large'])
  })

  it('lets an override beat market and defaults alike', () => {
    const offerings = offeringsOf({
      catalog: [m5],
      markets: [market],
      defaults,
      overrides: { 'm5.large': 0.01 },
    })
    expect(offerings.map((own) => own.priceUsdPerHour)).toEqual([0.01, 0.01, 0.01, 0.01])
  })

  it('orders zones the same whatever order the items came in', () => {
    const other: Market = { ...market, zone: 'us-east-1a' }
    expect(offeringsOf({ catalog: [m5], markets: [market, other] })).toEqual(
      offeringsOf({ catalog: [m5], markets: [other, market] }),
    )
  })
})

describe('catalogWith', () => {
  const m5 = must(typeByName.get('m5.large'), 'm5.large')

  it('adds new types in order, and lets the shipped ones stand', () => {
    const types = catalogWith([
      { ...m5, name: 'm5.huge' },
      { ...m5, memoryMib: 1 },
    ])
    expect(types).toHaveLength(catalog.length + 1)
    const names = types.map((own) => own.name)
    expect(names).toEqual(names.toSorted())
    expect(types.find((own) => own.name === 'm5.large')).toBe(m5)
  })

  it('is the catalogue itself where there is nothing new', () => {
    expect(catalogWith([m5])).toBe(catalog)
  })
})

describe('isBought', () => {
  it('holds of every type in the catalogue', () => {
    expect(catalog.filter((own) => !isBought(own))).toEqual([])
  })

  it.each([
    ['inf2.xlarge', undefined],
    ['t4g.large', undefined],
    ['m9i-flex.large', undefined],
    ['u7i-12tb.224xlarge', undefined],
    ['m5.metal', undefined],
    ['m8i.metal-48xl', undefined],
    ['g9ad.xlarge', 'amd-radeon-pro-v710'],
  ])('does not hold of %s', (name, gpuModel) => {
    const family = name.split('.')[0] ?? ''
    expect(isBought({ name, family, ...(gpuModel === undefined ? {} : { gpuModel }) })).toBe(false)
  })
})
