/**
 * Buys machines for the replicas that no node has room for: the cheapest set that fits,
 * price-guided.
 *
 * Equal replicas are packed as one lot with a count, by the arithmetic that also finds the bound
 * (`packing/`): machine by machine, the one whose filling is worth most for its price. What is
 * bought is a *claim*: EC2 may bring any of the candidates, so the claim lists every place that
 * holds the content at nearly the best price, and is charged to the pool's limits as the dearest
 * and largest of them.
 */
import { byKey, byText, groupBy, inOrder, type Compare } from '../base/order.ts'
import { LIMITS } from '../model/limits.ts'
import { putAll, TEMPLATE_ROOM_BYTES } from './place/board.ts'
import {
  candidatesFor,
  makeClaim,
  placeOf,
  slotOfClaim,
  type ClaimDraft,
} from './provision/claims.ts'
import { byRank, rulesBy } from './demand.ts'
import { deviceFit } from './place/devices.ts'
import { fill, roomByRules, stormRoom, type Bin, type Content, type Want } from './place/fill.ts'
import { lotsOf, type Lot } from './provision/lots.ts'
import type { Offer } from './provision/offers.ts'
import { openGreedy, timesOf, worthAlone, type Greedy } from './packing/greedy.ts'
import { undominated, type PackingProblem, type Pattern, type Shape } from './packing/problem.ts'
import type { Weigh } from './provision/place-history.ts'
import type { ProvisionContext } from './provision/provision-context.ts'

/**
 * Adds to the claims what it buys for the wants, and takes that off their `left`. It stops once
 * something was bought for the most important of them: the others may find room on it.
 */
export function provision(context: ProvisionContext, claims: ClaimDraft[]): void {
  const before = claims.length
  buyProposed(context, claims)
  if (claims.length > before) return
  for (const wants of byRank(context.wants)) {
    buyTogether(context, wants, claims)
    const others = wants.filter((own) => !sharesNode(own))
    for (const lots of mixed(lotsOf(context, others))) buy(context, lots, claims)
    if (claims.length > before) return
  }
}

/** As far as it is still for somebody, and sold. */
function buyProposed(context: ProvisionContext, claims: ClaimDraft[]): void {
  const { board, wants, offersFor, limits, proposed = [] } = context
  for (const { pool, capacityType, places, boughtFor } of proposed.splice(0)) {
    const asked = boughtFor.flatMap(({ uid, count }) =>
      wants
        .filter((own) => own.left > 0 && own.demand.target.workload.uid === uid)
        .map((want) => ({ want, most: count })),
    )
    const [first] = asked
    if (first === undefined) continue
    const isThere = (own: Offer): boolean =>
      own.pool.name === pool && own.capacityType === capacityType && placeOf(own) === places[0]
    const offer = offersFor.get(first.want)?.find(isThere)
    if (offer === undefined || !limits.allows(offer)) continue
    const contents = fill(board, binOfOffer(offer), asked)
    if (contents.length === 0) continue
    const candidates = candidatesFor(context, offer, contents)
    take(context, claims, makeClaim(context, { candidates, contents }))
  }
}

/** Replicas that must share one node are bought one machine, which holds as many as can be. */
function buyTogether(
  context: ProvisionContext,
  wants: readonly Want[],
  claims: ClaimDraft[],
): void {
  for (const want of wants.filter(sharesNode)) {
    const choices = (context.offersFor.get(want) ?? [])
      .filter(context.limits.allows)
      .map((offer) => {
        const count = Math.min(want.left, roomFor(context, offer, want))
        return { offer, count, perUsd: count / Math.max(context.weigh(offer), LEAST_USD_PER_HOUR) }
      })
    const best = choices.filter((own) => own.count > 0).toSorted(byWorth)[0]
    if (best === undefined) continue
    const contents = [{ want, count: best.count }]
    const candidates = candidatesFor(context, best.offer, contents)
    take(context, claims, makeClaim(context, { candidates, contents }))
  }
}

const sharesNode = ({ demand }: Want): boolean =>
  rulesBy(demand.target.workload, 'node').some(({ kind }) => kind === 'affinity')

type Choice = { readonly offer: Offer; readonly perUsd: number }

const byWorth = inOrder<Choice>(
  byKey((own) => -own.perUsd),
  byKey((own) => own.offer.type.name),
  byKey((own) => own.offer.zone),
  (a, b) => byText(a.offer.pool.name, b.offer.pool.name),
)

function roomFor({ board }: ProvisionContext, offer: Offer, want: Want): number {
  const { cpuMilli, memoryMib, gpuMilli, diskMib } = want.demand.need
  const { devices, ...bin } = binOfOffer(offer)
  return Math.min(
    bin.replicas,
    cpuMilli === 0 ? Infinity : Math.floor(bin.cpuMilli / cpuMilli),
    memoryMib === 0 ? Infinity : Math.floor(bin.memoryMib / memoryMib),
    diskMib === 0 ? Infinity : Math.floor(bin.diskMib / diskMib),
    deviceFit(devices, gpuMilli),
    roomByRules(board, { ...bin, devices }, want),
  )
}

