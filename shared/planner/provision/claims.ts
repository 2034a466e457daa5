/**
 * Claims: what is asked of EC2 for one machine's worth of replicas.
 *
 * The more places EC2 may choose from, the likelier it has one. But the candidates must all hold
 * the content, cost nearly the same, stay inside the pool's limits, and, for workloads with a
 * `minAvailable`, be shared out: equal claims get disjoint slices of the places, so that one spot
 * storm cannot take them all.
 */
import { byKey, byText, inOrder } from '../../base/order.ts'
import { remembered } from '../../base/remembered.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Resources } from '../../model/quantities.ts'
import type { Node } from '../../model/node.ts'
import { exposureOf, type Board, type Slot } from '../place/board.ts'
import { afterTaking, deviceFit } from '../place/devices.ts'
import type { Content, Want } from '../place/fill.ts'
import { isZoned } from '../place/topology.ts'
import { isTempting } from './failure-penalty.ts'
import { makeOfferTest, shapeOf, type Offer } from './offers.ts'
import { ALL_RUNTIMES, PROCESS } from './pool-runtimes.ts'
import type { ProvisionContext } from './provision-context.ts'

export type ClaimDraft = {
  readonly node: Node
  readonly candidates: readonly Offer[]
  readonly contents: readonly Content[]
}

/**
 * How much dearer than the best a candidate may be. EC2's spot allocation weighs price against
 * capacity, so the list is kept narrow; on-demand takes the cheapest it has anyway.
 */
const CANDIDATE_PRICE_FACTOR = { spot: 1.2, 'on-demand': 1.5 } as const

/** The claim for the content, charged to the pool's limits; none where no place would do. */
export function makeClaim(
  context: ProvisionContext,
  { candidates, contents }: Omit<ClaimDraft, 'node'>,
): ClaimDraft | undefined {
  const first = candidates[0]
  if (first === undefined) return undefined
  const { pool, capacityType } = first
  const nowMs = context.snapshot.nowMs
  const { shape } = commonOf(candidates)
  const node: Node = {
    kind: 'node',
    name: `${pool.name}-${context.ids.next()}`,
    pool: pool.name,
    phase: 'launching',
    phaseSinceMs: nowMs,
    createdAtMs: nowMs,
    capacityType,
    architecture: first.type.architecture,
    launchId: '',
    claim: { ...shape, boughtFor: countByUid(contents) },
    runtimes: [],
    cordoned: false,
  }
  context.limits.charge(pool.name, shape)
  return { node, candidates, contents }
}

function countByUid(contents: readonly Content[]): Node['claim']['boughtFor'] {
  const counts = new Map<string, number>()
  for (const { want, count } of contents) {
    const { uid } = want.demand.target.workload
    counts.set(uid, (counts.get(uid) ?? 0) + count)
  }
  return [...counts].map(([uid, count]) => ({ uid, count }))
}

/** What all candidates have in common; worked out once for claims that share them. */
const commonOf = remembered((candidates: readonly Offer[]): Common => {
  const models = new Set(candidates.map((own) => own.type.gpuModel))
  const gpuModel = models.size === 1 ? candidates[0]?.type.gpuModel : undefined
  const least = fold(candidates, Math.min, (own) => own.type.allocatable)
  return {
    shape: {
      ...{ places: candidates.map(placeOf), least },
      largest: fold(candidates, Math.max, shapeOf),
      dearestUsdPerHour: Math.max(...candidates.map((own) => own.priceUsdPerHour)),
      ...(gpuModel === undefined ? {} : { gpuModel }),
    },
    types: [...new Map(candidates.map((own) => [own.type.name, own.type])).values()],
    zones: [...new Set(candidates.map((own) => own.zone))].sort(byText),
    devices: Array<number>(Math.floor(least.gpuMilli / 1000)).fill(1000),
  }
})

type Common = Pick<Slot, 'types' | 'zones'> & {
  readonly shape: Omit<Node['claim'], 'boughtFor'>
  /** Of the least that may come. */
  readonly devices: readonly number[]
}

