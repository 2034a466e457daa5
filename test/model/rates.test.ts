import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import { countIn, rateKey, ratesSchema, type Outcome, type Rates } from '#shared/model/rates.ts'

const START_MS = Date.UTC(2026, 10, 29)
const WEEK_MS = LIMITS.rateHalfLifeMs

const outcome = (more: Partial<Outcome> = {}): Outcome => ({
  ...{ instanceType: 'm7a.large', zone: 'us-east-1a', passed: false },
  ...more,
})

function first(rates: Rates): [failed: number, passed: number] {
  const own = rates.rates[0]
  return [own?.failed ?? 0, own?.passed ?? 0]
}

describe('counts of burn-ins', () => {
  const four = countIn(undefined, Array<Outcome>(4).fill(outcome()), START_MS)

  it.each([
    [0, 4],
    [WEEK_MS / 2, 2.8284],
    [WEEK_MS, 2],
    [2 * WEEK_MS, 1],
    [5 * WEEK_MS, 0.125],
  ])('after %i ms of four failures %d are left', (afterMs, left) => {
    const later = countIn(four, [outcome({ passed: true })], START_MS + afterMs)
    expect(first(later)).toEqual([left, 1])
  })

  it('are not taken away by a clock that is behind, nor made older', () => {
    const later = countIn(four, [outcome()], START_MS - WEEK_MS)
    expect(first(later)).toEqual([5, 0])
    expect(later.atMs).toBe(START_MS)
  })

  it('are kept apart by type, zone and image', () => {
    const others = [{ instanceType: 'c7a.large' }, { zone: 'us-east-1b' }, { imageId: 'ami-1' }]
    const rates = countIn(undefined, [outcome(), ...others.map(outcome)], START_MS).rates
    expect(new Set(rates.map(rateKey)).size).toBe(4)
    expect(rates.every((own) => own.failed === 1)).toBe(true)
  })

  it('are forgotten when little is left, and the lightest when there are too many', () => {
    const old = countIn(undefined, [outcome()], START_MS)
    const fresh = outcome({ zone: 'us-east-1b' })
    expect(countIn(old, [fresh], START_MS + 4 * WEEK_MS).rates).toHaveLength(2)
    expect(countIn(old, [fresh], START_MS + 5 * WEEK_MS).rates).toHaveLength(1)
    const many = Array.from({ length: LIMITS.ratesKept }, (_, i) =>
      outcome({ instanceType: `t${String(i)}` }),
    )
    const heavy = countIn(countIn(old, many, START_MS), many, START_MS)
    const full = countIn(heavy, [fresh], START_MS)
    expect(full.rates).toHaveLength(LIMITS.ratesKept)
    expect(full.rates[0]).toMatchObject({ zone: 'us-east-1b', failed: 1 })
    expect(full.rates.slice(1).every((own) => own.failed === 2)).toBe(true)
    const text = JSON.stringify(full)
    expect(text.length).toBeLessThan(LIMITS.itemMaxBytes / 4)
  })

  it('say the same in whatever steps they were taken in, but for the last digits', () => {
    const stepArb = fc.record({
      afterMs: fc.integer({ min: 0, max: WEEK_MS }),
      passed: fc.boolean(),
      zone: fc.constantFrom('a', 'b'),
    })
    fc.assert(
      fc.property(fc.array(stepArb, { minLength: 1, maxLength: 30 }), (steps) => {
        let atMs = START_MS
        let rates: Rates | undefined
        const seen: { atMs: number; passed: boolean; zone: string }[] = []
        for (const { afterMs, passed, zone } of steps) {
          atMs += afterMs
          seen.push({ atMs, passed, zone })
          rates = countIn(rates, [outcome({ passed, zone })], atMs)
        }
        expect(ratesSchema.parse(rates)).toEqual(rates)
        expect(rates?.revision).toBe(steps.length)
        for (const zone of ['a', 'b']) {
          const expected = seen
            .filter((own) => own.zone === zone && !own.passed)
            .reduce((sum, own) => sum + 0.5 ** ((atMs - own.atMs) / WEEK_MS), 0)
          const found = rates?.rates.find((own) => own.zone === zone)?.failed ?? 0
          expect(Math.abs(found - expected)).toBeLessThan(0.06)
        }
      }),
    )
  })
})
