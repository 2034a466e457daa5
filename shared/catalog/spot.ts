/**
 * A spot market to plan against where no real one has been asked: prices that move as real ones do.
 *
 * Real spot prices are dull: a lasting share of the on-demand price, a lasting offset in each zone,
 * and steps of a fraction of a percent (for us-east-1 in 2024: 0.2 % median over seven hours, 0.7 %
 * p99). Here each (type, zone) has an offset and three slow waves whose phases come from the seed,
 * so a price is a pure function of place, hour and seed, with no history to keep.
 */
import { must } from '../base/assert.ts'
import { groupBy } from '../base/order.ts'
import { catalogRows } from './catalog.ts'
import type { CatalogRow } from './rows.ts'

export type SpotPlace = {
  readonly type: string
  readonly zone: string
  readonly atMs: number
  readonly seed: number
}

const HOUR_MS = 3_600_000

/**
 * Largest distance of a zone from the mean; gives the measured spread, about 1.16 over five zones.
 */
const ZONE_SHARE = 0.11

/** Together at most 0.5 % in seven hours, and about 10 % between the extremes of two months. */
const WAVES = [
  { share: 0.035, periodHours: 60 * 24 },
  { share: 0.01, periodHours: 12 * 24 },
  { share: 0.004, periodHours: 3 * 24 },
] as const

/** AWS shows spot prices to a ten-thousandth of a cent. */
const PRICE_DECIMALS = 6

const rowByName: ReadonlyMap<string, CatalogRow> = new Map(
  catalogRows.map((row) => [row.name, row]),
)

/** Families without a history of their own are priced and judged like their class. */
const rowsByClass = groupBy(catalogRows, (row) => classOf(row.family))

const ratioByFamily: ReadonlyMap<string, number> = new Map(
  catalogRows.map((row) => [row.family, row.spotRatio ?? classRatio(classOf(row.family))]),
)

const bucketByClass: ReadonlyMap<string, number> = new Map(
  [...rowsByClass].map(([own, rows]) => [
    own,
    Math.round(mean(rows.map((row) => row.interruptionBucket)) ?? 0),
  ]),
)

/** The mean spot price of the family as a share of its on-demand price. */
export function spotRatioOf(family: string): number {
  return must(ratioByFamily.get(family), `spot ratio of ${family}`)
}

/** How often AWS takes such machines back: 0 (<5 % a month), 1, 2, 3 (each 5 % more), 4 (>20 %). */
export function interruptionBucketOf(typeName: string): number {
  const row = must(rowByName.get(typeName), `catalogue type ${typeName}`)
  return row.interruptionBucket ?? must(bucketByClass.get(classOf(row.family)), 'class')
}

/** USD an hour, constant within each hour, never above the on-demand price. */
export function spotPriceUsdPerHour({ type, zone, atMs, seed }: SpotPlace): number {
  const row = must(rowByName.get(type), `catalogue type ${type}`)
  const hour = Math.floor(atMs / HOUR_MS)
  const place = `${String(seed)}/${type}/${zone}`
  const zoneFactor = 1 + ZONE_SHARE * (2 * unitOf(place) - 1)
  const waves = WAVES.map(({ share, periodHours }, at) => {
    const phase = unitOf(`${place}/${String(at)}`)
    return share * Math.sin(2 * Math.PI * (hour / periodHours + phase))
  })
  const walk = waves.reduce((sum, wave) => sum + wave, 1)
  const share = Math.min(1, spotRatioOf(row.family) * zoneFactor * walk)
  return floorTo(row.onDemandUsdPerHour * share, PRICE_DECIMALS)
}

/** `m` (general), `c` (compute), `r` (memory), `i` (storage), `g` (graphics) or `p` (training). */
function classOf(family: string): string {
  const letter = family.slice(0, 1)
  if (letter === 'x') return 'r'
  return letter === 'd' ? 'i' : letter
}

function classRatio(own: string): number {
  return must(mean((rowsByClass.get(own) ?? []).map((row) => row.spotRatio)), `ratio of ${own}`)
}

function mean(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  if (known.length === 0) return undefined
  return known.reduce((sum, value) => sum + value, 0) / known.length
}

function floorTo(value: number, decimals: number): number {
  return Math.floor(value * 10 ** decimals) / 10 ** decimals
}

/**
 * A number in [0, 1) that the text alone decides: FNV-1a, then the finishing mix of MurmurHash3.
 */
function unitOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
