/**
 * In the end every victim lives that turns out not to be needed: because what was cleared for the
 * one is enough for the other, on the same node or, when some of those for whom room is made go to
 * another one, on theirs.
 *
 * Source: the reverse pass of Kueue, which looks at one preemptor at a time.
 */
import { byKey, byText, descending, inOrder, type Compare } from '../../base/order.ts'
import { sum } from '../../base/sum.ts'
import type { GpuShare } from '../../model/assignment.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Resources } from '../../model/quantities.ts'
import { lift, put, type Board, type Placed, type Slot } from '../place/board.ts'
import { topologyRules } from '../demand.ts'
import type { Want } from '../place/fill.ts'
import { slotSuits } from '../place/slot-suits.ts'
import { withVictim, without, type Victim, type VictimBook } from './victims.ts'

/** What is being cleared on one node, and for whom. */
export type Clearing = {
  readonly slot: Slot
  victims: readonly Victim[]
  wants: readonly Seated[]
}

/** One replica of the want, and the devices that it was counted on. */
export type Seated = { readonly want: Want; readonly shares: readonly GpuShare[] }

type Scene = {
  readonly board: Board
  readonly victims: Pick<VictimBook, 'letLive'>
  /** By node. */
  readonly clearings: ReadonlyMap<string, Clearing>
}

/** Takes those off the clearings' victims, and moves what may move, until nothing is gained. */
export function letLive(scene: Scene): void {
  const all = [...scene.clearings.values()]
  // Who would have gone last lives first.
  for (const own of all) own.victims = own.victims.toReversed()
  // Each round but the last spares somebody.
  for (let before = Infinity; countOf(all) < before;) {
    before = countOf(all)
    for (const own of all) {
      own.victims = own.victims.filter((victim) => !spares(scene, own, victim))
    }
  }
}

const countOf = (clearings: readonly Clearing[]): number =>
  clearings.reduce((sum, own) => sum + own.victims.length, 0)

/** True where the victim lives. */
function spares(scene: Scene, clearing: Clearing, victim: Victim): boolean {
  // Its mates have gone for it, and others may have their room.
  if (victim.size > 1) return false
  const { slot } = clearing
  Object.assign(slot, withVictim(slot, victim))
  if (!isOverfull(slot) || ORDERS.some((order) => reseat(scene, order))) {
    scene.victims.letLive(victim)
    return true
  }
  Object.assign(slot, without(slot, victim))
  return false
}

const isOverfull = (slot: Slot): boolean =>
  slot.freeCpuMilli < 0 ||
  slot.freeMemoryMib < 0 ||
  slot.freeDiskMib < 0 ||
  slot.freeDevices.some((free) => free < 0) ||
  slot.replicas > LIMITS.replicasPerNodeMax

type Sitting = { readonly seated: Seated; readonly on: Clearing }
type Order = Compare<Sitting>

const nameOf = ({ seated }: Sitting): string => seated.want.demand.target.workload.name

const needOf = ({ seated }: Sitting): Resources => seated.want.demand.need

/** As their reservations will be served, and the largest first: they find room less easily. */
const ORDERS: readonly Order[] = [
  (a, b) => byText(nameOf(a), nameOf(b)),
  inOrder(
    descending(byKey((own) => needOf(own).gpuMilli)),
    descending(byKey((own) => needOf(own).cpuMilli + needOf(own).memoryMib / 4)),
  ),
]

/** Seats all that may move anew, each on its own node if it can; false where some fit no more. */
function reseat({ board, clearings }: Scene, order: Order): boolean {
  const all = [...clearings.values()]
  const sitting = all
    .flatMap((on) => on.wants.filter(isFree).map((seated): Sitting => ({ seated, on })))
    .toSorted(order)
  const slots = all.map(({ slot }) => ({ slot, was: { ...slot } }))
  for (const { seated, on } of sitting) {
    lift(board, on.slot, placedOf({ seated, on }))
  }
  const isLost = slots.some(({ slot }) => isOverfull(slot)) || isTooMuch(sitting, all)
  const placed = isLost ? undefined : seatAll(sitting, { board, all })
  if (placed === undefined || sitting.length === 0) {
    for (const own of sitting) put(board, own.on.slot, own.seated.want.demand)
    for (const { slot, was } of slots) Object.assign(slot, was)
    return false
  }
  for (const own of all) {
    const here = placed.filter(({ on }) => on === own).map(({ seated }) => seated)
    own.wants = [...own.wants.filter((seated) => !isFree(seated)), ...here]
  }
  return true
}

type Room = { readonly board: Board; readonly all: readonly Clearing[] }

/** Each where it fits; goes back on who takes the only room of another, if not for ever. */
function seatAll(sitting: readonly Sitting[], { board, all }: Room): Sitting[] | undefined {
  const placed: Sitting[] = []
  let tries = SEATS_TRIED + sitting.length
  const seatFrom = (i: number): boolean => {
    const next = sitting[i]
    if (next === undefined) return true
    const { seated, on } = next
    for (const to of [on, ...all.filter((own) => own !== on)]) {
      if (!slotSuits(to.slot, seated.want)) continue
      if (tries <= 0) return false
      tries -= 1
      const shares = put(board, to.slot, seated.want.demand)
      const sits = { seated: { ...seated, shares }, on: to }
      placed.push(sits)
      if (seatFrom(i + 1)) return true
      placed.pop()
      lift(board, to.slot, placedOf(sits))
    }
    return false
  }
  return seatFrom(0) ? placed : undefined
}

/** Seats tried in vain before a seating is given up. */
const SEATS_TRIED = 200

const placedOf = ({ seated: { want, shares } }: Sitting): Placed => {
  return { demand: want.demand, shares }
}

/** Together they need more than all the nodes have. */
function isTooMuch(sitting: readonly Sitting[], clearings: readonly Clearing[]): boolean {
  const cpuMilli = sum(clearings.map(({ slot }) => slot.freeCpuMilli))
  const memoryMib = sum(clearings.map(({ slot }) => slot.freeMemoryMib))
  return (
    sum(sitting.map((own) => needOf(own).cpuMilli)) > cpuMilli ||
    sum(sitting.map((own) => needOf(own).memoryMib)) > memoryMib
  )
}

/** No rule says where it must be, seen from where others are. */
function isFree({ want: { demand } }: Seated): boolean {
  return demand.spotPoolCap === Infinity && topologyRules(demand.target.workload).length === 0
}
