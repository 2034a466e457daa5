/**
 * Decides which of the proposed groups are begun now, and which of those begun may move.
 *
 * `repack` proposes from a herd that has changed since. So everything is decided again here, on the
 * newest snapshot: whether the nodes may still be touched, whether their work still fits, whether
 * that still saves enough. A group is begun by buying its machines, and the old ones are drained
 * only when the new ones are ready, and cheaper as they came up; else the old ones are kept.
 */
import { sum } from '../base/sum.ts'
import { suiteOf } from '../model/burn-in.ts'
import { LIMITS } from '../model/limits.ts'
import type { Node } from '../model/node.ts'
import type { RepackRefusal } from '../model/proposal.ts'
import type { RepackGroup, RepackMark, RepackReason, RepackShift } from '../model/repack.ts'
import type { Reason } from '../model/status.ts'
import type { Action } from './actions.ts'
import { priceNow } from './bound.ts'
import { poolsByName } from './facts.ts'
import { fold, type Draft } from './fold.ts'
import type { IdMaker } from './ids.ts'
import {
  DRAIN_FOR,
  failureOf,
  giveUp,
  isLike,
  liveGroups,
  offeringsOf,
  type Failed,
  type LiveGroup,
} from './repack/groups.ts'
import { budgetOf, herdOf, holdBefore, holdOn, type Herd, type Hold } from './repack/herd.ts'
import { calmOf, marketFor, openRisk, placesOf, type Allows } from './repack/market.ts'
import { isWorthIt, movesOff } from './repack/saving.ts'
import {
  groundNow,
  groundOf,
  settled,
  tryShifted,
  tryWithout,
  type GroundContext,
  type Trial,
} from './repack/trial.ts'

export type RepackContext = GroundContext & {
  readonly ids: IdMaker
  /** Pools at whose limit somebody waits. */
  readonly blocked: ReadonlySet<string>
  /** Nodes on which this very pass keeps room for somebody. */
  readonly kept: ReadonlySet<string>
  /** Groups that were given up earlier in this pass. */
  readonly failed: readonly Failed[]
}

export type Repacked = {
  readonly actions: readonly Action[]
  /** Nodes that were bought for a group and wait for it to move. */
  readonly reserved: ReadonlySet<string>
  readonly refusals: readonly RepackRefusal[]
  readonly failed: readonly Failed[]
  /** Moments at which this would be decided otherwise though nothing else had changed. */
  readonly moments: readonly number[]
}

/** What is being decided in this pass. */
type Desk = {
  readonly context: RepackContext
  readonly herd: Herd
  readonly actions: Action[]
  readonly refusals: RepackRefusal[]
  readonly failed: Failed[]
  readonly moments: number[]
  /** The herd with what was decided so far. */
  draft: Draft
  trials: number
}

export function repack(context: RepackContext): Repacked {
  const { snapshot, draft } = context
  const live = liveGroups(draft)
  const proposed = proposedNow(context)
  if (live.length === 0 && proposed.length === 0) return NOTHING
  const desk: Desk = {
    ...{ context, herd: herdOf(snapshot, draft, context.kept), draft, trials: 0 },
    ...{ actions: [], refusals: [], failed: [], moments: live.map((own) => own.mark.untilMs) },
  }
  for (const group of live) if (!group.isMoving) goOn(desk, group)
  // What was just drained has no new place yet: who is asked now would be told of room that is not.
  if (desk.actions.every((own) => own.kind !== 'drain')) beginAll(desk, proposed)
  const { actions, refusals, failed, moments } = desk
  const reserved = [...desk.draft.nodes.values()].filter((own) => own.repack?.side === 'launch')
  return { actions, refusals, failed, moments, reserved: new Set(reserved.map((own) => own.name)) }
}

const NOTHING: Repacked = {
  ...{ actions: [], reserved: new Set(), refusals: [], failed: [], moments: [] },
}

/** Of a proposal that is not too old, the groups whose nodes are all there and not on the move. */
function proposedNow({ snapshot, draft }: RepackContext): readonly RepackGroup[] {
  const { proposal, nowMs } = snapshot
  if (proposal === undefined || nowMs - proposal.atMs > LIMITS.repackProposalMaxAgeMs) return []
  return proposal.groups.filter((group) =>
    group.retire.every((name) => {
      const node = draft.nodes.get(name)
      return node !== undefined && node.repack === undefined
    }),
  )
}

