/**
 * Finds places on the nodes that exist or are on their way. It never evicts, and it never buys.
 *
 * Nodes that carry work already are topped up, best fit first. Then come ready nodes that stand
 * empty on their own account. Nodes that were bought together are filled together, oldest first, by
 * the very rule that bought them, so every pass comes to the same content for a claim and nothing
 * needs to be remembered. Last, whoever would wait for a coming node while a ready one has room to
 * spare is moved there.
 */
import type { GpuShare } from '../model/assignment.ts'
import { LIMITS } from '../model/limits.ts'
import type { Action } from './actions.ts'
import { lift, put, TEMPLATE_ROOM_BYTES, type Board, type Slot } from './board.ts'
import { fill, orderFor, roomByRules, type Bin, type Want } from './fill.ts'
import { slotSuits } from './slot-suits.ts'
import { rankSlots, type Ranking } from './ranking.ts'
import { crowding, isSpreadOverNodes } from './topology.ts'
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

/** Takes what it places off `left` of the wants. */
export function place(context: PlaceContext): Placing {
  const { board, wants } = context
  const actions: Action[] = []
  const planned: Planned[] = []
  const putDown = (slot: Slot, want: Want): void => {
    want.left -= 1
    if (slot.ready) actions.push(bind(context, slot, want))
    else planned.push({ slot, want, shares: put(board, slot, want.demand) })
  }
  const occupied = board.slots.filter((slot) => slot.ready && slot.replicas > 0)
  topUp(board, occupied, { wants, putDown })
  for (const slot of emptySlots(board.slots, occupied)) {
    const suiting = wants.filter((own) => slotSuits(slot, own))
    const bin = binOf(slot)
    for (const { want, count } of fill(board, bin, orderFor(bin, suiting))) {
      for (let i = 0; i < count; i += 1) putDown(slot, want)
    }
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
  if (planned.length === 0) return planned
  const { board } = context
  const ranking = rankSlots(board.slots.filter((own) => own.ready))
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

/**
 * Those nobody else was bought with come first; the others keep to the order they were bought in.
 */
function emptySlots(slots: readonly Slot[], occupied: readonly Slot[]): readonly Slot[] {
  const isOccupied = new Set(occupied)
  const empty = slots.filter((own) => !isOccupied.has(own))
  const unfinished = new Set(empty.filter((own) => !own.ready).map((own) => own.createdAtMs))
  const isSpare = (slot: Slot): boolean => slot.ready && !unfinished.has(slot.createdAtMs)
  return [...empty.filter(isSpare), ...empty.filter((own) => !isSpare(own))]
}

type TopUp = { wants: readonly Want[]; putDown: (slot: Slot, want: Want) => void }

function topUp(board: Board, slots: readonly Slot[], { wants, putDown }: TopUp): void {
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

/** The best fit; of a workload that is spread over nodes, where fewest of its group are. */
function bestSlot(board: Board, ranking: Ranking, want: Want): Slot | undefined {
  const { demand } = want
  let fewest: { slot: Slot; crowd: number } | undefined
  const isSpread = isSpreadOverNodes(demand)
  const best = ranking.best(demand.need, (slot) => {
    const crowd = isSpread ? crowding(board, demand, slot.node) : 0
    if (fewest !== undefined && crowd >= fewest.crowd) return false
    if (!slotSuits(slot, want) || roomByRules(board, binOf(slot), want) <= 0) return false
    fewest = { slot, crowd }
    return crowd === 0
  })
  return best ?? fewest?.slot
}

/** The slot as a bin for `fill`. */
export function binOf(slot: Slot): Bin {
  return {
    node: slot.node,
    zones: slot.zones,
    places: slot.places,
    capacityType: slot.capacityType,
    shape: slot.shape,
    cpuMilli: slot.freeCpuMilli,
    memoryMib: slot.freeMemoryMib,
    devices: slot.freeDevices,
    replicas: LIMITS.replicasPerNodeMax - slot.replicas,
    templates: slot.templates,
    templateRoomBytes: TEMPLATE_ROOM_BYTES - slot.templateBytes,
  }
}

/** Puts one replica of the want into the slot, for good. */
export function bind({ board, ids, nowMs }: PlaceContext, slot: Slot, { demand }: Want): Action {
  const { workload, version, template } = demand.target
  const gpus = put(board, slot, demand)
  return {
    kind: 'bind',
    node: slot.node,
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
    },
    reason: { code: 'Placed', text: `${slot.node} has room` },
  }
}
