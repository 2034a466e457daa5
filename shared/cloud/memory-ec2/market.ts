/**
 * The market: what each place has left, what it asks, and which places a fleet request gets.
 *
 * A spot price is a function of seed, place and time, not state: an autoregressive walk whose steps
 * are hashed noise, summed over the few steps that still matter. So any moment of it can be read,
 * past ones too, and nothing has to be dumped. Spot never asks more than on-demand in the same
 * zone.
 */
import { byNumber, byText, inOrder, type Compare } from '../../base/order.ts'
import { hashOf, noiseOf } from '../../base/random.ts'
import type { Ec2Offering, FleetOverride, Place } from './types.ts'
import { placeKey, type World } from './world.ts'

/** What a step keeps of the one before. */
const PERSISTENCE = 0.8
/** 0.8^24 < 0.5 %: older steps no longer show. */
const STEPS = 24
/** Spot prices are quoted in hundredths of a cent. */
const QUOTE_USD = 1e-4
/** Spot places with at least this share of the largest remaining capacity count as deep. */
const DEEP_SHARE = 0.5

/** Instances the place can still take; 0 where nothing is sold. */
export function capacityLeft(world: World, place: Place): number {
  const key = placeKey(place)
  const capacity = world.offerings.get(key)?.capacity ?? 0
  return Math.max(0, capacity - (world.used.get(key) ?? 0))
}

/** The start of the price step that `atMs` falls into. */
export function stepStartMs({ options }: World, atMs: number): number {
  const { stepMs } = options.priceWalk
  return Math.floor(atMs / stepMs) * stepMs
}

/** What the place asks at a moment, USD an hour; undefined where nothing is sold. */
export function priceAt(world: World, place: Place, atMs: number): number | undefined {
  const offering = world.offerings.get(placeKey(place))
  if (offering === undefined) return undefined
  if (offering.capacityType === 'on-demand' || offering.pinned === true) {
    return offering.priceUsdPerHour
  }
  const onDemand = world.offerings.get(placeKey({ ...place, capacityType: 'on-demand' }))
  const price = Math.min(walkedPrice(world, offering, atMs), onDemand?.priceUsdPerHour ?? Infinity)
  return Number(Math.max(QUOTE_USD, price).toFixed(6))
}

function walkedPrice(world: World, offering: Ec2Offering, atMs: number): number {
  const { spread, stepMs, spotPriceAt } = world.options.priceWalk
  if (spotPriceAt !== undefined) return spotPriceAt(offering, atMs)
  if (spread === 0) return offering.priceUsdPerHour
  const factor = Math.exp(spread * walkAt(world, offering, Math.floor(atMs / stepMs)))
  return Math.round((offering.priceUsdPerHour * factor) / QUOTE_USD) * QUOTE_USD
}

/** Mean 0, standard deviation 1. */
function walkAt({ options }: World, offering: Ec2Offering, step: number): number {
  const hash = hashOf(options.seed, placeKey(offering))
  let sum = 0
  for (let age = STEPS - 1; age >= 0; age--) {
    sum = sum * PERSISTENCE + (noiseOf(hash, step - age) - 0.5) * Math.sqrt(12)
  }
  return sum * Math.sqrt(1 - PERSISTENCE ** 2)
}

export type Candidate = { readonly override: FleetOverride; readonly price: number; left: number }

const cheapest: Compare<Candidate> = inOrder(
  (a, b) => byNumber(a.price, b.price),
  (a, b) => byNumber(b.left, a.left),
  (a, b) => byText(nameOf(a), nameOf(b)),
)
const nameOf = ({ override }: Candidate): string => `${override.instanceType}/${override.zone}`

/**
 * The place that the next instance is asked of.
 *
 * On-demand (`lowest-price`): the cheapest, whether it has any left or not; an empty one answers
 * with an error and is asked no more. Spot (`price-capacity-optimized`): among the places with at
 * least half of the largest capacity left, the cheapest; empty ones are asked only when all are.
 * Ties go to the deeper place, then to the name.
 */
export function nextCandidate(
  open: readonly Candidate[],
  capacityType: Place['capacityType'],
): Candidate | undefined {
  const most = open.reduce((so, { left }) => Math.max(so, left), 0)
  const deep = (candidate: Candidate): boolean => candidate.left >= most * DEEP_SHARE
  const eligible = capacityType === 'spot' ? open.filter(deep) : open
  return eligible.reduce<Candidate | undefined>(
    (best, own) => (best === undefined || cheapest(own, best) < 0 ? own : best),
    undefined,
  )
}
