/**
 * Who gives way when somebody entitled can have no machine: the fewest that will do.
 *
 * It is asked last, of those for whom nothing could be found or bought for a while. The room that
 * is made is kept for whom it was made (`reserved.ts`), since victims leave at different times. In
 * the end every victim that turns out not to be needed lives.
 *
 * Source: victims and the reverse pass as in Kueue; `research/lifecycle.md` §3 has its figures, and
 * the faults that users of it and of its peers reported.
 */
import { byKey, byText, descending, inOrder } from '../base/order.ts'
import { isGang } from '../model/gang.ts'
import { LIMITS } from '../model/limits.ts'
import { templateKey, type BoundReplica } from '../model/assignment.ts'
import type { Reason, Reservation } from '../model/status.ts'
import type { Action, Refusal } from './actions.ts'
import { put, type Board, type Slot } from './place/board.ts'
import { markBoard } from './place/board-mark.ts'
import { reportsByArn } from './facts.ts'
import { roomByRules, type Want } from './place/fill.ts'
import type { Draft } from './fold.ts'
import { letLive, type Clearing, type Seated } from './preempt/let-live.ts'
import { openLimitRoom, type Emptied, type LimitRoom } from './preempt/limit-room.ts'
import type { Offer } from './provision/offers.ts'
import { binOf } from './place.ts'
import type { PoolBook } from './provision/pool-limits.ts'
import type { Dimension } from './quota/policy.ts'
import { NO_REPLICAS, replicasByUid, runningOf, stopTakesMs, type Replica } from './replicas.ts'
import { weightOf } from './revision.ts'
import {
  openVictims,
  without,
  type Victim,
  type VictimBook,
  type VictimContext,
} from './preempt/victims.ts'

export type PreemptContext = VictimContext & {
  readonly board: Board
  /** Those that found no place, each with why. */
  readonly waiting: readonly Waiting[]
  /** By workload uid: room that is kept for it already. */
  readonly kept: ReadonlyMap<string, readonly Reservation[]>
  readonly limits: PoolBook
}

type Waiting = {
  readonly want: Want
  readonly refusal: Refusal
  /** What would do, if it might be bought. */
  readonly offers: readonly Offer[]
}

export type Reclaim = {
  /** By the uids of workloads that gave up what they had borrowed: what of it was short. */
  readonly borrowers: ReadonlyMap<string, ReadonlySet<Dimension>>
  /** By workload uid: room that is being made for it. */
  readonly reservations: ReadonlyMap<string, readonly Reservation[]>
}

export type Preemption = Reclaim & {
  readonly actions: readonly Action[]
  /** Nodes on which room is being made. */
  readonly used: ReadonlySet<string>
  /** Why nobody gives way for those that are left. */
  readonly reasons: ReadonlyMap<Want, Reason>
}

const NOBODY: Preemption = {
  ...{ borrowers: new Map(), reservations: new Map(), actions: [] },
  ...{ used: new Set(), reasons: new Map() },
}

/** Takes off `left` of the wants what it makes room for. */
export function preempt(context: PreemptContext): Preemption {
  const entitled = context.waiting.filter(isEntitled)
  if (entitled.length === 0) return NOBODY
  const victims = openVictims(context)
  const reasons = new Map<Want, Reason>()
  const { board, draft, limits } = context
  const clearings = new Map<string, Clearing>()
  const isCleared = (node: string): boolean => clearings.has(node)
  const limitRoom = openLimitRoom({ draft, limits, victims, slots: board.slots, isCleared })
  const scene: Scene = { board, victims, clearings, limitRoom, taken: [] }
  const open = entitled.flatMap((waiting) => {
    const { owed, why } = roomsOwed(waiting, { ...context, victims })
    if (why !== undefined) reasons.set(waiting.want, why)
    return owed > 0 ? [{ ...waiting, owed }] : []
  })
  if (open.length > 0 && !victims.isEmpty) {
    for (const slot of board.slots) Object.assign(slot, afterStops(slot, context))
    for (const [want, why] of clearFor(scene, open)) reasons.set(want, why)
    letLive(scene)
  }
  return { ...conclude(scene, context), reasons }
}

/** By right, and not only because a pass buys no more. */
function isEntitled({ want, refusal }: Waiting): boolean {
  return !want.demand.isBorrowed && refusal.reasons.every(({ code }) => code !== 'Waiting')
}

