/**
 * Equality against its definition: two values say the same when their canonical texts are equal.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, sameJson } from '#shared/base/equal.ts'

/** Few keys and few leaves, so that equal and nearly equal values come up often. */
const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<unknown>(undefined, null, 0, -0, 1, NaN, Infinity, '', 'a', '0', true, false),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', '1', 'toString', '__proto__'), tie('value'), {
      maxKeys: 3,
    }),
  ),
})).value

describe('sameJson', () => {
  it('says what the canonical texts say', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        expect(sameJson(a, b)).toBe(canonicalJson(a) === canonicalJson(b))
      }),
      { numRuns: 2_000 },
    )
  })

  it('finds a value equal to its copy, whatever order the keys were written in', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(sameJson(value, reversed(value))).toBe(true)
      }),
    )
  })

  it('tells a missing key from null, and an absent entry of a list by its place', () => {
    expect(sameJson({ a: undefined }, {})).toBe(true)
    expect(sameJson({ a: null }, {})).toBe(false)
    expect(sameJson([undefined], [null])).toBe(true)
    expect(sameJson([], {})).toBe(false)
  })
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).reverse()
  return Object.fromEntries(entries.map(([key, own]) => [key, reversed(own)]))
}
