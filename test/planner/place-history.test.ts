import { describe, expect, it } from 'vitest'
import type { Shortage } from '#shared/model/facts.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Offer } from '#shared/planner/provision/offers.ts'
import { openWeigh } from '#shared/planner/provision/place-history.ts'
import { isClosed, SPOT_INTERRUPTION } from '#shared/planner/provision/shortage.ts'

const NOW_MS = 1_000_000

const shortage = (more: Partial<Shortage>): Shortage => ({
  ...{ kind: 'shortage', instanceType: 'm7a.large', zone: 'us-east-1a', capacityType: 'spot' },
  ...{ code: 'InsufficientInstanceCapacity', text: '', failures: 1 },
  ...{ sinceMs: NOW_MS - 1_000, untilMs: NOW_MS + 1_000 },
  ...more,
})

/** As much of an offer as is weighed. */
const offer = (zone: string): Offer =>
  ({
    type: { name: 'm7a.large' },
    ...{ zone, capacityType: 'spot', priceUsdPerHour: 1 },
  }) as Offer

describe('the history of a place', () => {
  it('closes it while EC2 has nothing there, and never because EC2 took something back', () => {
    expect(isClosed(shortage({}), NOW_MS)).toBe(true)
    expect(isClosed(shortage({ untilMs: NOW_MS }), NOW_MS)).toBe(false)
    expect(isClosed(shortage({ code: SPOT_INTERRUPTION }), NOW_MS)).toBe(false)
  })

  it('weighs more the more often it failed, up to a point, and only that place', () => {
    const weights = [1, 2, 3, 9].map((failures) =>
      openWeigh([shortage({ failures })], NOW_MS)(offer('us-east-1a')),
    )
    expect(weights).toEqual([1.1, 1.2, 1.3, 1.3])
    expect(openWeigh([shortage({})], NOW_MS)(offer('us-east-1b'))).toBe(1)
  })

  it('weighs nothing any more an hour after it ended', () => {
    const untilMs = NOW_MS - LIMITS.shortageMaxMs
    expect(openWeigh([shortage({ untilMs: untilMs + 1 })], NOW_MS)(offer('us-east-1a'))).toBe(1.1)
    expect(openWeigh([shortage({ untilMs })], NOW_MS)(offer('us-east-1a'))).toBe(1)
  })
})
