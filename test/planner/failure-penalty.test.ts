import fc from 'fast-check'
import { expect, it } from 'vitest'
import { penaltyOf } from '#shared/planner/provision/failure-penalty.ts'

it.each([
  { failed: 0, passed: 0, penalty: 1 },
  { failed: 0, passed: 500, penalty: 1 },
  { failed: 1, passed: 0, penalty: 1.05 },
  { failed: 1, passed: 10, penalty: 1.03 },
  { failed: 5, passed: 10, penalty: 1.16 },
  { failed: 10, passed: 90, penalty: 1.08 },
  { failed: 50, passed: 50, penalty: 1.5 },
  { failed: 500, passed: 0, penalty: 1.5 },
])('$failed of $failed + $passed weigh ×$penalty', ({ penalty, ...counts }) => {
  expect(penaltyOf(counts)).toBeCloseTo(penalty, 2)
})

it('grows with what failed, falls with what passed, and stays between 1 and 1.5', () => {
  const count = fc.double({ min: 0, max: 1_000, noNaN: true })
  fc.assert(
    fc.property(count, count, count, (failed, passed, more) => {
      const penalty = penaltyOf({ failed, passed })
      expect(penalty).toBeGreaterThanOrEqual(1)
      expect(penalty).toBeLessThanOrEqual(1.5)
      expect(penaltyOf({ failed: failed + more, passed })).toBeGreaterThanOrEqual(penalty - 1e-12)
      expect(penaltyOf({ failed, passed: passed + more })).toBeLessThanOrEqual(penalty + 1e-12)
    }),
  )
})
