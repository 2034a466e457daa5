/**
 * What would become of the work on some nodes if they went: the planner itself is asked.
 *
 * The nodes are drained in a draft that nobody carries out, and the stages that find places and buy
 * machines do what they would do then. So a repack honours every rule of placing there is, because
 * it is those rules: topology, storms, quotas, the on-demand base, limits. Only what stands ready
 * counts as room; machines that are on their way were bought for somebody else.
 */
import { sum } from '../../base/sum.ts'
import type { Shortage } from '../../model/facts.ts'
import type { Offering } from '../../model/machine.ts'
import type { Node, NodePhase } from '../../model/node.ts'
import type { RepackLaunch, RepackShift } from '../../model/repack.ts'
import type { Reason } from '../../model/status.ts'
import type { Action, PlannedLaunch } from '../actions.ts'
import { admit } from '../admit.ts'
import { priceNow } from '../bound.ts'
import type { Allows } from './market.ts'
import type { BrakeBook } from '../brake.ts'
import { emptyAssignment, fold, type Draft } from '../fold.ts'
import { hasHeadroom } from '../provision/headroom.ts'
import { makeIds, type IdMaker } from '../ids.ts'
import { offeringKey } from '../provision/prices.ts'
import type { WorthOf } from '../provision/provision-context.ts'
import { isLeaving } from '../replicas.ts'
import type { Snapshot } from '../snapshot.ts'
import { supply, type Supply } from '../supply.ts'
import { setCourses } from '../rollout.ts'
import { target } from '../target.ts'

/** The herd as trials see it. */
export type Ground = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  /** Nodes that are going already in this draft, and whose work has no new place yet. */
  readonly going: readonly string[]
  /** Uids of workloads of which replicas have moved aside in it, and have no new place yet. */
  readonly aside: readonly string[]
  /** Nodes that were bought for groups. */
  readonly bought: readonly string[]
  /** Pieces of headroom for which there is no room even so. */
  readonly headroomShort: number
  readonly brakes: BrakeBook
  /** Shortages that this very pass has found. */
  readonly shortages: readonly Shortage[]
}

export type Trial =
  | {
      readonly fits: true
      readonly launches: readonly PlannedLaunch[]
      /** USD an hour of what is bought, if it comes up where it is cheapest. */
      readonly usdPerHour: number
      readonly draft: Draft
    }
  | { readonly fits: false; readonly reason: Reason }

export type GroundContext = Omit<Ground, 'going' | 'aside' | 'bought' | 'headroomShort'>

/** Groups that wait are carried through in it, or just the one; no other coming node is open. */
export function groundOf(context: GroundContext, group?: string): Ground {
  return groundWith(context, (own) => group === undefined || own === group)
}

/** The herd as it stands: no group is carried through. */
export function groundNow(context: GroundContext): Ground {
  return groundWith(context, () => false)
}

function groundWith(context: GroundContext, isCarried: (group: string) => boolean): Ground {
  const { draft, snapshot } = context
  const nodes = [...draft.nodes.values()]
  const isMember = ({ repack }: Node): boolean => repack !== undefined && isCarried(repack.group)
  const going = nodes.filter(
    (own) => isMember(own) && own.repack?.side === 'retire' && !isLeaving(own),
  )
  const shifts = nodes.flatMap((own) => (isMember(own) && isStaying(own) ? shiftsOff(own) : []))
  const changes = nodes.flatMap((own): Action[] => {
    const isOpen = isMember(own) && own.repack?.side !== 'retire'
    if (isOpen) return [note(own, { repack: undefined })]
    const isComing = own.phase !== 'ready' && !own.cordoned
    return isComing ? [note(own, { cordoned: true })] : []
  })
  const bought = nodes.filter((own) => isMember(own) && own.repack?.side === 'launch')
  const names = going.map((own) => own.name)
  const aside = uidsOf(shifts, draft)
  const gone = [...forgetting(shifts), ...drainsOf(names, snapshot.nowMs)]
  const ground = fold(draft, [...changes, ...gone], snapshot)
  return {
    ...{ ...context, draft: ground, going: names, aside, bought: bought.map((own) => own.name) },
    headroomShort: shortOf({ ...context, draft: ground }),
  }
}

const isStaying = ({ repack }: Node): boolean => repack?.side === 'stay' || repack?.side === 'shift'

