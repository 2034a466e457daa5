import { describe, expect, it } from 'vitest'
import type { Day } from '#shared/model/metric.ts'
import { holds } from '#shared/planner/scaling/schedule.ts'

const at = (iso: string): number => Date.parse(iso)
/** `08:00-20:00`, on all days or on some. */
const daily = (timeZone: string, times: string, ...days: Day[]): Parameters<typeof holds>[0] => {
  const [from = '', to = ''] = times.split('-')
  return { timeZone, from, to, ...(days.length === 0 ? {} : { days }) }
}

describe('a schedule holds', () => {
  it('from its beginning until its end, by the clock of its zone', () => {
    const office = daily('Europe/Berlin', '08:00-20:00')
    expect(holds(office, at('2026-11-23T06:59:59Z'))).toBe(false)
    expect(holds(office, at('2026-11-23T07:00:00Z'))).toBe(true)
    expect(holds(office, at('2026-11-23T18:59:59Z'))).toBe(true)
    expect(holds(office, at('2026-11-23T19:00:00Z'))).toBe(false)
  })

  it('an hour earlier by UTC in summer', () => {
    const office = daily('Europe/Berlin', '08:00-20:00')
    expect(holds(office, at('2026-07-20T05:59:59Z'))).toBe(false)
    expect(holds(office, at('2026-07-20T06:00:00Z'))).toBe(true)
  })

  it('on the days it names, which are those of its zone', () => {
    const mondays = daily('Pacific/Auckland', '00:00-24:00', 'mon')
    // Monday in Auckland begins on Sunday at 11:00 by UTC.
    expect(holds(mondays, at('2026-11-22T10:59:59Z'))).toBe(false)
    expect(holds(mondays, at('2026-11-22T11:00:00Z'))).toBe(true)
    expect(holds(mondays, at('2026-11-23T10:59:59Z'))).toBe(true)
    expect(holds(mondays, at('2026-11-23T11:00:00Z'))).toBe(false)
  })

  it('past midnight, on the day it began', () => {
    const night = daily('UTC', '22:00-06:00', 'fri')
    expect(holds(night, at('2026-11-27T21:59:00Z'))).toBe(false)
    expect(holds(night, at('2026-11-27T22:00:00Z'))).toBe(true)
    expect(holds(night, at('2026-11-28T05:59:00Z'))).toBe(true)
    expect(holds(night, at('2026-11-28T06:00:00Z'))).toBe(false)
    expect(holds(night, at('2026-11-28T22:30:00Z'))).toBe(false)
    expect(holds(night, at('2026-11-27T01:00:00Z'))).toBe(false)
  })

  it('when an hour is skipped or comes twice, by what the clock shows', () => {
    const early = daily('America/New_York', '02:30-04:00')
    // On 8 March 2026 it is 03:00 right after 01:59.
    expect(holds(early, at('2026-03-08T06:59:00Z'))).toBe(false)
    expect(holds(early, at('2026-03-08T07:00:00Z'))).toBe(true)
    const twice = daily('America/New_York', '01:00-02:00')
    // On 1 November it is 01:30 at 05:30 and at 06:30.
    expect(holds(twice, at('2026-11-01T05:30:00Z'))).toBe(true)
    expect(holds(twice, at('2026-11-01T06:30:00Z'))).toBe(true)
    expect(holds(twice, at('2026-11-01T07:00:00Z'))).toBe(false)
  })
})