/** A group whose machines are all ready moves, if it still does what it was begun for. */
function goOn(desk: Desk, group: LiveGroup): void {
  const { context, herd } = desk
  const { launch, retire, shift, mark } = group
  const isInTheWay = launch.some((own) => context.blocked.has(own.pool))
  if (isInTheWay) {
    const text = 'others need the room in its pool'
    end(desk, group, { code: 'RoomNeeded', text })
    return
  }
  if (launch.some((own) => own.phase !== 'ready')) return
  if (isShifting(desk, group)) return
  const held = retire.map((own) => holdOn(own, herd)).find((own) => own !== undefined)
  if (held !== undefined) {
    refuse(desk, mark.retire, held)
    return
  }
  const dearer = whyDearer(desk, group)
  const why = dearer ?? whyNoRoom(context, mark)
  if (why !== undefined) {
    end(desk, group, why)
    return
  }
  if (shift.some(isWaiting)) makeRoom(desk, group)
  else move(desk, { mark, retire, freed: [...launch, ...shift] })
}

const isWaiting = ({ repack }: Node): boolean => repack?.side === 'stay'

/** Its machines are there: those who move aside may go to them, or wherever there is room. */
function makeRoom(desk: Desk, { mark, launch, retire, shift }: LiveGroup): void {
  const { nowMs, settings } = desk.context.snapshot
  const next = { ...mark, untilMs: nowMs + settings.bootDeadlineMs }
  const waits = `${TEXTS[mark.reason]}, once room is made for it`
  decide(desk, [
    ...launch.map((own) => noteOf(own.name, undefined, 'its group moves')),
    ...retire.map((own) => noteOf(own.name, { ...next, side: 'retire' }, waits)),
    ...shift.map((own) => noteOf(own.name, { ...next, side: 'shift' }, 'it makes room for others')),
  ])
  desk.moments.push(next.untilMs, nowMs + LIMITS.unfinishedWakeMs)
}

/** Some that move aside are there still. */
function isShifting({ draft }: Desk, { mark, shift }: LiveGroup): boolean {
  const isStill = ({ node, replica }: RepackShift): boolean =>
    draft.assignments.get(node)?.replicas.some((own) => own.id === replica) ?? false
  return !shift.some(isWaiting) && mark.shift.some(isStill)
}

/** Prices may have moved, or EC2 may have brought up the dearer of its places. */
function whyDearer({ context, draft }: Desk, group: LiveGroup): Reason | undefined {
  const { snapshot } = context
  const { retire, launch, mark } = group
  const launchUsdPerHour = sum(launch.map((own) => priceNow(own, snapshot)))
  const deal = { retire, launchUsdPerHour, moves: movesOff(mark, draft) }
  if (isWorthIt(deal, mark.reason, snapshot)) return undefined
  return { code: 'DearerAsLaunched', text: 'as they came up, the new machines save too little' }
}

function whyNoRoom(context: RepackContext, { group }: RepackMark): Reason | undefined {
  const ground = groundOf(context, group)
  const market = context.snapshot.offerings
  const trial = tryWithout(ground, { retire: [], allows: nothing, market, ids: context.ids })
  return trial.fits ? undefined : trial.reason
}

function end(desk: Desk, group: LiveGroup, reason: Reason): void {
  desk.failed.push(failureOf(group, reason))
  decide(desk, giveUp(group, desk.draft, reason))
}

type Moving = Pick<LiveGroup, 'mark' | 'retire'> & {
  /** Its other nodes, which are like any from now on. */
  readonly freed: readonly Node[]
}

/** Drains the old machines, as far as the brakes let go of them. */
function move(desk: Desk, { mark, retire, freed }: Moving): void {
  const { snapshot, brakes } = desk.context
  const because = DRAIN_FOR[mark.reason]
  const untilMs = brakes.condemnAll(retire, because)
  if (untilMs !== undefined) {
    refuse(desk, mark.retire, { ...BRAKED, untilMs })
    return
  }
  const deadlineMs = snapshot.nowMs + LIMITS.drainDefaultMs
  const reason = { code: because, text: TEXTS[mark.reason] }
  decide(desk, [
    ...retire.flatMap(({ name: node }): Action[] => [
      { kind: 'drain', node, because, deadlineMs, reason },
      noteOf(node, { ...mark, side: 'retire', untilMs: deadlineMs }, reason.text),
    ]),
    ...freed.flatMap((own) =>
      own.repack === undefined ? [] : [noteOf(own.name, undefined, 'its group moves')],
    ),
  ])
  // Their work is given places in the pass that sees them drained.
  desk.moments.push(snapshot.nowMs + LIMITS.unfinishedWakeMs)
}

