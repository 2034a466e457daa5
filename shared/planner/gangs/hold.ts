/**
 * The room that a gang holds while it forms: kept from everybody else, and taken up all at once.
 *
 * It stands on the board before anybody is given a place. Nodes may be on their way still, or
 * others may be leaving; only when every replica's room is free on a node that is ready are all of
 * them bound, in one pass.
 */
import type { GpuShare } from '../../model/assignment.ts'
import type { Reservation } from '../../model/status.ts'
import type { Action } from '../actions.ts'
import { put, type Slot } from '../place/board.ts'
import type { Demand } from '../demand.ts'
import type { Want } from '../place/fill.ts'
import type { Draft } from '../fold.ts'
import { bindOf, type PlaceContext } from '../place.ts'
import type { Replica } from '../replicas.ts'
import { keepRoom, wantFor } from '../place/reserved.ts'
import { slotSuits } from '../place/slot-suits.ts'
import { deadlineMs, type Gang } from './gang.ts'

/** Room for one replica. */
export type Kept = {
  readonly node: string
  readonly demand: Demand
  readonly gpus: readonly GpuShare[]
  /** It could be bound now. */
  readonly isFree: boolean
}

/** Puts what is still good of its room on the board, and takes it off `left` of the wants. */
export function keepRoomOf(
  gang: Gang,
  { board, wants }: Pick<PlaceContext, 'board' | 'wants'>,
  draft: Draft,
): readonly Kept[] {
  const { uid } = gang.target.workload
  const slots = new Map(board.slots.map((own) => [own.node, own]))
  return (gang.status?.reservations ?? []).flatMap(({ node, count, sinceMs }) => {
    const slot = slots.get(node)
    const isTaker = ({ bound: own, node: on }: Replica): boolean =>
      on.name === node && own.assignedAtMs > (sinceMs ?? Infinity)
    const bound = gang.running.filter(isTaker).length
    if (slot === undefined) return []
    return Array.from({ length: Math.max(0, count - bound) }).flatMap((): readonly Kept[] => {
      const want = wantFor(uid, slot, { wants }) ?? borrowing(uid, slot, wants)
      if (want === undefined) return []
      const { demand } = want
      const isFree = slotSuits(slot, want)
      if (!isFree && !isBeingCleared(node, draft)) return []
      want.left -= 1
      if (!isFree) {
        keepRoom(board, slot, demand)
        return [{ node, demand, gpus: [], isFree }]
      }
      return [{ node, demand, gpus: put(board, slot, demand), isFree: slot.ready }]
    })
  })
}

function borrowing(uid: string, slot: Slot, wants: readonly Want[]): Want | undefined {
  return wants.find(
    ({ demand, left }) =>
      left > 0 &&
      demand.target.workload.uid === uid &&
      (demand.capacity === 'any' || demand.capacity === slot.capacityType),
  )
}

function isBeingCleared(node: string, { assignments }: Draft): boolean {
  return (assignments.get(node)?.replicas ?? []).some((own) => own.order === 'stop')
}

/** All of them, bound where they have their room. */
export function bindAll(
  kept: readonly Kept[],
  context: Pick<PlaceContext, 'ids' | 'nowMs'>,
): readonly Action[] {
  return kept.map((own) => bindOf(context, own))
}

type Holding = {
  readonly gang: Pick<Gang, 'part' | 'target' | 'status'>
  /** Of the room: what it had before. */
  readonly rooms: readonly Kept[]
  readonly nowMs: number
}

/** What is kept, as the status of the gang holds it. */
export function reservationsOf(
  counts: ReadonlyMap<string, number>,
  { gang, rooms, nowMs }: Holding,
): readonly Reservation[] {
  const untilMs = deadlineMs(gang)
  const sinceOf = (node: string, count: number): number => {
    const isSame = rooms.filter((own) => own.node === node).length === count
    const known = gang.status?.reservations?.find((own) => own.node === node)
    return (isSame ? known?.sinceMs : undefined) ?? nowMs
  }
  return [...counts].flatMap(([node, count]) =>
    count > 0 ? [{ node, count, sinceMs: sinceOf(node, count), untilMs }] : [],
  )
}