/** The time it takes to fill a machine grows with the lots to choose from; the gain hardly does. */
const LOTS_AT_ONCE = 128

/** Few enough lots at a time, each time of every kind: what fills a machine well is a mixture. */
function mixed(lots: readonly Lot[]): readonly (readonly Lot[])[] {
  const parts = Math.ceil(lots.length / LOTS_AT_ONCE)
  const byKind = lots.toSorted(byKey(({ need }) => need.cpuMilli / Math.max(1, need.memoryMib)))
  return [...groupBy(byKind.entries(), ([i]) => i % parts).values()].map((part) =>
    part.map(([, lot]) => lot),
  )
}

/** Buys for the lots until they are served, or nothing more can be had. */
function buy(context: ProvisionContext, lots: readonly Lot[], claims: ClaimDraft[]): void {
  const market = openMarket(context, lots)
  const greedy = openGreedy(market.problem, {
    worth: worthOn(market, context),
    width: FILL_WIDTH,
    finalists: FINALISTS,
    replicasMax: LIMITS.replicasPerNodeMax,
    ...(market.lots.some((own) => own.capped !== undefined)
      ? { most: mostOf(context, market) }
      : {}),
  })
  for (let next = greedy.next(); next !== undefined; next = greedy.next()) {
    const bought = buyAlike({ context, market, greedy, claims }, next)
    if (bought === 0) greedy.close(next.machine)
  }
}

/** By lot: what its replicas are known to be worth, or else cost alone. */
function worthOn({ problem, lots }: Market, { worthOf }: ProvisionContext): Float64Array {
  const alone = worthAlone(problem)
  if (worthOf === undefined) return alone
  return alone.map((own, i) => {
    const [member] = lots[i]?.members ?? []
    const known = member === undefined ? undefined : worthOf(member.want.demand)
    return known === undefined ? own : Math.max(known, LEAST_WORTH * own)
  })
}

/** Of what it costs alone: what costs nothing more is bought for all the same. */
const LEAST_WORTH = 1e-3

/** Unfinished fillings that go on at a time while one machine is filled. */
const FILL_WIDTH = 4
/** Machines that are filled in earnest before one is bought. */
const FINALISTS = 3

/** What may be bought, as the packing sees it, and what that stands for. */
type Market = {
  readonly problem: PackingProblem
  readonly lots: readonly Lot[]
  /** By machine. */
  readonly offers: readonly Offer[]
}

/**
 * Lots become shapes and offers machines. A type is looked at in its cheapest zone alone, unless
 * some lot cares for zones or must be kept apart from a storm.
 */
function openMarket({ limits, weigh }: ProvisionContext, lots: readonly Lot[]): Market {
  const isCapped = lots.some(({ capped }) => capped !== undefined)
  const perZone = lots.some(
    ({ zone, members }) =>
      isCapped ||
      zone !== undefined ||
      members.some(({ want }) => want.demand.target.workload.spec.placement.zones !== undefined),
  )
  const byPrice = comparePrices(weigh)
  const byName = new Map<string, Offer>()
  const names = new Map<Offer, string>()
  const onSale = [...new Set(lots.map((lot) => lot.offers))]
  for (const offer of new Set(onSale.flat())) {
    if (!limits.allows(offer)) continue
    const name = machineName(offer, perZone)
    names.set(offer, name)
    const known = byName.get(name)
    if (known === undefined || byPrice(offer, known) < 0) byName.set(name, offer)
  }
  const taken = makeTaken(names)
  const open = lots.map((lot) => ({ lot, takes: taken(lot) })).filter(({ takes }) => takes.size > 0)
  const shapes = open.map(({ lot, takes }) => shapeOfLot(lot, takes))
  const offers = [...byName].toSorted(([, a], [, b]) => byPrice(a, b))
  const all = offers.map(([name, own]) => machineOf(name, own, weigh(own)))
  // A storm takes a place, so the next best place is worth having too.
  const machines = isCapped ? all : undominated({ shapes, machines: all })
  return {
    problem: { shapes, machines },
    lots: open.map(({ lot }) => lot),
    offers: machines.flatMap(({ name }) => byName.get(name) ?? []),
  }
}

function machineName({ pool, type, capacityType, zone }: Offer, perZone: boolean): string {
  return `${pool.name}/${type.name}/${capacityType}${perZone ? `/${zone}` : ''}`
}

/** Lots with the same offers share one set of names. */
function makeTaken(names: ReadonlyMap<Offer, string>): (lot: Lot) => ReadonlySet<string> {
  const known = new Map<readonly Offer[], Map<string, ReadonlySet<string>>>()
  return ({ offers, zone = '' }) => {
    const byZone = known.get(offers) ?? new Map<string, ReadonlySet<string>>()
    known.set(offers, byZone)
    const before = byZone.get(zone)
    if (before !== undefined) return before
    const inZone = zone === '' ? offers : offers.filter((own) => own.zone === zone)
    const taken = new Set(inZone.flatMap((own) => names.get(own) ?? []))
    byZone.set(zone, taken)
    return taken
  }
}