type Owed = Waiting & { readonly owed: number }

/**
 * Clears room as far as somebody gives way: on a node, or else below the limit of a pool. Those for
 * whom nobody does, or who wait for it, are told.
 */
function clearFor(scene: Scene, open: readonly Owed[]): ReadonlyMap<Want, Reason> {
  const spent = new Map<string, number>()
  const told = new Map<Want, Reason>()
  let rooms = 0
  for (const { want, owed, offers } of open) {
    const { workload, start } = want.demand.target
    const { uid } = workload
    if (isGang(workload)) {
      // All of it asks in the turn of the first.
      if (spent.has(uid)) continue
      spent.set(uid, start)
      const wants = open.map((own) => own.want).filter((own) => isOf(own, uid))
      const isOwedAll = owed >= start && rooms < LIMITS.reclaimsPerPass
      if (isOwedAll && clearForGang(scene, wants, start)) rooms += start
      else told.set(want, whyNobody(scene.victims))
      continue
    }
    let coming = 0
    const isDone = (): boolean =>
      want.left <= coming || (spent.get(uid) ?? 0) >= owed || rooms >= LIMITS.reclaimsPerPass
    const spend = (): void => {
      spent.set(uid, (spent.get(uid) ?? 0) + 1)
      rooms += 1
    }
    while (!isDone() && makeRoom(scene, want)) {
      want.left -= 1
      spend()
    }
    while (!isDone()) {
      const why = scene.limitRoom.make(want, offers)
      told.set(want, why ?? told.get(want) ?? whyNobody(scene.victims))
      if (why === undefined) break
      coming += 1
      spend()
    }
  }
  return told
}

const isOf = ({ demand }: Want, uid: string): boolean => demand.target.workload.uid === uid

/** Clears room for all of a gang, on free nodes first; false where nobody gives way. */
function clearForGang(scene: Scene, wants: readonly Want[], count: number): boolean {
  const { board, victims, clearings, taken } = scene
  if (wants.reduce((sum, own) => sum + own.left, 0) < count) return false
  const restore = markBoard(board)
  const before = [...clearings].map(([node, own]) => [node, { ...own }] as const)
  const [lefts, takenBefore] = [wants.map((own) => own.left), taken.length]
  for (const want of wants) {
    while (want.left > 0 && makeRoom(scene, want)) want.left -= 1
  }
  if (wants.every((own) => own.left === 0)) return true
  restore()
  clearings.clear()
  for (const [node, own] of before) clearings.set(node, own)
  taken.splice(takenBefore, Infinity).forEach(victims.letLive)
  wants.forEach((own, i) => (own.left = lefts[i] ?? 0))
  return false
}

type OwedContext = PreemptContext & { readonly victims: VictimBook }

/**
 * For how many replicas of the want others have to give way now: by right, for a while already, and
 * the fewer the more of them crash again and again. Where it is none, why.
 */
function roomsOwed({ want }: Waiting, context: OwedContext): { owed: number; why?: Reason } {
  const { target } = want.demand
  const { nowMs, workloadStatuses, teams } = context.snapshot
  if (context.victims.isEmpty) {
    const hasTeams = teams.some((own) => own.deletedAtMs === undefined)
    return { owed: 0, ...(hasTeams ? { why: whyNobody(context.victims) } : {}) }
  }
  const { uid } = target.workload
  const kept = context.kept.get(uid) ?? []
  const owed = target.owed - kept.reduce((sum, own) => sum + own.count, 0)
  if (owed <= 0) return { owed, why: TRANSIENT }
  const crashing = crashingOf(target, context)
  if (owed <= crashing) return { owed: 0, why: CRASH_LOOP }
  const status = workloadStatuses.find((own) => own.uid === uid)
  const waiting = status?.waiting.find((own) => own.version === target.version)
  const fromMs = (waiting?.entitledSinceMs ?? nowMs) + LIMITS.reclaimAfterMs
  if (nowMs < fromMs) {
    const text = 'others may be asked to give way'
    return { owed: 0, why: { code: 'ReclaimPending', text, atMs: fromMs } }
  }
  return { owed: Math.min(owed - crashing, LIMITS.reservationsMax - kept.length) }
}

