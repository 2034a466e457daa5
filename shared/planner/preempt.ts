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
import { LIMITS } from '../model/limits.ts'
import { templateKey, type BoundReplica } from '../model/assignment.ts'
import type { Reservation } from '../model/status.ts'
import type { Action, Refusal } from './actions.ts'
import { put, type Board, type Slot } from './board.ts'
import { reportsByArn } from './facts.ts'
import { roomByRules, type Want } from './fill.ts'
import { binOf } from './place.ts'
import { NO_REPLICAS, replicasByUid } from './replicas.ts'
import { weightOf } from './revision.ts'
import {
  openVictims,
  withVictim,
  without,
  type Victim,
  type VictimBook,
  type VictimContext,
} from './victims.ts'

export type PreemptContext = VictimContext & {
  readonly board: Board
  /** Those that found no place, each with why. */
  readonly waiting: readonly { readonly want: Want; readonly refusal: Refusal }[]
}

export type Reclaim = {
  /** Uids of workloads that give way. */
  readonly victims: ReadonlySet<string>
  /** By workload uid: room that is being made for it. */
  readonly reservations: ReadonlyMap<string, readonly Reservation[]>
}

export type Preemption = Reclaim & {
  readonly actions: readonly Action[]
  /** Nodes on which room is being made. */
  readonly used: ReadonlySet<string>
}

const NOBODY: Preemption = {
  ...{ victims: new Set(), reservations: new Map(), actions: [], used: new Set() },
}

/** Takes off `left` of the wants what it makes room for. */
export function preempt(context: PreemptContext): Preemption {
  const entitled = context.waiting
    .map((own) => ({ want: own.want, most: mostRooms(own, context) }))
    .filter((own) => own.most > 0)
  if (entitled.length === 0) return NOBODY
  const victims = openVictims(context)
  if (victims.isEmpty) return NOBODY
  const scene: Scene = { board: context.board, victims, clearings: new Map() }
  for (const slot of scene.board.slots) Object.assign(slot, afterStops(slot, context))
  const spent = new Map<string, number>()
  let rooms = 0
  for (const { want, most } of entitled) {
    const { workload } = want.demand.target
    const spentOf = (): number => spent.get(workload.uid) ?? 0
    while (want.left > 0 && spentOf() < most && rooms < LIMITS.reclaimsPerPass) {
      if (!makeRoom(scene, want)) break
      want.left -= 1
      rooms += 1
      spent.set(workload.uid, spentOf() + 1)
    }
  }
  for (const clearing of scene.clearings.values()) letLive(scene, clearing)
  return conclude([...scene.clearings.values()], context)
}

/**
 * For how many replicas of the want others may have to give way: by right, for a while already, not
 * for want of passes, and the fewer the more of them crash again and again.
 */
function mostRooms(
  { want, refusal }: PreemptContext['waiting'][number],
  context: PreemptContext,
): number {
  const { target, isBorrowed } = want.demand
  if (isBorrowed || target.mayReclaim === 0) return 0
  if (refusal.reasons.some(({ code }) => code === 'Waiting')) return 0
  const { nowMs, workloadStatuses } = context.snapshot
  const status = workloadStatuses.find((own) => own.uid === target.workload.uid)
  const waiting = status?.waiting.find((own) => own.version === target.version)
  const sinceMs = waiting?.unschedulableSinceMs ?? Infinity
  if (nowMs - sinceMs < LIMITS.reclaimAfterMs) return 0
  return target.mayReclaim - crashingOf(target, context)
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
    ({ order, stopAtMs = 0, graceSeconds }) =>
      order === 'stop' && nowMs < stopAtMs + graceSeconds * 1000 + LIMITS.reclaimHoldMs,
  )
}

/** What is being cleared on one node, and for whom. */
type Clearing = {
  readonly slot: Slot
  victims: readonly Victim[]
  readonly wants: Want[]
}

