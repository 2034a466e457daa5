/**
 * Turns demands into wants: what may be bought for each, what one replica is worth, where it can
 * be.
 *
 * Here stands the rule by which `spot: allowed` falls back to on-demand: after two failed spot
 * claims, or a minute below the workload's floor, or where no spot may be bought.
 */
import { LIMITS } from '../../model/limits.ts'
import { sameMembers } from '../../base/equal.ts'
import { byText, groupBy } from '../../base/order.ts'
import { onceFor } from '../../base/remembered.ts'
import { demandKey, expect, type Board, type Slot } from '../place/board.ts'
import { topologyRules, type Demand } from '../demand.ts'
import { statusesByUid } from '../facts.ts'
import { deviceFit } from '../place/devices.ts'
import { stormRoom, type Bin, type Want } from '../place/fill.ts'
import { slotSuits, type Suitor } from '../place/slot-suits.ts'
import type { Snapshot } from '../snapshot.ts'
import { isZoned } from '../place/topology.ts'
import { placeOf } from './claims.ts'
import { asksKey, makeOfferTest, type Offer } from './offers.ts'
import type { PoolBook } from './pool-limits.ts'

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
  const sortOf = openSorts(context)
  const spotHasFailed = openSpotHistory(context.snapshot)
  const slots = slotsByZone(context.board)
  const calm = openCalm(context.board)
  expect(context.board, demands)
  const wants = demands.map((demand) => {
    const { shunsGpus, any, spot, sold } = sortOf(demand)
    const offers = spot !== undefined && !spotHasFailed(demand) ? spot : any
    const want: Want = {
      demand,
      shunsGpus,
      zones: isZoned(demand)
        ? zonesFor({ demand, shunsGpus }, sold(calm(offers, demand)), { slots, calm })
        : [],
      key: demandKey(demand),
      ...rulesFor(demand),
      left: demand.count,
    }
    offersFor.set(want, forWholeGroup(offers, demand))
    return want
  })
  return { wants, offersFor }
}

/** What is on the market for all demands that ask for the same sort of machine. */
type Sort = {
  readonly shunsGpus: boolean
  readonly any: readonly Offer[]
  /** Set where spot is to be had, and is enough for those whom a storm may take. */
  readonly spot: readonly Offer[] | undefined
  /** Zones in which some of those may be bought now. */
  readonly sold: (offers: readonly Offer[]) => ReadonlySet<string>
}

function openSorts({ offers, limits }: WantContext): (demand: Demand) => Sort {
  const known = new Map<string, Sort>()
  const one = openLists<Offer>()
  const plainOf = onceFor((own: readonly Offer[]) =>
    one(own.filter((offer) => offer.type.gpuCount === 0)),
  )
  const spotOf = onceFor((own: readonly Offer[]) =>
    one(own.filter((offer) => offer.capacityType === 'spot')),
  )
  const sold = onceFor(
    (own: readonly Offer[]) => new Set(own.filter(limits.allows).map(({ zone }) => zone)),
  )
  return (demand) => {
    const { mayBuy } = demand
    const spotWillDo = demand.capacity === 'any' && demand.spotPoolCap === Infinity
    const key = `${asksKey(demand)} ${String(mayBuy)} ${String(spotWillDo)}`
    const before = known.get(key)
    if (before !== undefined) return before
    const suiting = one(mayBuy ? offers.filter(makeOfferTest(demand)) : [])
    const plain = plainOf(suiting)
    const shunsGpus =
      demand.need.gpuMilli === 0 &&
      demand.target.workload.spec.placement.pools === undefined &&
      plain.length > 0
    const any = shunsGpus ? plain : suiting
    const spot = spotWillDo ? spotOf(any) : []
    const found: Sort = { shunsGpus, any, spot: spot.some(limits.allows) ? spot : undefined, sold }
    known.set(key, found)
    return found
  }
}

/** Of lists that hold the same, the first: what is worked out for one is worked out for all. */
function openLists<T>(): (list: readonly T[]) => readonly T[] {
  const known: (readonly T[])[] = []
  return (list) => {
    const same = known.find((own) => sameMembers(own, list))
    if (same === undefined) known.push(list)
    return same ?? list
  }
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
      count * need.diskMib <= type.allocatable.diskMib &&
      deviceFit(Array<number>(type.gpuCount).fill(1000), need.gpuMilli) >= count,
  )
  return whole.length > 0 ? whole : offers
}

function openSpotHistory({ workloadStatuses, nowMs }: Snapshot): (demand: Demand) => boolean {
  const statuses = statusesByUid(workloadStatuses)
  return ({ target }) => {
    const status = statuses.get(target.workload.uid)
    if (status === undefined) return false
    const belowMs = status.belowMinSinceMs === undefined ? 0 : nowMs - status.belowMinSinceMs
    const isLong = belowMs >= LIMITS.spotFallbackAfterMs
    return isLong || status.spotFailures >= LIMITS.spotFallbackClaims
  }
}

type Places = Pick<Bin, 'capacityType' | 'places'>
type Calm = <T extends Offer | Slot>(own: readonly T[], demand: Demand) => readonly T[]

/** Of those, where a storm would not take more of the workload than it may. */
function openCalm(board: Board): Calm {
  return (all, demand) => {
    if (demand.spotPoolCap === Infinity) return all
    return all.filter((own) => stormRoom(board, placesOf(own), demand) > 0)
  }
}

function placesOf(own: Offer | Slot): Places {
  return 'places' in own ? own : { capacityType: own.capacityType, places: [placeOf(own)] }
}

type SlotsByZone = ReadonlyMap<string, readonly Slot[]>

/** A claim that may still come up in several zones stands in none. */
function slotsByZone({ slots }: Board): SlotsByZone {
  return groupBy(
    slots.filter((own) => own.zones.length === 1),
    (own) => own.zones[0] ?? '',
  )
}

/** Zones that sell something for the demand now, or where a node has room for it. */
function zonesFor(
  suitor: Suitor,
  sold: ReadonlySet<string>,
  { slots, calm }: { slots: SlotsByZone; calm: Calm },
): readonly string[] {
  const zones = new Set(sold)
  for (const [zone, own] of slots) {
    const isOpen = (slot: Slot): boolean => slotSuits(slot, suitor)
    if (!zones.has(zone) && calm(own, suitor.demand).some(isOpen)) zones.add(zone)
  }
  return [...zones].sort(byText)
}
