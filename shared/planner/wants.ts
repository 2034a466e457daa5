/**
 * Turns demands into wants: what may be bought for each, what one replica is worth, where it can
 * be.
 *
 * Here stands the rule by which `spot: allowed` falls back to on-demand: after two failed spot
 * claims, or a minute below the workload's floor, or where no spot may be bought.
 */
import { LIMITS } from '../model/limits.ts'
import { byText } from '../base/order.ts'
import { demandKey, expect, type Board } from './board.ts'
import { topologyRules, type Demand } from './demand.ts'
import { deviceFit } from './devices.ts'
import type { Want } from './fill.ts'
import { makeOfferTest, type Offer } from './offers.ts'
import type { PoolBook } from './pool-limits.ts'
import { slotSuits, type Suitor } from './slot-suits.ts'
import type { Snapshot } from './snapshot.ts'
import { isZoned } from './topology.ts'

export type Wants = {
  readonly wants: readonly Want[]
  readonly offersFor: ReadonlyMap<Want, readonly Offer[]>
}

export type WantContext = {
  readonly snapshot: Snapshot
  readonly board: Board
  readonly offers: readonly Offer[]
  readonly limits: Pick<PoolBook, 'allows'>
}

export function wantsOf(demands: readonly Demand[], context: WantContext): Wants {
  const offersFor = new Map<Want, readonly Offer[]>()
  expect(context.board, demands)
  const wants = demands.map((demand) => {
    const mayBuy = demand.mayBuy && demand.target.template.image === undefined
    const suiting = mayBuy ? context.offers.filter(makeOfferTest(demand)) : []
    const plain = suiting.filter((offer) => offer.type.gpuCount === 0)
    const shunsGpus =
      demand.need.gpuMilli === 0 &&
      demand.target.workload.spec.placement.pools === undefined &&
      plain.length > 0
    const open = byCapacity(shunsGpus ? plain : suiting, demand, context)
    const offers = forWholeGroup(open, demand)
    const prices = offers.map((offer) => offer.priceUsdPerHour)
    const want: Want = {
      demand,
      shunsGpus,
      buysOnDemand: offers.some((offer) => offer.capacityType === 'on-demand'),
      worth: prices.length === 0 ? 0 : prices.reduce((a, b) => Math.min(a, b)),
      zones: isZoned(demand)
        ? zonesFor({ demand, shunsGpus }, offers.filter(context.limits.allows), context.board)
        : [],
      key: demandKey(demand),
      ...rulesFor(demand),
      left: demand.count,
    }
    offersFor.set(want, offers)
    return want
  })
  return { wants, offersFor }
}

/** The rules that a filling looks at again and again. */
function rulesFor({ target }: Demand): Pick<Want, 'shuns' | 'spreads'> {
  const rules = topologyRules(target.workload)
  return {
    shuns: rules.filter((own) => own.kind === 'antiAffinity').map((own) => own.key),
    spreads: rules
      .filter((own) => own.kind === 'spread' && own.by === 'zone')
      .map((own) => own.key),
  }
}

/** Replicas that must share a node need one that holds them all, where there is such a one. */
function forWholeGroup(offers: readonly Offer[], demand: Demand): readonly Offer[] {
  const { need, count, target } = demand
  const together = topologyRules(target.workload).some(
    (rule) => rule.kind === 'affinity' && rule.by === 'node',
  )
  if (!together) return offers
  const whole = offers.filter(
    ({ type }) =>
      count * need.cpuMilli <= type.allocatable.cpuMilli &&
      count * need.memoryMib <= type.allocatable.memoryMib &&
      deviceFit(Array<number>(type.gpuCount).fill(1000), need.gpuMilli) >= count,
  )
  return whole.length > 0 ? whole : offers
}

/**
 * Where any will do, spot unless it failed or its pools are at their limits; a workload that storms
 * must not take may use both.
 */
function byCapacity(
  offers: readonly Offer[],
  demand: Demand,
  { snapshot, limits }: WantContext,
): readonly Offer[] {
  if (demand.capacity !== 'any') return offers
  const spot = offers.filter((offer) => offer.capacityType === 'spot')
  if (!spot.some(limits.allows) || spotHasFailed(demand, snapshot)) return offers
  return demand.spotPoolCap === Infinity ? spot : offers
}

function spotHasFailed(demand: Demand, { workloadStatuses, nowMs }: Snapshot): boolean {
  const status = workloadStatuses.find((own) => own.uid === demand.target.workload.uid)
  if (status === undefined) return false
  const belowMs = status.belowMinSinceMs === undefined ? 0 : nowMs - status.belowMinSinceMs
  return status.spotFailures >= LIMITS.spotFallbackClaims || belowMs >= LIMITS.spotFallbackAfterMs
}

/** Zones that sell something for the demand now, or where a node has room for it. */
function zonesFor(suitor: Suitor, offers: readonly Offer[], board: Board): readonly string[] {
  const zones = new Set(offers.map((offer) => offer.zone))
  for (const slot of board.slots) {
    const zone = slot.zones[0]
    if (slot.zones.length !== 1 || zone === undefined || zones.has(zone)) continue
    if (slotSuits(slot, suitor)) zones.add(zone)
  }
  return [...zones].sort(byText)
}
