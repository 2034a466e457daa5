/**
 * Lots: wants of the same sort, as what is packed together.
 *
 * What is bought knows no workloads: only how much of everything one replica needs, and which
 * machines would do. So wants that are alike in that become one lot, whoever asks, and buying costs
 * as much as there are sorts. Rules about zones are settled before: replicas that must be spread,
 * kept together or kept apart over zones are dealt to zones here, and each zone's share is a lot
 * that only that zone's machines can hold.
 */
import { byKey, byText, inOrder } from '../../base/order.ts'
import { onceFor } from '../../base/remembered.ts'
import type { Resources } from '../../model/quantities.ts'
import { noteZone, type Board } from '../place/board.ts'
import { rulesBy } from '../demand.ts'
import type { Want } from '../place/fill.ts'
import { isZoned, zoneRoom } from '../place/topology.ts'
import type { Offer } from './offers.ts'

export type Member = { readonly want: Want; left: number }

export type Lot = {
  readonly need: Resources
  /** What would do for one replica alone. */
  readonly offers: readonly Offer[]
  /** Where they must be; undefined where any zone would do. */
  readonly zone: string | undefined
  /** The key of the rule by which one machine takes one of them at most. */
  readonly apart: string | undefined
  /** Set where a spot storm must not take too many of them: a lot has one such want alone. */
  readonly capped: Want | undefined
  readonly members: readonly Member[]
}

type LotContext = {
  readonly board: Board
  readonly offersFor: ReadonlyMap<Want, readonly Offer[]>
}

/** The lots of all that is left of the wants and may be bought for. */
export function lotsOf({ board, offersFor }: LotContext, wants: readonly Want[]): readonly Lot[] {
  const lots = new Map<string, Lot & { readonly members: Member[] }>()
  const numbers = new Map<readonly Offer[], number>()
  for (const { want, zone, count } of dealToZones({ board, offersFor }, wants)) {
    const offers = offersFor.get(want) ?? []
    const number = numbers.get(offers) ?? numbers.size
    numbers.set(offers, number)
    const { need, target, spotPoolCap } = want.demand
    const apart = rulesBy(target.workload, 'node').find(({ kind }) => kind === 'antiAffinity')?.key
    const capped = spotPoolCap === Infinity ? undefined : want
    const { cpuMilli, memoryMib, gpuMilli, diskMib } = need
    const of = [number, zone, cpuMilli, memoryMib, gpuMilli, diskMib, apart, capped?.key]
    const key = of.join(' ')
    const lot = lots.get(key) ?? { need, offers, zone, apart, capped, members: [] }
    lot.members.push({ want, left: count })
    lots.set(key, lot)
  }
  return [...lots.values()]
}

type Deal = { readonly want: Want; readonly zone: string | undefined; readonly count: number }

/** How many of each want go to which zone, as far as its rules let them. */
function dealToZones({ board, offersFor }: LotContext, wants: readonly Want[]): readonly Deal[] {
  const deals: Deal[] = []
  const zonesOf = onceFor(zonesByPrice)
  for (const want of wants) {
    const offers = offersFor.get(want) ?? []
    if (want.left === 0 || offers.length === 0) continue
    if (isZoned(want.demand)) deals.push(...dealOut(board, want, zonesOf(offers)))
    else deals.push({ want, zone: undefined, count: want.left })
  }
  for (const { want, zone, count } of deals) {
    if (zone !== undefined) noteZone(board, want.demand, { zone, by: -count })
  }
  return deals
}

/** What is dealt out stands on the board until all is: the next want's share depends on it. */
function dealOut(board: Board, want: Want, among: readonly string[]): readonly Deal[] {
  const deals: Deal[] = []
  let { left } = want
  // Where nothing is sold now the others would wait for what is dealt out there.
  for (const zone of among.filter((own) => want.zones.includes(own))) {
    const room = zoneRoom(board, want.demand, { zone, zones: want.zones })
    const count = Math.min(left, room)
    if (count <= 0) continue
    deals.push({ want, zone, count })
    noteZone(board, want.demand, { zone, by: count })
    left -= count
  }
  return deals
}

/** Those who must all be in one zone go where machines are cheapest. */
function zonesByPrice(offers: readonly Offer[]): readonly string[] {
  const cheapest = new Map<string, number>()
  for (const { zone, priceUsdPerHour } of offers) {
    cheapest.set(zone, Math.min(cheapest.get(zone) ?? Infinity, priceUsdPerHour))
  }
  const byPrice = inOrder<[string, number]>(
    byKey(([, price]) => price),
    ([a], [b]) => byText(a, b),
  )
  return [...cheapest].sort(byPrice).map(([zone]) => zone)
}