const shiftsOff = ({ name, repack }: Node): readonly RepackShift[] =>
  repack?.shift.filter((own) => own.node === name) ?? []

function uidsOf(shifts: readonly RepackShift[], { assignments }: Draft): readonly string[] {
  return shifts.flatMap(({ node, replica }) =>
    (assignments.get(node)?.replicas ?? []).flatMap(({ id, uid }) => (id === replica ? [uid] : [])),
  )
}

function forgetting(shifts: readonly RepackShift[]): readonly Action[] {
  const reason = { code: 'Moved', text: 'a trial' }
  return shifts.map(({ node, replica }) => ({ kind: 'forget', node, replicas: [replica], reason }))
}

/** As `tryBoth`, where some move aside first: what is bought for them is bought as well. */
export function tryShifted(
  ground: Ground,
  shifts: readonly RepackShift[],
  without: Without,
): Trial {
  if (shifts.length === 0) return tryBoth(ground, without)
  const { snapshot } = ground
  const nodes = shifts.flatMap((own) => ground.draft.nodes.get(own.node) ?? [])
  const aside = uidsOf(shifts, ground.draft)
  if (aside.length < shifts.length) return NOWHERE_TO_GO
  const closed = nodes.map((own) => note(own, { cordoned: true }))
  const draft = fold(ground.draft, [...forgetting(shifts), ...closed], snapshot)
  const going = { ...ground, draft, aside: [...ground.aside, ...aside] }
  const first = tryBoth(going, { ...without, retire: [] })
  if (!first.fits) return first
  const cleared = after(going, [], first)
  if (cleared.aside.length > 0) return NOWHERE_TO_GO
  const opened = nodes.map((own) => note(own, { cordoned: own.cordoned }))
  const then = tryBoth({ ...cleared, draft: fold(cleared.draft, opened, snapshot) }, without)
  if (!then.fits) return then
  const launches = [...first.launches, ...then.launches]
  return { ...then, launches, usdPerHour: first.usdPerHour + then.usdPerHour }
}

const NOWHERE_TO_GO: Trial = {
  fits: false,
  reason: { code: 'NoRoom', text: 'who was to move aside has no place to go' },
}

function shortOf(context: GroundContext): number {
  if (!context.snapshot.pools.some(hasHeadroom)) return 0
  const ids = makeIds(context.snapshot.pass.epoch)
  return supply({ ...context, targets: [], ids }).headroomShort
}

export type Without = {
  readonly retire: readonly string[]
  /** What may be bought, of a market that has all there is (`marketFor`). */
  readonly allows: Allows
  readonly market: readonly Offering[]
  readonly ids: IdMaker
  readonly worthOf?: WorthOf | undefined
  /** What to buy before anything else. */
  readonly proposed?: readonly RepackLaunch[]
}

export function tryWithout(ground: Ground, without: Without): Trial {
  const { retire, allows, market } = without
  const { snapshot: whole, going } = ground
  const snapshot = { ...whole, offerings: market }
  const draft = fold(ground.draft, drainsOf(retire, snapshot.nowMs), snapshot)
  const found = rehouse({ ...ground, snapshot, draft, going: [...retire, ...going] }, without)
  const refused = found.refusals[0]
  if (refused !== undefined) {
    const why = refused.reasons[0] ?? { code: 'NoRoom', text: 'there is no room' }
    return { fits: false, reason: { ...why, text: `${refused.workload}: ${why.text}` } }
  }
  const launches = found.actions.flatMap((own) => (own.kind === 'launch' ? [own.launch] : []))
  const isAtOthersCost = found.actions.some((own) => own.kind === 'stop')
  if (isAtOthersCost || found.reclaim.reservations.size > 0) {
    return { fits: false, reason: { code: 'NoRoom', text: 'others would have to give way' } }
  }
  if (found.headroomShort > ground.headroomShort) {
    const text = "there would be no room for its pool's headroom"
    return { fits: false, reason: { code: 'NoRoom', text } }
  }
  const claims = launches.flatMap((own) => own.claims)
  if (!launches.every((own) => isAllowed(own, whole, allows))) {
    return { fits: false, reason: { code: 'NoRoom', text: 'there is nothing to buy for its work' } }
  }
  return {
    fits: true,
    launches,
    usdPerHour: sum(claims.map((own) => priceNow(own, whole))),
    draft: fold(
      draft,
      found.actions.filter((own) => own.kind === 'launch'),
      snapshot,
    ),
  }
}