const TRANSIENT: Reason = {
  code: 'Transient',
  text: 'it is one more for a while, and nobody gives way for that',
}
const CRASH_LOOP: Reason = {
  code: 'CrashLoop',
  text: 'others of it crash again and again, so nobody gives way for more',
}

/** Nobody that may be asked holds what would do. */
function whyNobody({ isEmpty, nextAtMs }: VictimBook): Reason {
  if (nextAtMs !== undefined) {
    const text = 'who might give way has just begun, and may be asked'
    return { code: 'JustBegun', text, atMs: nextAtMs }
  }
  const text = isEmpty
    ? 'nobody runs on borrowed room'
    : 'nobody who may be asked holds what it lacks'
  return { code: 'NobodyGivesWay', text }
}

/** Its replicas of this version that came up again and again and are not ready. */
function crashingOf(
  { workload, version }: Want['demand']['target'],
  { snapshot, draft }: PreemptContext,
): number {
  const reports = reportsByArn(snapshot.reports)
  const replicas = replicasByUid(draft).get(workload.uid) ?? NO_REPLICAS
  return replicas.filter(({ bound, node }) => {
    if (bound.version !== version || bound.order !== 'run') return false
    const told = reports.get(node.machine?.arn ?? '')?.replicas.find((own) => own.id === bound.id)
    return told !== undefined && !told.ready && told.restarts >= LIMITS.crashLoopRestarts
  }).length
}

/** Whoever stops there anyway leaves room that nobody else has to make. */
function afterStops(slot: Slot, context: PreemptContext): Slot {
  const templates = context.draft.assignments.get(slot.node)?.templates ?? {}
  return stoppingOn(slot.node, context).reduce((room, bound) => {
    const template = templates[templateKey(bound)]
    if (template === undefined) return room
    return without(room, { need: weightOf(template).need, replica: { bound } })
  }, slot)
}

/** Those that stop there; who is long overdue is not counted on. */
function stoppingOn(
  node: string,
  { draft, snapshot: { nowMs } }: PreemptContext,
): readonly BoundReplica[] {
  const replicas = draft.assignments.get(node)?.replicas ?? []
  return replicas.filter(
    (own) =>
      own.order === 'stop' && nowMs < (own.stopAtMs ?? 0) + stopTakesMs(own) + LIMITS.reclaimHoldMs,
  )
}

type Scene = {
  readonly board: Board
  readonly victims: VictimBook
  readonly clearings: Map<string, Clearing>
  readonly limitRoom: LimitRoom
  /** In their order, all that have been taken, mates in a gang among them. */
  readonly taken: Victim[]
}

type Way = { readonly slot: Slot; readonly victims: readonly Victim[] }

/** Clears room for one more replica of the want; false where nobody may be sent away for it. */
function makeRoom(scene: Scene, want: Want): boolean {
  const { board, victims, clearings } = scene
  const ways = board.slots.flatMap((slot): readonly Way[] => {
    if (!slot.ready || roomByRules(board, binOf(slot), want) <= 0) return []
    const chosen = victims.choose(slot, want)
    return chosen === undefined ? [] : [{ slot, victims: chosen }]
  })
  const [best] = ways.toSorted(byHarm)
  if (best === undefined) return false
  const { slot } = best
  takeWithMates(scene, best)
  const seated = { want, shares: put(board, slot, want.demand) }
  const known = clearings.get(slot.node) ?? { slot, victims: [], wants: [] }
  known.victims = [...known.victims, ...best.victims]
  known.wants = [...known.wants, seated]
  clearings.set(slot.node, known)
  return true
}

/** Whoever is taken of a gang leaves the others nothing to do: their room comes free as well. */
function takeWithMates({ board, victims, taken }: Scene, way: Way): void {
  victims.take(way.victims)
  const mates = victims.matesOf(way.victims)
  victims.take(mates)
  taken.push(...way.victims, ...mates)
  for (const victim of [...way.victims, ...mates]) {
    const slot = board.slots.find((own) => own.node === victim.replica.node.name)
    if (slot !== undefined) Object.assign(slot, without(slot, victim))
  }
}

const harmOf = (victims: readonly Victim[]): number =>
  victims.reduce((sum, own) => sum + own.size, 0)

