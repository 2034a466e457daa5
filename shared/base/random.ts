/**
 * Seeded randomness, for worlds that must happen again exactly.
 *
 * The generator is xoshiro128** 1.1 (Blackman and Vigna, prng.di.unimi.it): 128 bits of state, four
 * 32-bit words that dump to JSON, so a restored world goes on with the very next draw. Its seed is
 * spread with SplitMix32, the 32-bit form of Steele, Lea and Flood's SplitMix with the finalizer of
 * MurmurHash3. `noiseOf` needs no state at all: it is a value for a name, for things that move with
 * time and must be readable at any moment. None of it is fit for secrets.
 */
import { assert } from './assert.ts'

export type RandomState = readonly [number, number, number, number]

export type Random = {
  /** Uniform in [0, 1), 32 bits of it. */
  next(): number
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number
  /** True with the probability given; draws nothing for 0 and below. */
  chance(probability: number): boolean
  /** A 32-bit word. */
  word(): number
  state(): RandomState
}

const GOLDEN = 0x9e3779b9
const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k))

/** A bijection of 32-bit words in which every input bit moves about half of the output's. */
function mix(word: number): number {
  let z = word
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
  return (z ^ (z >>> 16)) >>> 0
}

function seeded(seed: number): RandomState {
  const word = (n: number): number => mix((seed + Math.imul(GOLDEN, n)) | 0)
  return [word(1), word(2), word(3), word(4)]
}

/** A generator from a seed (its low 32 bits count) or from a dumped state. */
export function makeRandom(from: number | RandomState): Random {
  let [s0, s1, s2, s3] = typeof from === 'number' ? seeded(from) : from
  assert((s0 | s1 | s2 | s3) !== 0, 'a generator whose state is all zero stays there')
  const word = (): number => {
    const result = Math.imul(rotl(Math.imul(s1, 5), 7), 9) >>> 0
    const t = s1 << 9
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = rotl(s3, 11)
    return result
  }
  const next = (): number => word() / 2 ** 32
  return {
    word,
    next,
    int: (min, max) => min + Math.floor(next() * (max - min + 1)),
    chance: (probability) => probability > 0 && next() < probability,
    state: () => [s0 >>> 0, s1 >>> 0, s2 >>> 0, s3 >>> 0],
  }
}

/** A 32-bit hash of a text under a seed (FNV-1a, finished by `mix`). */
export function hashOf(seed: number, text: string): number {
  let hash = (0x811c9dc5 ^ mix(seed | 0)) | 0
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  return mix(hash)
}

/** Uniform in [0, 1) for a hash and a step: the same for ever, unrelated to its neighbours. */
export function noiseOf(hash: number, step: number): number {
  return mix((hash + Math.imul(GOLDEN, step | 0)) | 0) / 2 ** 32
}