type Scene = {
  readonly board: Board
  readonly victims: VictimBook
  readonly clearings: Map<string, Clearing>
}

type Way = { readonly slot: Slot; readonly victims: readonly Victim[] }

/** Clears room for one more replica of the want; false where nobody may be sent away for it. */
function makeRoom({ board, victims, clearings }: Scene, want: Want): boolean {
  const ways = board.slots.flatMap((slot): readonly Way[] => {
    if (!slot.ready || roomByRules(board, binOf(slot), want) <= 0) return []
    const chosen = victims.choose(slot, want)
    return chosen === undefined ? [] : [{ slot, victims: chosen }]
  })
  const [best] = ways.toSorted(byHarm)
  if (best === undefined) return false
  const { slot } = best
  victims.take(best.victims)
  for (const victim of best.victims) Object.assign(slot, without(slot, victim))
  put(board, slot, want.demand)
  const known = clearings.get(slot.node) ?? { slot, victims: [], wants: [] }
  known.victims = [...known.victims, ...best.victims]
  known.wants.push(want)
  clearings.set(slot.node, known)
  return true
}

const byHarm = inOrder<Way>(
  byKey((own) => own.victims.filter((victim) => victim.because === 'Preempted').length),
  byKey((own) => own.victims.length),
  byKey((own) => own.victims.reduce((sum, { target }) => sum + target.workload.spec.priority, 0)),
  // The newest, as on one node: what has run for long has more to lose.
  descending(byKey((own) => Math.min(...own.victims.map((one) => one.replica.bound.assignedAtMs)))),
  (a, b) => byText(a.slot.node, b.slot.node),
)

/** What was cleared for the one may have been enough for the other. */
function letLive({ victims }: Scene, clearing: Clearing): void {
  const { slot } = clearing
  clearing.victims = clearing.victims.toReversed().filter((victim) => {
    const kept = withVictim(slot, victim)
    const isNeeded =
      kept.freeCpuMilli < 0 ||
      kept.freeMemoryMib < 0 ||
      kept.freeDevices.some((free) => free < 0) ||
      kept.replicas > LIMITS.replicasPerNodeMax
    if (isNeeded) return true
    Object.assign(slot, kept)
    victims.letLive(victim)
    return false
  })
}

function conclude(clearings: readonly Clearing[], context: PreemptContext): Preemption {
  const { nowMs } = context.snapshot
  const reservations = new Map<string, Reservation[]>()
  for (const { slot, victims, wants } of clearings) {
    const victimsOn = victims.map((own) => own.replica.bound)
    const leaving = [...stoppingOn(slot.node, context), ...victimsOn]
    const graceSeconds = Math.max(0, ...leaving.map((own) => own.graceSeconds))
    const untilMs = nowMs + graceSeconds * 1000 + LIMITS.reclaimHoldMs
    for (const uid of new Set(wants.map((own) => own.demand.target.workload.uid))) {
      const count = wants.filter((own) => own.demand.target.workload.uid === uid).length
      const known = reservations.get(uid) ?? []
      reservations.set(uid, [...known, { node: slot.node, count, untilMs }])
    }
  }
  return {
    victims: new Set(
      clearings.flatMap((own) => own.victims.map(({ target }) => target.workload.uid)),
    ),
    reservations,
    actions: clearings.flatMap(stopsOf),
    used: new Set(clearings.map((own) => own.slot.node)),
  }
}

function stopsOf({ victims, wants }: Clearing): readonly Action[] {
  const names = [...new Set(wants.map((own) => own.demand.target.workload.name))].sort(byText)
  const text = `${names.join(', ')} needs the room`
  return victims.map(({ replica: { bound, node }, because }) => {
    const why = because === 'Reclaimed' ? 'it ran on what others left idle' : 'it matters less'
    const reason = { code: because, text: `${text}; ${why}` }
    return { kind: 'stop', node: node.name, replica: bound.id, reason }
  })
}