const byHarm = inOrder<Way>(
  byKey((own) => harmOf(own.victims.filter((victim) => victim.because === 'Preempted'))),
  byKey((own) => harmOf(own.victims)),
  byKey((own) => own.victims.reduce((sum, { target }) => sum + target.workload.spec.priority, 0)),
  byKey((own) => own.victims.reduce((sum, { gaveWay }) => sum + gaveWay, 0)),
  // The newest, as on one node: what has run for long has more to lose.
  descending(byKey((own) => Math.min(...own.victims.map((one) => one.replica.bound.assignedAtMs)))),
  (a, b) => byText(a.slot.node, b.slot.node),
)

function conclude(
  { clearings: all, limitRoom: { emptied } }: Scene,
  context: PreemptContext,
): Omit<Preemption, 'reasons'> {
  const clearings = [...all.values()].filter((own) => own.wants.length > 0)
  const { nowMs } = context.snapshot
  const reservations = new Map<string, Reservation[]>()
  for (const { slot, victims, wants: seated } of clearings) {
    const wants = seated.map((own) => own.want)
    const victimsOn = victims.map((own) => own.replica.bound)
    const leaving = [...stoppingOn(slot.node, context), ...victimsOn]
    const untilMs = nowMs + Math.max(0, ...leaving.map(stopTakesMs)) + LIMITS.reclaimHoldMs
    for (const uid of new Set(wants.map((own) => own.demand.target.workload.uid))) {
      const count = wants.filter((own) => own.demand.target.workload.uid === uid).length
      const known = reservations.get(uid) ?? []
      reservations.set(uid, [...known, { node: slot.node, count, untilMs }])
    }
  }
  const gone = [...clearings, ...emptied].flatMap((own) => own.victims)
  const goneIds = new Set(gone.map((own) => own.replica.bound.id))
  return {
    borrowers: onLoanOf(gone),
    reservations,
    actions: [
      ...clearings.flatMap(stopsOf),
      ...emptied.flatMap((own) => [
        ...stopsOf({ victims: own.victims, wants: [own] }),
        drainOf(own, nowMs),
      ]),
      ...matesOf(gone, context.draft)
        .filter((own) => !goneIds.has(own.bound.id))
        .map(({ bound, node }): Action => {
          return { kind: 'stop', node: node.name, replica: bound.id, reason: AS_ONE }
        }),
    ],
    used: new Set(clearings.map((own) => own.slot.node)),
  }
}

const AS_ONE: Reason = { code: 'GangRestart', text: 'its gang gives way as one' }

/** All that run of the gangs of which somebody goes. */
function matesOf(victims: readonly Victim[], draft: Draft): readonly Replica[] {
  const gangs = victims.map((own) => own.target.workload).filter(isGang)
  return [...new Set(gangs.map((own) => own.uid))].flatMap(
    (uid) => runningOf(replicasByUid(draft).get(uid) ?? NO_REPLICAS).all,
  )
}

function onLoanOf(victims: readonly Victim[]): Reclaim['borrowers'] {
  const borrowers = new Map<string, Set<Dimension>>()
  for (const { because, target, onLoan } of victims) {
    if (because !== 'Reclaimed') continue
    const { uid } = target.workload
    borrowers.set(uid, new Set([...(borrowers.get(uid) ?? []), ...onLoan]))
  }
  return borrowers
}

/** Nobody else is to take what is left of the node. */
function drainOf({ node, victims, want }: Emptied, nowMs: number): Action {
  const takesMs = Math.max(0, ...victims.map((own) => stopTakesMs(own.replica.bound)))
  const { name } = want.demand.target.workload
  const text = `${name} needs its room below the limit of pool ${node.pool}`
  return {
    ...{ kind: 'drain', node: node.name, because: 'Reclaimed' },
    deadlineMs: nowMs + takesMs,
    reason: { code: 'Reclaimed', text },
  }
}

type Sent = {
  readonly victims: readonly Victim[]
  readonly wants: readonly Pick<Seated, 'want'>[]
}

function stopsOf({ victims, wants }: Sent): readonly Action[] {
  const names = [...new Set(wants.map(({ want }) => want.demand.target.workload.name))].sort(byText)
  const text = `${names.join(', ')} needs the room`
  return victims.map(({ replica: { bound, node }, because }) => {
    const why = because === 'Reclaimed' ? 'it ran on what others left idle' : 'it matters less'
    const reason = { code: because, text: `${text}; ${why}` }
    return { kind: 'stop', node: node.name, replica: bound.id, reason }
  })
}
