/**
 * Buys machines for the replicas that no node has room for: the cheapest set that fits,
 * price-guided.
 *
 * Again and again: fill every offer with what is worth most there, take the offer with the most
 * worth a dollar, and go on with what is left. What is bought is a *claim*: EC2 may bring any of
 * the candidates, so the claim lists every place that holds the content at nearly the best price,
 * and is charged to the pool's limits as the dearest and largest of them.
 */
import { assert } from '../base/assert.ts'
import { byKey, byText, groupBy, inOrder } from '../base/order.ts'
import { LIMITS } from '../model/limits.ts'
import type { Reason } from '../model/status.ts'
import type { Action, Refusal } from './actions.ts'
import { put, TEMPLATE_ROOM_BYTES } from './board.ts'
import { makeClaim, placeOf, slotOfClaim, type ClaimDraft } from './claims.ts'
import type { Demand } from './demand.ts'
import { fill, orderFor, roomByRules, type Bin, type Content, type Want } from './fill.ts'
import type { IdMaker } from './ids.ts'
import type { ProvisionContext } from './provision-context.ts'
import { whyNothingFits, type Offer } from './offers.ts'
import { isZoned } from './topology.ts'

type Choice = { readonly offer: Offer; readonly contents: readonly Content[] }

/** Adds to the claims what it buys for the wants, and takes that off their `left`. */
export function provision(context: ProvisionContext, claims: ClaimDraft[]): void {
  const options = optionsOf(context)
  const launches = openLaunches(claims)
  let choice: Choice | undefined
  while (context.wants.some((want) => want.left > 0)) {
    choice = again(context, choice) ?? bestChoice(context, options)
    if (choice === undefined) break
    const claim = makeClaim(context, choice)
    if (claim === undefined || !launches.take(claim)) break
    putContents(context, claim)
    claims.push(claim)
  }
}

/** Counts the launches that claims need; false for one that needs more than a pass makes. */
function openLaunches(claims: readonly ClaimDraft[]): { take(claim: ClaimDraft): boolean } {
  const sizes = new Map<string, number>()
  let count = 0
  const take = (claim: ClaimDraft): boolean => {
    const key = launchKey(claim)
    const size = sizes.get(key) ?? 0
    const isNew = size % LIMITS.claimsPerLaunch === 0
    if (isNew && count === LIMITS.launchesPerPass) return false
    if (isNew) count += 1
    sizes.set(key, size + 1)
    return true
  }
  for (const claim of claims) take(claim)
  return { take }
}

function putContents({ board }: ProvisionContext, claim: ClaimDraft): void {
  const slot = slotOfClaim(claim)
  for (const { want, count } of claim.contents) {
    assert(count <= want.left, 'a claim takes no more than is left', want.left)
    for (let i = 0; i < count; i += 1) put(board, slot, want.demand)
    want.left -= count
  }
  board.slots.push(slot)
}

export type Launches = {
  readonly actions: readonly Action[]
  /** Nodes (claims) that this pass buys. */
  readonly bought: ReadonlySet<string>
  /** By workload uid: replicas they are bought for. */
  readonly coming: ReadonlyMap<string, number>
}

/** The launches of one pass; whoever needs more than those waits again, for the next. */
export function launchAll(claims: readonly ClaimDraft[], ids: IdMaker): Launches {
  const all = groupClaims(claims)
  const now = all.slice(0, LIMITS.launchesPerPass)
  for (const { want, count } of contentsOf(all.slice(LIMITS.launchesPerPass))) want.left += count
  const coming = new Map<string, number>()
  for (const { want, count } of contentsOf(now)) {
    const { uid } = want.demand.target.workload
    coming.set(uid, (coming.get(uid) ?? 0) + count)
  }
  return {
    actions: now.map((group) => launchOf(group, ids.next())),
    bought: new Set(now.flat().map((claim) => claim.node.name)),
    coming,
  }
}

function contentsOf(launches: readonly (readonly ClaimDraft[])[]): readonly Content[] {
  return launches.flat().flatMap((claim) => claim.contents)
}

/**
 * The same choice once more, if it still holds just the same: what others offer only ever shrinks
 * as wants are served, so what was best is best.
 */