function shapeOfLot({ need, apart, members }: Lot, takes: ReadonlySet<string>): Shape {
  const { cpuMilli, memoryMib, gpuMilli, diskMib } = need
  const count = members.reduce((sum, own) => sum + own.left, 0)
  const alone = apart === undefined ? {} : { apart, mostPerMachine: 1 }
  return { cpuMilli, memoryMib, gpuMilli, diskMib, count, takes, ...alone }
}

function machineOf(
  name: string,
  { type }: Offer,
  usdPerHour: number,
): PackingProblem['machines'][number] {
  const { cpuMilli, memoryMib, diskMib } = type.allocatable
  const price = Math.max(usdPerHour, LEAST_USD_PER_HOUR)
  return { name, cpuMilli, memoryMib, diskMib, gpus: type.gpuCount, priceUsdPerHour: price }
}

/** What costs nothing is worth buying all the same. */
const LEAST_USD_PER_HOUR = 1e-6

const comparePrices = (weigh: Weigh): Compare<Offer> =>
  inOrder(
    byKey(weigh),
    byKey((offer) => offer.type.name),
    byKey((offer) => offer.zone),
    (a, b) => byText(a.pool.name, b.pool.name),
  )

/** What a storm in that place may take of a lot, besides what is there already. */
function mostOf(
  { board }: ProvisionContext,
  { lots, offers }: Market,
): (machine: number, shape: number) => number {
  const bins = offers.map(binOfOffer)
  return (machine, shape) => {
    const [want, bin] = [lots[shape]?.capped, bins[machine]]
    if (want === undefined || bin === undefined) return Infinity
    return Math.max(0, stormRoom(board, bin, want.demand))
  }
}

type Buying = {
  readonly context: ProvisionContext
  readonly market: Market
  readonly greedy: Greedy
  readonly claims: ClaimDraft[]
}

/** Buys the pattern as often as there are replicas for it; returns how often that was. */
function buyAlike({ context, market, greedy, claims }: Buying, pattern: Pattern): number {
  const offer = market.offers[pattern.machine]
  if (offer === undefined) return 0
  const own = market.lots.flatMap((lot, i) => (pattern.counts[i] === 0 ? [] : [{ lot, i }]))
  const isCapped = own.some(({ lot }) => lot.capped !== undefined)
  const times = isCapped ? 1 : timesOf(pattern, greedy.left)
  const counts = new Int32Array(pattern.counts.length)
  let last: ClaimDraft | undefined
  for (let n = 0; n < times; n += 1) {
    if (!context.limits.allows(offer)) return n
    const contents = contentsOf(own, { wanted: pattern.counts, taken: counts })
    if (contents.length === 0) return n
    const isOpen = last !== undefined && context.limits.holds(last.node)
    const candidates =
      last !== undefined && isOpen ? last.candidates : candidatesFor(context, offer, contents)
    last = makeClaim(context, { candidates, contents })
    if (!take(context, claims, last)) return n
    greedy.take({ machine: pattern.machine, counts }, 1)
  }
  return times
}

type Counts = { readonly wanted: Int32Array; readonly taken: Int32Array }

/** Whose replicas they are: of each lot the members come in turn. */
function contentsOf(
  lots: readonly { readonly lot: Lot; readonly i: number }[],
  { wanted, taken }: Counts,
): readonly Content[] {
  const contents: Content[] = []
  let roomBytes = TEMPLATE_ROOM_BYTES
  for (const { lot, i } of lots) {
    let left = wanted[i] ?? 0
    for (const member of lot.members) {
      if (left === 0) break
      const count = Math.min(left, member.left)
      const { templateBytes } = member.want.demand
      if (count === 0 || templateBytes > roomBytes) continue
      contents.push({ want: member.want, count })
      roomBytes -= templateBytes
      left -= count
      member.left -= count
    }
    taken[i] = (wanted[i] ?? 0) - left
  }
  return contents
}

/** Puts the claim's content onto the board; false where there is no claim. */
function take(
  { board }: ProvisionContext,
  claims: ClaimDraft[],
  claim: ClaimDraft | undefined,
): boolean {
  if (claim === undefined) return false
  const slot = slotOfClaim(claim)
  putAll(board, slot, claim.contents)
  for (const { want, count } of claim.contents) want.left -= count
  board.slots.push(slot)
  claims.push(claim)
  return true
}

/** An offer as a bin. */
export function binOfOffer(offer: Offer): Bin {
  return {
    zones: [offer.zone],
    places: [placeOf(offer)],
    capacityType: offer.capacityType,
    cpuMilli: offer.type.allocatable.cpuMilli,
    memoryMib: offer.type.allocatable.memoryMib,
    diskMib: offer.type.allocatable.diskMib,
    devices: Array<number>(offer.type.gpuCount).fill(1000),
    replicas: LIMITS.replicasPerNodeMax,
    templates: new Set(),
    templateRoomBytes: TEMPLATE_ROOM_BYTES,
  }
}