/** The cheaper of two trials: with what replicas are worth in the cheapest fleet, and without. */
export function tryBoth(ground: Ground, { worthOf, ...without }: Without): Trial {
  const alone = tryWithout(ground, without)
  if (worthOf === undefined || !alone.fits || alone.launches.length === 0) return alone
  const known = tryWithout(ground, { ...without, worthOf })
  return known.fits && known.usdPerHour < alone.usdPerHour ? known : alone
}

/** Finds places for the work on nodes that are going. */
function rehouse(
  { snapshot, draft, going, aside, shortages, brakes }: Ground,
  means: Pick<Without, 'ids' | 'worthOf' | 'proposed'>,
): Supply {
  const targeted = target({ snapshot, draft, courses: setCourses(snapshot, draft) })
  const { admitted } = admit({ snapshot, draft, targets: targeted })
  const leaving = going.flatMap((name) => draft.assignments.get(name)?.replicas ?? [])
  const touched = new Set([...aside, ...leaving.map((own) => own.uid)])
  const targets = admitted.filter((own) => touched.has(own.workload.uid))
  const { ids, worthOf, proposed } = means
  return supply({ snapshot, draft, targets, shortages, brakes, ids, worthOf, proposed })
}

/**
 * The ground with the work of what is going already where it will be. Were a place sought for it
 * anew in every trial, it would be in the way of the work that is asked about.
 */
export function settled(ground: Ground): Ground {
  const { snapshot, going, aside } = ground
  if (going.length === 0 && aside.length === 0) return ground
  const draft = withBought(ground)
  const found = rehouse({ ...ground, draft }, { ids: makeIds(snapshot.pass.epoch) })
  const isAllPlaced = found.refusals.length === 0 && found.actions.every(isBind)
  return isAllPlaced
    ? { ...ground, draft: fold(draft, found.actions, snapshot), going: [], aside: [] }
    : ground
}

const isBind = ({ kind }: Action): boolean => kind === 'bind'

/** Machines that were bought for groups, as if they were up: work can be bound to them. */
function withBought({ draft, bought, snapshot: { nowMs } }: Ground): Draft {
  const nodes = new Map(draft.nodes)
  const assignments = new Map(draft.assignments)
  for (const name of bought) {
    const node = nodes.get(name)
    if (node === undefined || !COMING.has(node.phase)) continue
    nodes.set(name, { ...node, phase: 'ready', phaseSinceMs: nowMs })
    if (!assignments.has(name)) {
      assignments.set(name, emptyAssignment(name, node.machine?.arn ?? name))
    }
  }
  return Object.freeze({ nodes, assignments })
}

const COMING: ReadonlySet<NodePhase> = new Set(['launching', 'booting', 'testing'])

/** The first place is the cheapest; those that are forbidden are much dearer than any other. */
function isAllowed(
  { candidates, capacityType }: PlannedLaunch,
  { offerings }: Snapshot,
  allows: Allows,
): boolean {
  const [first] = candidates
  if (first === undefined) return false
  const key = offeringKey({ ...first, capacityType })
  const sold = offerings.find((own) => offeringKey(own) === key)
  return sold !== undefined && allows(sold)
}

/** The ground once what was tried is done. */
export function after(
  ground: Ground,
  retire: readonly string[],
  { draft, launches }: Extract<Trial, { fits: true }>,
): Ground {
  const fresh = launches.flatMap(({ claims }) => claims.map((own) => own.name))
  const [going, bought] = [
    [...ground.going, ...retire],
    [...ground.bought, ...fresh],
  ]
  return settled({ ...ground, draft, going, bought })
}

function drainsOf(names: readonly string[], nowMs: number): readonly Action[] {
  const reason = { code: 'Repacked', text: 'a trial' }
  return names.map((node) => ({
    ...{ kind: 'drain', node, because: 'Repacked', deadlineMs: nowMs, reason },
  }))
}

function note({ name }: Node, changes: Extract<Action, { kind: 'note' }>['changes']): Action {
  return { kind: 'note', node: name, changes, reason: { code: 'Noted', text: 'a trial' } }
}
