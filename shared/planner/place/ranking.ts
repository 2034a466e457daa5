/**
 * Slots in order of what they have free, least first: the first that will do is the best fit.
 *
 * Who asks how much room a slot has asks it of every slot, for every replica. Kept in order, the
 * slots that have too little are passed over at once, and the rest hardly looked at.
 */
import { byKey, byText, inOrder } from '../../base/order.ts'
import type { Resources } from '../../model/quantities.ts'
import type { Slot } from './board.ts'

export type Ranking = {
  /** The one with least room of those that suit a replica that needs so much. */
  best(need: Resources, suits: (slot: Slot) => boolean): Slot | undefined
  /** Makes a change to a slot, and puts it where it belongs after that. */
  change(slot: Slot, act: () => void): void
}

export function rankSlots(slots: readonly Slot[]): Ranking {
  const ranked = slots.toSorted(byRoom)
  /** The first place at which a slot with so much room, and such a name, could stand. */
  const placeFor = (room: number, node: string): number => {
    let [low, high] = [0, ranked.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const own = ranked[middle]
      const isBefore =
        own !== undefined &&
        (roomOf(own) < room || (roomOf(own) === room && byText(own.node, node) < 0))
      if (isBefore) low = middle + 1
      else high = middle
    }
    return low
  }
  return {
    best: (need, suits) => {
      for (let i = placeFor(need.cpuMilli + need.memoryMib / 4, ''); i < ranked.length; i += 1) {
        const slot = ranked[i]
        if (slot !== undefined && suits(slot)) return slot
      }
      return undefined
    },
    change: (slot, act) => {
      ranked.splice(placeFor(roomOf(slot), slot.node), 1)
      act()
      ranked.splice(placeFor(roomOf(slot), slot.node), 0, slot)
    },
  }
}

/** What is free, as a share of a large machine. */
function roomOf({ freeCpuMilli, freeMemoryMib }: Slot): number {
  return freeCpuMilli + freeMemoryMib / 4
}

const byRoom = inOrder<Slot>(byKey(roomOf), (a, b) => byText(a.node, b.node))
