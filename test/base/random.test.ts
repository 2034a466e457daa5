import { describe, expect, it } from 'vitest'
import { hashOf, makeRandom, noiseOf } from '#shared/base/random.ts'

describe('random', () => {
  it('is xoshiro128**: the first words of state 1, 2, 3, 4 are the reference ones', () => {
    const random = makeRandom([1, 2, 3, 4])
    expect([random.word(), random.word(), random.word(), random.word()]).toEqual([
      11_520, 0, 5_927_040, 70_819_200,
    ])
  })

  it('goes on from a dumped state with the very next draw', () => {
    const random = makeRandom(7)
    random.next()
    const copy = makeRandom(JSON.parse(JSON.stringify(random.state())))
    expect([copy.next(), copy.int(1, 6)]).toEqual([random.next(), random.int(1, 6)])
  })

  it('differs between seeds and repeats for one', () => {
    const draw = (seed: number): number[] => Array.from({ length: 5 }, makeRandom(seed).word)
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
  })

  it('stays within bounds and reaches both ends', () => {
    const random = makeRandom(3)
    const seen = new Set(Array.from({ length: 200 }, () => random.int(2, 5)))
    expect([...seen].toSorted()).toEqual([2, 3, 4, 5])
    const mean = Array.from({ length: 10_000 }, random.next).reduce((a, b) => a + b) / 10_000
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.02)
  })

  it('takes chances, but draws nothing for none', () => {
    const random = makeRandom(5)
    const before = random.state()
    expect(random.chance(0)).toBe(false)
    expect(random.state()).toEqual(before)
    expect(random.chance(1)).toBe(true)
  })

  it('has noise that depends on name, seed and step alone', () => {
    const hash = hashOf(1, 'm7a.large')
    expect(noiseOf(hash, 4)).toBe(noiseOf(hashOf(1, 'm7a.large'), 4))
    expect(hashOf(2, 'm7a.large')).not.toBe(hash)
    const values = Array.from({ length: 2_000 }, (_, step) => noiseOf(hash, step))
    expect(Math.min(...values)).toBeLessThan(0.01)
    expect(Math.max(...values)).toBeGreaterThan(0.99)
  })
})
