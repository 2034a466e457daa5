/**
 * Finds places on the nodes that exist or are on their way. It never evicts, and it never buys.
 *
 * The more important come first, wherever there is room for them. Of those that are equal, nodes
 * that carry work already are topped up, best fit first; then every node that was bought for some
 * of them takes those, so a claim keeps its content from pass to pass; then what room is left there
 * goes to whoever fits best. Last, whoever would wait for a coming node while a ready one has room
 * to spare is moved there.
 */
import { groupBy } from '../base/order.ts'
import { dataKey } from '../model/data.ts'
import type { GpuShare } from '../model/assignment.ts'
import { LIMITS } from '../model/limits.ts'
import type { Action } from './actions.ts'
import { lift, put, TEMPLATE_ROOM_BYTES, type Board, type Slot } from './place/board.ts'
import { byRank } from './demand.ts'
import { fill, roomByRules, type Asked, type Bin, type Want } from './place/fill.ts'
import { slotSuits } from './place/slot-suits.ts'
import { rankSlots, type Ranking } from './place/ranking.ts'
import { crowding, isSpreadOverNodes } from './place/topology.ts'
import type { IdMaker } from './ids.ts'

export type Placing = {
  readonly actions: readonly Action[]
  /** Nodes that something is planned for, whether or not it can be bound yet. */
  readonly used: ReadonlySet<string>
  /** By workload uid: replicas that wait for a node which is on its way. */
  readonly coming: ReadonlyMap<string, number>
}

export type PlaceContext = {
  readonly board: Board
  readonly wants: readonly Want[]
  readonly ids: IdMaker
  readonly nowMs: number
}

/** Takes what it places off `left` of the wants; they come in the order of `demandsOf`. */
export function place(context: PlaceContext): Placing {
  const { board, wants } = context
  const actions: Action[] = []
  const planned: Planned[] = []
  const putDown = (slot: Slot, want: Want): void => {
    want.left -= 1
    noteTrial(slot, want)
    if (slot.ready) actions.push(bind(context, slot, want))
    else planned.push({ slot, want, shares: put(board, slot, want.demand) })
  }
  const occupied = board.slots.filter((slot) => slot.ready && slot.replicas > 0)
  const empty = board.slots.filter((slot) => !slot.ready || slot.replicas === 0)
  for (const rank of byRank(wants)) {
    topUp(board, occupied, { wants: rank, putDown })
    moveIn(board, empty, { wants: rank, putDown })
    topUp(board, empty, { wants: rank, putDown })
  }
  const waiting = moveToReady(context, planned, actions)
  return {
    actions,
    used: new Set([
      ...actions.flatMap((own) => (own.kind === 'bind' ? [own.node] : [])),
      ...waiting.map((own) => own.slot.node),
    ]),
    coming: countByUid(waiting),
  }
}

type Planned = {
  readonly slot: Slot
  readonly want: Want
  readonly shares: readonly GpuShare[]
}

/** Nobody waits for a coming node while a ready one has room to spare: those that wait still. */
function moveToReady(
  context: PlaceContext,
  planned: readonly Planned[],
  actions: Action[],
): readonly Planned[] {
  const { board } = context
  const ready = planned.length === 0 ? [] : board.slots.filter((own) => own.ready)
  if (ready.length === 0) return planned
  const ranking = rankSlots(ready)
  return planned.filter(({ slot, want, shares }) => {
    lift(board, slot, { demand: want.demand, shares })
    const best = bestSlot(board, ranking, want)
    if (best === undefined) {
      put(board, slot, want.demand)
      return true
    }
    ranking.change(best, () => {
      actions.push(bind(context, best, want))
    })
    return false
  })
}

function countByUid(waiting: readonly Planned[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { want } of waiting) {
    const { uid } = want.demand.target.workload
    counts.set(uid, (counts.get(uid) ?? 0) + 1)
  }
  return counts
}

type PutDown = {
  readonly wants: readonly Want[]
  readonly putDown: (slot: Slot, want: Want) => void
}

/** Every slot takes those of the wants that it was bought for. */
function moveIn(board: Board, slots: readonly Slot[], { wants, putDown }: PutDown): void {
  const byUid = groupBy(wants, (own) => own.demand.target.workload.uid)
  for (const slot of slots) {
    const asked = slot.boughtFor.flatMap(({ uid, count }) =>
      (byUid.get(uid) ?? [])
        .filter((want) => want.left > 0 && slotSuits(slot, want))
        .map((want): Asked => ({ want, most: count })),
    )
    if (asked.length === 0) continue
    for (const { want, count } of fill(board, binOf(slot), asked)) {
      for (let i = 0; i < count; i += 1) putDown(slot, want)
    }
    slot.boughtFor = slot.boughtFor.filter(({ uid }) => !byUid.has(uid))
  }
}