function again(context: ProvisionContext, last: Choice | undefined): Choice | undefined {
  if (last === undefined || !context.limits.allows(last.offer)) return undefined
  const suiting = last.contents.map((own) => own.want)
  const contents = fill(context.board, binOfOffer(last.offer), suiting)
  const isSame =
    contents.length === last.contents.length &&
    contents.every(({ want, count }) =>
      last.contents.some((own) => own.want === want && own.count === count),
    )
  return isSame ? last : undefined
}

/** An offer that may be filled, and what it was worth when that was done last. */
type Option = {
  readonly offer: Offer
  /** The wants it suits, in the order in which it is filled. */
  readonly wants: readonly Want[]
  contents: readonly Content[]
  perUsd: number
  isFresh: boolean
}

/**
 * The offer, filled, that gives most worth a dollar; undefined when nothing left can be bought. As
 * wants are served an offer seldom becomes worth more, and never by much, so those that were worth
 * far less when they were last looked at are not looked at again.
 */
function bestChoice(context: ProvisionContext, options: readonly Option[]): Choice | undefined {
  let best: Option | undefined
  for (const own of options) own.isFresh = false
  for (;;) {
    const next = mostPromising(options)
    if (next === undefined || next.perUsd === 0) break
    if (best !== undefined && next.perUsd < best.perUsd * WORTH_A_LOOK) break
    refill(context, next)
    if (next.perUsd > 0 && (best === undefined || isBetter(next, best))) best = next
  }
  return best
}

function mostPromising(options: readonly Option[]): Option | undefined {
  let most: Option | undefined
  for (const own of options) {
    if (!own.isFresh && (most === undefined || own.perUsd > most.perUsd)) most = own
  }
  return most
}

function refill({ board, limits }: ProvisionContext, option: Option): void {
  const { offer, wants } = option
  option.isFresh = true
  option.contents = limits.allows(offer) ? fill(board, binOfOffer(offer), wants) : []
  const value = option.contents.reduce((sum, own) => sum + own.count * own.want.worth, 0)
  option.perUsd = value / Math.max(offer.priceUsdPerHour, 1e-6)
}

/** Of the best, so much an offer must have been worth: below it, in bursts, nothing was missed. */
const WORTH_A_LOOK = 0.6
/** A difference that floating point makes. */
const SAME = 1e-9

type Rated = { readonly perUsd: number; readonly offer: Offer }

const byName = inOrder<Offer>(
  byKey((offer) => offer.priceUsdPerHour),
  byKey((offer) => offer.type.name),
  byKey((offer) => offer.zone),
  (a, b) => byText(a.pool.name, b.pool.name),
)

function isBetter(a: Rated, b: Rated): boolean {
  if (Math.abs(a.perUsd - b.perUsd) > SAME * Math.max(a.perUsd, b.perUsd))
    return a.perUsd > b.perUsd
  return byName(a.offer, b.offer) < 0
}

/**
 * The offers worth filling, each with the wants it suits. A type is tried in its cheapest zone
 * alone, unless some want cares for zones or must be kept apart from a storm.
 */
function optionsOf(context: ProvisionContext): readonly Option[] {
  const open = context.wants.filter((want) => want.left > 0)
  const perZone = open.some(
    ({ demand }) =>
      isZoned(demand) ||
      demand.spotPoolCap !== Infinity ||
      demand.target.workload.spec.placement.zones !== undefined,
  )
  const byOffer = new Map<Offer, Want[]>()
  for (const want of open) {
    for (const offer of context.offersFor.get(want) ?? []) {
      const wants = byOffer.get(offer)
      if (wants !== undefined) wants.push(want)
      else if (context.limits.allows(offer)) byOffer.set(offer, [want])
    }
  }
  const offers = perZone ? [...byOffer.keys()] : cheapestOf([...byOffer.keys()])
  return offers.map((offer) => {
    const wants = orderFor(binOfOffer(offer), byOffer.get(offer) ?? [])
    return { offer, wants, contents: [], perUsd: Infinity, isFresh: false }
  })
}

