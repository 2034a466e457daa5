/**
 * Gangs of a world: workloads that run whole or not at all, some too large for what there is.
 *
 * They are workloads like the world's others, with what contradicts a gang left out. A name keeps
 * its kind of gang in all its lives; its size, its deadline and its template change.
 */
import type { Chance } from './chance.ts'
import type { Document } from './script.ts'

export const GANGS = ['gang1', 'gang2', 'gang3'] as const

/** More than most pools allow, or EC2 has. */
const SWOLLEN = { min: 8, max: 40 } as const

/** The gang that this workload is in one of its lives. */
export function gangOf(chance: Chance, like: Document, life: number): Document {
  const { availability: _, rollout: __, ...rest } = like
  const { name } = like
  const key = life === 0 ? name : `${name} ${String(life)}`
  const isWhole = chance.of(`${name} restarts whole`) < 0.6
  return {
    ...rest,
    replicas: chance.int(`${name} ranks`, { min: 2, max: 5 }),
    gang: isWhole ? true : { restart: 'member' },
    gangDeadlineSeconds: chance.pick(`${key} deadline`, [60, 180, 300, 600, 1_800]),
    rollout: { minReadySeconds: chance.pick(`${name} soak`, [0, 0, 5]) },
    ...(chance.of(`${name} floor`) < 0.2 ? { availability: { minAvailable: '100%' } } : {}),
  }
}

/** How many it asks for when it asks for too much, and then again. */
export function swellingOf(chance: Chance, key: string): { most: number; after: number } {
  return {
    most: chance.int(`most ${key}`, SWOLLEN),
    after: chance.int(`after ${key}`, { min: 1, max: 5 }),
  }
}
