/**
 * A few of the random days of which `npm run test:days` lives through a thousand.
 */
import { describe, expect, it } from 'vitest'
import { DAY_MS, dayOf } from './day.ts'
import { mostReclaims, watchDay } from './watch.ts'

describe('days of teams whose need comes and goes', () => {
  it('have no thrash, nobody sent away in vain, and what is guaranteed in time', () => {
    const found = Array.from({ length: 12 }, (_, i) => watchDay(dayOf(i + 1)))
    expect(found.flatMap((own) => own.faults)).toEqual([])
    expect(found.reduce((sum, own) => sum + own.reclaims, 0)).toBeGreaterThan(10)
  })

  it("bound what one replica can lose by its team's cool-down", () => {
    expect(mostReclaims(DAY_MS)).toBe(80)
    expect(mostReclaims(60_000)).toBeGreaterThanOrEqual(1)
  })
})