function topUp(board: Board, slots: readonly Slot[], { wants, putDown }: PutDown): void {
  const ranking = rankSlots(slots)
  for (const want of wants) {
    while (want.left > 0) {
      const best = bestSlot(board, ranking, want)
      if (best === undefined) break
      ranking.change(best, () => {
        putDown(best, want)
      })
    }
  }
}

/**
 * The best fit; of a workload that is spread over nodes, where fewest of its group are, and of a
 * version on trial where that tells most.
 */
function bestSlot(board: Board, ranking: Ranking, want: Want): Slot | undefined {
  const { demand } = want
  let fewest: { slot: Slot; crowd: number } | undefined
  const isSpread = isSpreadOverNodes(demand)
  const best = ranking.best(demand.need, (slot) => {
    const ownCrowd = isSpread ? crowding(board, demand, slot.node) : 0
    const crowd = demand.isTrial ? trialCrowd(slot, want) + ownCrowd : ownCrowd
    if (fewest !== undefined && crowd >= fewest.crowd) return false
    if (!slotSuits(slot, want) || roomByRules(board, binOf(slot), want) <= 0) return false
    fewest = { slot, crowd }
    return crowd === 0
  })
  return best ?? fewest?.slot
}

/** Where those of a want that is on trial have been put, by zone and by node. */
const trials = new WeakMap<Want, Map<string, number>>()

function noteTrial(slot: Slot, want: Want): void {
  if (!want.demand.isTrial) return
  const counts = trials.get(want) ?? new Map<string, number>()
  trials.set(want, counts)
  for (const where of [slot.node, ...slot.zones]) counts.set(where, (counts.get(where) ?? 0) + 1)
}

/**
 * The less, the better may be told what a failure there means: not on a machine that EC2 may take
 * back, not all in one zone, not all on one node.
 */
function trialCrowd(slot: Slot, want: Want): number {
  const counts = trials.get(want)
  const inZones = slot.zones.map((zone) => counts?.get(zone) ?? 0)
  const isSpot = slot.capacityType === 'spot' ? 1 : 0
  return (
    (isSpot * TRIAL_STEP + Math.max(0, ...inZones)) * TRIAL_STEP + (counts?.get(slot.node) ?? 0)
  )
}

/** More than a breaker ever lets be tried at once. */
const TRIAL_STEP = 1_000

/** The slot as a bin for `fill`. */
export function binOf(slot: Slot): Bin {
  return {
    node: slot.node,
    zones: slot.zones,
    places: slot.places,
    capacityType: slot.capacityType,
    cpuMilli: slot.freeCpuMilli,
    memoryMib: slot.freeMemoryMib,
    diskMib: slot.freeDiskMib,
    devices: slot.freeDevices,
    replicas: LIMITS.replicasPerNodeMax - slot.replicas,
    templates: slot.templates,
    templateRoomBytes: TEMPLATE_ROOM_BYTES - slot.templateBytes,
  }
}

/** Puts one replica of the want into the slot, for good. */
export function bind(context: PlaceContext, slot: Slot, want: Want): Action {
  const gpus = put(context.board, slot, want.demand)
  return bindOf(context, { node: slot.node, demand: want.demand, gpus })
}

type Bound = {
  readonly node: string
  readonly demand: Want['demand']
  readonly gpus: readonly GpuShare[]
}

/** The binding of a replica that stands on the board already. */
export function bindOf(
  { ids, nowMs }: Pick<PlaceContext, 'ids' | 'nowMs'>,
  { node, demand, gpus }: Bound,
): Action {
  const { workload, version, template } = demand.target
  return {
    kind: 'bind',
    node,
    template,
    replica: {
      id: `${workload.name}/${ids.next()}`,
      workload: workload.name,
      uid: workload.uid,
      version,
      gpus: [...gpus],
      order: 'run',
      graceSeconds: template.terminationGraceSeconds,
      assignedAtMs: nowMs,
      ...(template.data === undefined ? {} : { dataKey: dataKey(template.data) }),
    },
    reason: { code: 'Placed', text: `${node} has room` },
  }
}
