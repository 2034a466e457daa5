/**
 * Room that others have made way in is kept for whom they made it, until it is free, or room has
 * come free elsewhere, or time is up.
 *
 * Victims leave at different times, and what one of them frees would be gone before the next has
 * stopped. So the room stands in the status of whoever it is for, and is served before anybody else
 * is given a place.
 */
import type { Reservation, WorkloadStatus } from '../../model/status.ts'
import type { Action } from '../actions.ts'
import type { Demand } from '../demand.ts'
import { bind, binOf, type PlaceContext, type Placing } from '../place.ts'
import { put, type Board, type Slot } from './board.ts'
import { takeDevices, withoutShares } from './devices.ts'
import { roomByRules, type Want } from './fill.ts'
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

/** Binds what has room now, there or anywhere else; what is left of the reservation. */
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
    const free = [slot, ...board.slots].find((own) => own.ready && isFree(board, own, want))
    if (free !== undefined) {
      actions.push(bind(context, free, want))
      continue
    }
    keepRoom(board, slot, want.demand)
    left += 1
  }
  return left === 0 ? [] : [{ node, count: left, untilMs }]
}

export function wantFor(
  uid: string,
  slot: Slot,
  { wants }: Pick<PlaceContext, 'wants'>,
): Want | undefined {
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

/**
 * Others find as much less there as one replica of the demand takes: of devices that are still held
 * by those who stop, less than nothing until they come free.
 */
export function keepRoom(board: Board, slot: Slot, demand: Demand): void {
  const back = slot.stopping.map(({ index, milli }) => ({ index, milli: -milli }))
  const coming = takeDevices(withoutShares(slot.freeDevices, back), demand.need.gpuMilli)
  if (put(board, slot, demand).length > 0 || coming === undefined) return
  slot.freeDevices = withoutShares(slot.freeDevices, coming)
}
