/**
 * What is remembered, and what is not.
 */
import { describe, expect, it } from 'vitest'
import { remembered } from '#shared/base/remembered.ts'

describe('remembered', () => {
  it('works a frozen value out once', () => {
    const of = remembered((value: { n: number }) => ({ twice: value.n * 2 }))
    const value = Object.freeze({ n: 1 })
    expect(of(value)).toBe(of(value))
    expect(of(Object.freeze({ n: 2 }))).toEqual({ twice: 4 })
  })

  it('looks at what may still change each time', () => {
    const of = remembered((value: { n: number }) => ({ twice: value.n * 2 }))
    const value = { n: 1 }
    expect(of(value)).toEqual({ twice: 2 })
    value.n = 2
    expect(of(value)).toEqual({ twice: 4 })
  })
})