/** Each type in its cheapest zone. */
function cheapestOf(offers: readonly Offer[]): readonly Offer[] {
  const cheapest = new Map<string, Offer>()
  for (const offer of offers) {
    const key = `${offer.pool.name}/${offer.type.name}/${offer.capacityType}`
    const known = cheapest.get(key)
    if (known === undefined || byName(offer, known) < 0) cheapest.set(key, offer)
  }
  return [...cheapest.values()]
}

/** An offer as a bin for `fill`. */
export function binOfOffer(offer: Offer): Bin {
  return {
    zones: [offer.zone],
    places: [placeOf(offer)],
    capacityType: offer.capacityType,
    shape: offer.type.allocatable,
    cpuMilli: offer.type.allocatable.cpuMilli,
    memoryMib: offer.type.allocatable.memoryMib,
    devices: Array<number>(offer.type.gpuCount).fill(1000),
    replicas: LIMITS.replicasPerNodeMax,
    templates: new Set(),
    templateRoomBytes: TEMPLATE_ROOM_BYTES,
  }
}

/** Claims that EC2 may answer alike become one launch each, as far as one launch may hold them. */
function groupClaims(claims: readonly ClaimDraft[]): readonly (readonly ClaimDraft[])[] {
  const groups = groupBy(claims, launchKey)
  return [...groups.values()].flatMap((group) => {
    const launches: ClaimDraft[][] = []
    for (let i = 0; i < group.length; i += LIMITS.claimsPerLaunch) {
      launches.push(group.slice(i, i + LIMITS.claimsPerLaunch))
    }
    return launches
  })
}

function launchKey({ node }: ClaimDraft): string {
  return `${node.pool} ${node.capacityType} ${node.claim.places.join(' ')}`
}

function launchOf(claims: readonly ClaimDraft[], id: string): Action {
  const first = claims[0]
  assert(first !== undefined, 'a launch has claims')
  const wants = claims.flatMap((claim) => claim.contents.map((own) => own.want))
  const names = [...new Set(wants.map((own) => own.demand.target.workload.name))].sort(byText)
  return {
    kind: 'launch',
    launch: {
      id,
      pool: first.node.pool,
      capacityType: first.node.capacityType,
      candidates: first.candidates.map((own) => ({
        instanceType: own.type.name,
        zone: own.zone,
      })),
      claims: claims.map((claim) => ({ ...claim.node, launchId: id })),
      workloads: names,
    },
    reason: { code: 'NeedsCapacity', text: `for ${names.join(', ')}` },
  }
}

/** Why those that are left of the want have no place. */
export function refusalOf(want: Want, context: ProvisionContext): Refusal {
  const { target } = want.demand
  return {
    workload: target.workload.name,
    version: target.version,
    count: want.left,
    reasons: whyRefused(want, context),
  }
}

const NOTHING_IDLE: Reason = {
  code: 'NothingIdle',
  text: 'it borrows room that is idle on machines already there, and none is',
}

function whyRefused(want: Want, context: ProvisionContext): readonly Reason[] {
  const offers = context.offersFor.get(want) ?? []
  if (!want.demand.mayBuy) return [NOTHING_IDLE]
  if (offers.length === 0) return whyNothingFits(want.demand, context.snapshot)
  const open = offers.filter((offer) => context.limits.allows(offer))
  if (open.length === 0) {
    const pools = [...new Set(offers.map((offer) => offer.pool.name))].sort(byText)
    return pools.map((pool) => context.limits.reason(pool))
  }
  if (open.every((offer) => roomByRules(context.board, binOfOffer(offer), want) <= 0)) {
    return [whyRulesForbid(want.demand, open)]
  }
  const text = 'more machines are needed than one pass buys; the next pass goes on'
  return [{ code: 'Waiting', text }]
}

function whyRulesForbid(demand: Demand, open: readonly Offer[]): Reason {
  if (demand.spotPoolCap !== Infinity && open.every((offer) => offer.capacityType === 'spot')) {
    const text =
      'every spot pool holds as many as one storm may take; no on-demand machine is allowed'
    return { code: 'SpotStorm', text }
  }
  return { code: 'Topology', text: 'spread, affinity or anti-affinity allows no further place' }
}
