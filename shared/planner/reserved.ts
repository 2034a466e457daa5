/**
 * Room that others have made way in is kept for whom they made it, until it is free or time is up.
 *
 * Victims leave at different times, and what one of them frees would be gone before the next has
 * stopped. So the room stands in the status of whoever it is for, and is served before anybody else
 * is given a place.
 */
import type { Reservation, WorkloadStatus } from '../model/status.ts'
import type { Action } from './actions.ts'
import { put, type Board, type Slot } from './board.ts'
import type { Demand } from './demand.ts'
import { roomByRules, type Want } from './fill.ts'
import { bind, binOf, type PlaceContext, type Placing } from './place.ts'
import { slotSuits } from './slot-suits.ts'

export type Reserved = Omit<Placing, 'coming'> & {
  /** By workload uid: the room that is still kept. */
  readonly kept: ReadonlyMap<string, readonly Reservation[]>
}

/** Takes off `left` of the wants what it binds and what it keeps room for. */
export function serveReserved(
  context: PlaceContext,
  statuses: readonly WorkloadStatus[],
): Reserved {
  const actions: Action[] = []
  const kept = new Map<string, readonly Reservation[]>()
  for (const { uid, reservations = [] } of statuses) {
    const still = reservations.flatMap((own) => serve(context, { uid, ...own }, actions))
    if (still.length > 0) kept.set(uid, still)
  }
  const used = new Set([
    ...actions.flatMap((own) => (own.kind === 'bind' ? [own.node] : [])),
    ...[...kept.values()].flatMap((own) => own.map(({ node }) => node)),
  ])
  return { actions, used, kept }
}

/** Binds what has room now; what is left of the reservation. */
function serve(
  context: PlaceContext,
  { uid, node, count, untilMs }: Reservation & { readonly uid: string },
  actions: Action[],
): readonly Reservation[] {
  const { board, nowMs } = context
  const slot = board.slots.find((own) => own.node === node)
  if (slot?.ready !== true || untilMs <= nowMs) return []
  let left = 0
  for (let i = 0; i < count; i += 1) {
    const want = wantFor(uid, slot, context)
    if (want === undefined) break
    want.left -= 1
    if (isFree(board, slot, want)) {
      actions.push(bind(context, slot, want))
      continue
    }
    keepRoom(board, slot, want.demand)
    left += 1
  }
  return left === 0 ? [] : [{ node, count: left, untilMs }]
}

function wantFor(uid: string, slot: Slot, { wants }: PlaceContext): Want | undefined {
  return wants.find(
    ({ demand, left }) =>
      left > 0 &&
      demand.target.workload.uid === uid &&
      !demand.isBorrowed &&
      (demand.capacity === 'any' || demand.capacity === slot.capacityType),
  )
}

function isFree(board: Board, slot: Slot, want: Want): boolean {
  return slotSuits(slot, want) && roomByRules(board, binOf(slot), want) > 0
}

/** Others find as much less there as one replica of the demand takes. */
function keepRoom(board: Board, slot: Slot, demand: Demand): void {
  const shares = put(board, slot, demand)
  if (demand.need.gpuMilli > 0 && shares.length === 0) {
    // Which devices come free is not known yet.
    slot.freeDevices = slot.freeDevices.map(() => 0)
  }
}
