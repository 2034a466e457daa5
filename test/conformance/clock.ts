/**
 * What every clock must do. `settle` lets a sleep end: by telling a virtual clock, or by waiting.
 */
import { describe, expect, test } from 'vitest'
import type { Clock } from '#shared/cloud/clock.ts'

export type ClockHarness = { clock: Clock; settle(ms: number): Promise<void> }

export function describeClock(name: string, open: () => ClockHarness): void {
  describe(`the ${name} clock`, () => {
    test('never goes back, and tells whole milliseconds', async () => {
      const { clock, settle } = open()
      const before = clock.now()
      await settle(5)
      expect(clock.now()).toBeGreaterThanOrEqual(before)
      expect(Number.isSafeInteger(before)).toBe(true)
    })

    test('ends sleeps in the order of their deadlines', async () => {
      const { clock, settle } = open()
      const woken: string[] = []
      const sleeps = [
        clock.sleep(30).then(() => woken.push('later')),
        clock.sleep(5).then(() => woken.push('sooner')),
      ]
      expect(woken).toEqual([])
      await settle(40)
      await Promise.all(sleeps)
      expect(woken).toEqual(['sooner', 'later'])
    })

    test('has moved on by what was slept', async () => {
      const { clock, settle } = open()
      const before = clock.now()
      const slept = clock.sleep(20).then(() => clock.now() - before)
      await settle(25)
      // Timers and the wall clock round differently.
      expect(await slept).toBeGreaterThanOrEqual(18)
    })
  })
}