const BRAKED: Hold = {
  reason: { code: 'Brake', text: 'no more machines may be given up at a time' },
}

const TEXTS: Readonly<Record<RepackReason, string>> = {
  Cheaper: 'other machines do its work for less',
  Underused: 'other machines have room for its work',
  Expired: 'it is older than its pool allows',
  Drifted: 'its pool would not buy it any more',
}

function beginAll(desk: Desk, proposed: readonly RepackGroup[]): void {
  for (const group of proposed) {
    if (desk.trials === LIMITS.repackTrialsPerPass) {
      desk.moments.push(desk.context.snapshot.nowMs + LIMITS.unfinishedWakeMs)
      return
    }
    begin(desk, group)
    if (desk.actions.some((own) => own.kind === 'drain')) return
  }
}

function begin(desk: Desk, group: RepackGroup): void {
  const { context, draft } = desk
  const { snapshot } = context
  const retire = group.retire.flatMap((name) => draft.nodes.get(name) ?? [])
  const hold = whyNotBegin(desk, group, retire)
  if (hold !== undefined) {
    refuse(desk, group.retire, hold)
    return
  }
  desk.trials += 1
  const trial = tryGroup(desk, group, retire)
  const why = trial.fits ? whyTooLittle(desk, { group, retire, trial }) : trial.reason
  if (!trial.fits || why !== undefined) {
    const reason = why ?? NO_ROOM
    const offerings = offeringsOf(group.launch)
    const [pool = ''] = retire.map((own) => own.pool)
    desk.failed.push({ pool, retire: group.retire, offerings, reason })
    refuse(desk, group.retire, { reason })
    return
  }
  const claims = trial.launches.flatMap((own) => own.claims)
  const shift = group.shift.flatMap((own) => draft.nodes.get(own.node) ?? [])
  if (claims.length === 0 && !hasRoomNow(desk, group)) {
    refuse(desk, group.retire, { reason: COMING })
    return
  }
  const { nowMs } = snapshot
  const mark: RepackMark = {
    ...{ group: group.id, side: 'retire', reason: group.reason, sinceMs: nowMs },
    untilMs: nowMs + readyWithinMs(claims, context),
    launch: claims.map((own) => own.name),
    ...{ retire: group.retire, shift: group.shift },
    offerings: offeringsOf(claims.map((own) => ({ ...own, places: own.claim.places }))),
  }
  if (claims.length === 0 && shift.length === 0) {
    move(desk, { mark, retire, freed: [] })
    return
  }
  const stays = claims.length > 0 ? 'stay' : 'shift'
  const once = claims.length > 0 ? 'once those are ready' : 'once room is made for it'
  const text = `in place of ${group.retire.join(', ')}: ${TEXTS[group.reason]}`
  decide(desk, [
    ...trial.launches.map((launch): Action => {
      const marked = launch.claims.map((own) => ({ ...own, repack: { ...mark, side: LAUNCH } }))
      const reason = { code: 'Repack', text }
      return { kind: 'launch', launch: { ...launch, claims: marked, workloads: [] }, reason }
    }),
    ...retire.map((own) => noteOf(own.name, mark, `${TEXTS[mark.reason]}, ${once}`)),
    ...shift.map((own) => noteOf(own.name, { ...mark, side: stays }, 'it makes room for others')),
  ])
  desk.moments.push(mark.untilMs)
  // Those who move aside are given places in the pass that sees them marked.
  if (stays === 'shift' && shift.length > 0) desk.moments.push(nowMs + LIMITS.unfinishedWakeMs)
}

const LAUNCH = 'launch' as const
const NO_ROOM: Reason = { code: 'NoRoom', text: 'there is no room for its work' }

const COMING: Reason = {
  code: 'RoomComing',
  text: 'its work goes to machines that are on their way for another group',
}

/** Nothing is bought for the group, so it moves at once, and has no use for what is on its way. */
function hasRoomNow(desk: Desk, { retire, shift }: RepackGroup): boolean {
  const { context, draft } = desk
  if (![...draft.nodes.values()].some(isOnItsWay)) return true
  desk.trials += 1
  const { ids, snapshot } = context
  const without = { retire, allows: nothing, market: snapshot.offerings, ids }
  return tryShifted(groundNow({ ...context, draft }), shift, without).fits
}

const isOnItsWay = ({ repack, phase }: Node): boolean =>
  repack?.side === 'launch' && phase !== 'ready' && phase !== 'terminating'

