/**
 * Luck by name: a seed and the name of a thing give its number, whatever happened before.
 *
 * Drawing from one generator would tie every draw to all the draws before it, and a shrunk world
 * would have nothing in common with the one it came from. Named luck stays with its owner.
 */
import { hashOf, noiseOf } from '#shared/base/random.ts'

export type Chance = {
  /** Uniform in [0, 1). */
  of(name: string, n?: number): number
  /** Whole, from `min` to `max`, both included. */
  int(name: string, range: { min: number; max: number }): number
  /** One of the list, which must not be empty. */
  pick<T>(name: string, list: readonly T[]): T
  /** Milliseconds until the next of what happens so often an hour on average. */
  waitMs(name: string, perHour: number): number
}

const HOUR_MS = 3_600_000

export function makeChance(seed: number): Chance {
  const of = (name: string, n = 0): number => noiseOf(hashOf(seed, name), n)
  return {
    of,
    int: (name, { min, max }) => min + Math.floor(of(name) * (max - min + 1)),
    pick: <T>(name: string, list: readonly T[]): T => list[Math.floor(of(name) * list.length)] as T,
    waitMs: (name, perHour) => Math.round((-Math.log(1 - of(name)) / perHour) * HOUR_MS),
  }
}
