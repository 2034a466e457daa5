import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { describeClock } from '../conformance/clock.ts'

describeClock('system', () => ({ clock: makeSystemClock(), settle: (ms) => sleep(ms) }))
describeClock('virtual', () => {
  const clock = makeVirtualClock(1_000)
  return { clock, settle: (ms) => clock.advance(ms) }
})

describe('the virtual clock', () => {
  test('stands at each sleeper’s deadline while the sleeper runs', async () => {
    const clock = makeVirtualClock()
    const seen: number[] = []
    const tick = async (): Promise<void> => {
      for (let turn = 0; turn < 3; turn += 1) {
        await clock.sleep(10)
        seen.push(clock.now())
      }
    }
    const ticking = tick()
    await clock.advanceTo(100)
    await ticking
    expect(seen).toEqual([10, 20, 30])
    expect(clock.now()).toBe(100)
  })

  test('wakes equal deadlines in the order in which they fell asleep', async () => {
    const clock = makeVirtualClock()
    const woken: number[] = []
    for (const n of [1, 2, 3]) void clock.sleep(10).then(() => woken.push(n))
    await clock.advance(10)
    expect(woken).toEqual([1, 2, 3])
  })

  test('tells when its next sleeper wakes, and refuses to go back', async () => {
    const clock = makeVirtualClock(50)
    expect(clock.nextWakeMs()).toBeUndefined()
    void clock.sleep(5)
    expect(clock.nextWakeMs()).toBe(55)
    await expect(clock.advanceTo(49)).rejects.toThrow('never goes back')
  })

  test('jumps by itself where asked to', async () => {
    const clock = makeVirtualClock(0, { jumping: true })
    await clock.sleep(86_400_000)
    expect(clock.now()).toBe(86_400_000)
  })
})
