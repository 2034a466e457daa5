import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Slot } from '#shared/planner/place/board.ts'
import { rankSlots } from '#shared/planner/place/ranking.ts'

type Room = Pick<Slot, 'node' | 'freeCpuMilli' | 'freeMemoryMib'>

const rooms = fc.uniqueArray(
  fc.record({
    node: fc.integer({ min: 0, max: 30 }).map((own) => `n${String(own)}`),
    freeCpuMilli: fc.integer({ min: 0, max: 8 }).map((own) => own * 500),
    freeMemoryMib: fc.integer({ min: 0, max: 8 }).map((own) => own * 512),
  }),
  { selector: (own) => own.node, minLength: 1, maxLength: 20 },
)
const needs = fc.array(
  fc.record({
    cpuMilli: fc.integer({ min: 0, max: 4 }).map((own) => own * 500),
    memoryMib: fc.integer({ min: 0, max: 4 }).map((own) => own * 512),
  }),
  { minLength: 1, maxLength: 20 },
)

const fits = (slot: Room, need: { cpuMilli: number; memoryMib: number }): boolean =>
  slot.freeCpuMilli >= need.cpuMilli && slot.freeMemoryMib >= need.memoryMib

/** The best fit by looking at every slot. */
function bestByLooking(
  slots: readonly Room[],
  need: { cpuMilli: number; memoryMib: number },
): Room | undefined {
  return slots
    .filter((own) => fits(own, need))
    .sort((a, b) => {
      const left = (own: Room): number => own.freeCpuMilli + own.freeMemoryMib / 4
      return left(a) - left(b) || (a.node < b.node ? -1 : 1)
    })[0]
}

it('finds the best fit, replica after replica, that looking at every slot finds', () => {
  fc.assert(
    fc.property(rooms, needs, (given, list) => {
      const slots = given.map((own) => ({ ...own })) as unknown as Slot[]
      const ranking = rankSlots(slots)
      for (const each of list) {
        const need = { ...each, gpuMilli: 0, diskMib: 0 }
        const best = ranking.best(need, (slot) => fits(slot, need))
        expect(best?.node).toBe(bestByLooking(slots, need)?.node)
        if (best === undefined) continue
        ranking.change(best, () => {
          best.freeCpuMilli -= need.cpuMilli
          best.freeMemoryMib -= need.memoryMib
        })
      }
    }),
  )
})