/** The offer, and every other place that would do for the content at nearly its price. */
export function candidatesFor(
  context: ProvisionContext,
  offer: Offer,
  contents: readonly Content[],
): readonly Offer[] {
  const highest = context.weigh(offer) * CANDIDATE_PRICE_FACTOR[offer.capacityType]
  const pinned = contents.some(({ want }) => isZoned(want.demand))
  const tests = contents.map(({ want }) => testOf(want))
  const all = (context.offersFor.get(contents[0]?.want ?? missing()) ?? []).filter(
    (own) =>
      own.pool.name === offer.pool.name &&
      own.capacityType === offer.capacityType &&
      own.type.architecture === offer.type.architecture &&
      context.weigh(own) <= highest + 1e-9 &&
      !isTempting(own, offer, context.penalty) &&
      (!pinned || own.zone === offer.zone) &&
      holds(own, contents) &&
      tests.every((suits) => suits(own)) &&
      isStormSafe(context.board, own, contents) &&
      context.limits.allows(own),
  )
  const sorted = [...all].sort(
    inOrder(
      byKey((own) => (own === offer ? 0 : 1)),
      byKey(context.weigh),
      byKey((own) => own.type.name),
      byKey((own) => own.zone),
    ),
  )
  return Object.freeze(sliceFor(sorted, contents).slice(0, LIMITS.overridesPerLaunch))
}

function testOf({ demand, shunsGpus }: Want): (offer: Offer) => boolean {
  const suits = makeOfferTest(demand)
  return (offer) => suits(offer) && !(shunsGpus && offer.type.gpuCount > 0)
}

function missing(): never {
  throw new Error('a claim has contents')
}

/**
 * The claim's share of the places: with k claims like it still to come for a workload that a storm
 * must not take whole, every k-th place, so that the others find as many.
 */
function sliceFor(sorted: readonly Offer[], contents: readonly Content[]): readonly Offer[] {
  const claims = contents
    .filter(({ want }) => want.demand.spotPoolCap !== Infinity)
    .map(({ want, count }) => Math.ceil(want.left / count))
  const isSpot = sorted[0]?.capacityType === 'spot'
  const step = Math.min(Math.max(1, ...claims), sorted.length)
  return isSpot ? sorted.filter((_, i) => i % step === 0) : sorted
}

function holds(offer: Offer, contents: readonly Content[]): boolean {
  let { cpuMilli, memoryMib, diskMib } = offer.type.allocatable
  let devices: readonly number[] = Array<number>(offer.type.gpuCount).fill(1000)
  for (const { want, count } of contents) {
    const { need } = want.demand
    cpuMilli -= count * need.cpuMilli
    memoryMib -= count * need.memoryMib
    diskMib -= count * need.diskMib
    if (Math.min(cpuMilli, memoryMib, diskMib) < 0) return false
    if (deviceFit(devices, need.gpuMilli) < count) return false
    devices = afterTaking(devices, { needMilli: need.gpuMilli, count })
  }
  return true
}

function isStormSafe(board: Board, offer: Offer, contents: readonly Content[]): boolean {
  if (offer.capacityType !== 'spot') return true
  const place = placeOf(offer)
  return contents.every(
    ({ want, count }) =>
      exposureOf(board, want.demand.target.workload.uid, place) + count <= want.demand.spotPoolCap,
  )
}

export function placeOf(offer: Offer): string {
  return `${offer.type.name}/${offer.zone}`
}

function fold(
  offers: readonly Offer[],
  pick: (...values: number[]) => number,
  of: (offer: Offer) => Resources,
): Resources {
  const all = offers.map(of)
  return {
    cpuMilli: pick(...all.map((own) => own.cpuMilli)),
    memoryMib: pick(...all.map((own) => own.memoryMib)),
    gpuMilli: pick(...all.map((own) => own.gpuMilli)),
    diskMib: pick(...all.map((own) => own.diskMib)),
  }
}

/** The claim as a slot on the board: room for what it was bought for, wherever it comes up. */
export function slotOfClaim({ node, candidates }: ClaimDraft): Slot {
  const first = candidates[0] ?? missing()
  const { types, zones, devices } = commonOf(candidates)
  return {
    node: node.name,
    pool: first.pool,
    capacityType: node.capacityType,
    places: node.claim.places,
    shape: first.type.allocatable,
    ...{ types, zones, ready: false, hasGpus: devices.length > 0 },
    runtimes: first.runsContainers ? ALL_RUNTIMES : PROCESS,
    createdAtMs: node.createdAtMs,
    boughtFor: [],
    freeCpuMilli: node.claim.least.cpuMilli,
    freeMemoryMib: node.claim.least.memoryMib,
    freeDiskMib: node.claim.least.diskMib,
    ...{ freeDevices: devices, stopping: [] },
    replicas: 0,
    templates: NO_TEMPLATES,
    templateBytes: 0,
  }
}

const NO_TEMPLATES: ReadonlySet<string> = new Set()
