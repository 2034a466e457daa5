import { describe, expect, it } from 'vitest'
import { rolloutStatus, type RolloutCounts } from '#shared/planner/rollout-status.ts'

const counts = (more: Partial<RolloutCounts>): RolloutCounts => ({
  ...{ version: 'v1', desired: 3, ready: 0, older: 0 },
  ...more,
})

describe('the roll-out part of a status', () => {
  it('begins with the first replica that is wanted, and has nothing to go back to', () => {
    expect(rolloutStatus(counts({}), undefined, 100)).toEqual({
      ...{ active: 'v1', startedAtMs: 100, lastProgressAtMs: 100, mostReady: 0 },
    })
  })

  it('moves its stamp only when more are ready than ever', () => {
    const begun = rolloutStatus(counts({}), undefined, 100)
    const two = rolloutStatus(counts({ ready: 2 }), begun, 200)
    expect(two.lastProgressAtMs).toBe(200)
    const lost = rolloutStatus(counts({ ready: 1 }), two, 300)
    expect(lost).toEqual(two)
    expect(rolloutStatus(counts({ ready: 2 }), lost, 400).lastProgressAtMs).toBe(200)
  })

  it('is stable once whole with nothing older left, and until the next one is', () => {
    const older = rolloutStatus(counts({ ready: 3, older: 1 }), undefined, 100)
    expect(older.stable).toBeUndefined()
    const whole = rolloutStatus(counts({ ready: 3 }), older, 200)
    expect(whole.stable).toBe('v1')
    const next = rolloutStatus(counts({ version: 'v2', ready: 0, older: 3 }), whole, 300)
    expect(next).toMatchObject({ active: 'v2', stable: 'v1', startedAtMs: 300, mostReady: 0 })
    expect(rolloutStatus(counts({ version: 'v2', ready: 3 }), next, 400).stable).toBe('v2')
  })

  it('calls nothing stable that wants nothing', () => {
    expect(rolloutStatus(counts({ desired: 0 }), undefined, 100).stable).toBeUndefined()
  })
})