function tryGroup(desk: Desk, group: RepackGroup, retire: readonly Node[]): Trial {
  const { context, draft } = desk
  const { snapshot, ids } = context
  const isProposed = placesOf(group.launch)
  const isCalm = calmOf(snapshot, openRisk(snapshot)({ retire, reason: group.reason }))
  const allows: Allows = (own) => isProposed(own) && isCalm(own)
  const isFree = group.launch.length === 0
  const market = isFree ? snapshot.offerings : marketFor(snapshot.offerings, allows)
  const ground = settled(groundOf({ ...context, draft }))
  const { retire: names, launch: proposed } = group
  return tryShifted(ground, group.shift, { retire: names, allows, market, ids, proposed })
}

const nothing: Allows = () => false

type Tried = {
  readonly group: RepackGroup
  readonly retire: readonly Node[]
  readonly trial: Extract<Trial, { fits: true }>
}

function whyTooLittle(desk: Desk, { group, retire, trial }: Tried): Reason | undefined {
  const moves = movesOff(group, desk.draft)
  const deal = { retire, launchUsdPerHour: trial.usdPerHour, moves }
  if (isWorthIt(deal, group.reason, desk.context.snapshot)) return undefined
  return { code: 'SavesTooLittle', text: 'by now it would save too little' }
}

/** A machine's time to boot and to be tested. */
function readyWithinMs(claims: readonly Node[], { snapshot }: RepackContext): number {
  const pools = poolsByName(snapshot.pools)
  const tests = claims.map((own) => suiteOf(pools.get(own.pool)?.spec.burnIn).timeoutSeconds)
  return snapshot.settings.bootDeadlineMs + Math.max(0, ...tests) * 1000
}

function whyNotBegin(desk: Desk, group: RepackGroup, retire: readonly Node[]): Hold | undefined {
  const { brakes } = desk.context
  const failed = whyNotAgain(desk, group)
  if (failed !== undefined) return failed
  const herd = { ...desk.herd, draft: desk.draft }
  const shift = group.shift.flatMap((own) => desk.draft.nodes.get(own.node) ?? [])
  const members = [...retire, ...shift]
  const held = members.map((own) => holdBefore(own, group.reason, herd)).find(isThere)
  if (held !== undefined) return held
  const spent = retire.find((own) => !isInBudget(own.pool, retire, desk))
  if (spent !== undefined) {
    const text = `pool ${spent.pool} lets no more nodes move at once`
    return { reason: { code: 'Budget', text } }
  }
  const waiting = [...desk.draft.nodes.values()].filter(
    (own) => own.repack?.side === 'retire' && own.drain === undefined,
  )
  const untilMs = brakes.mayCondemn([...waiting, ...retire], DRAIN_FOR[group.reason])
  return untilMs === undefined ? undefined : { ...BRAKED, untilMs }
}

const isThere = <T>(own: T | undefined): own is T => own !== undefined

/** The like of it has come to nothing, a while ago or in this very pass. */
function whyNotAgain({ context, failed }: Desk, group: RepackGroup): Hold | undefined {
  const { poolStatuses, nowMs } = context.snapshot
  const like = { retire: group.retire, offerings: offeringsOf(group.launch) }
  const fresh = [...context.failed, ...failed].find((own) => isLike(own, like))
  const known = poolStatuses
    .flatMap((own) => own.repackFailures ?? [])
    .find((own) => own.untilMs > nowMs && isLike(own, like))
  const failure = fresh ?? known
  if (failure === undefined) return undefined
  const reason = { code: 'BackOff', text: `tried before, and then: ${failure.reason.text}` }
  return known === undefined ? { reason } : { reason, untilMs: known.untilMs }
}

/** Those that move already count. */
function isInBudget(pool: string, retire: readonly Node[], { context, draft }: Desk): boolean {
  const most = budgetOf(pool, { snapshot: context.snapshot, draft })
  const isMoving = (own: Node): boolean =>
    own.pool === pool && own.repack?.side === 'retire' && own.phase !== 'terminating'
  const moving = [...draft.nodes.values()].filter(isMoving).length
  return moving + retire.filter((own) => own.pool === pool).length <= most
}

function noteOf(node: string, repack: RepackMark | undefined, text: string): Action {
  return { kind: 'note', node, changes: { repack }, reason: { code: 'Noted', text } }
}

function decide(desk: Desk, actions: readonly Action[]): void {
  desk.actions.push(...actions)
  desk.draft = fold(desk.draft, actions, desk.context.snapshot)
}

function refuse(desk: Desk, retire: readonly string[], { reason, untilMs }: Hold): void {
  desk.refusals.push({ retire: [...retire], reason })
  if (untilMs !== undefined) desk.moments.push(untilMs)
}
