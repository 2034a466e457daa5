/**
 * A stored spec: what a person wrote, who it is, and since when.
 *
 * DELETE only marks it; a later PUT of the same name makes a new `uid`, so nothing of the old one
 * is ever taken for the new one's.
 */
import { z } from 'zod'
import { poolSpecSchema } from './pool.ts'
import { teamSpecSchema } from './team.ts'
import { workloadSpecSchema } from './workload.ts'

const meta = {
  kind: z.literal('spec'),
  name: z.string(),
  uid: z.string(),
  /** Moves with every change of the spec; an equal PUT keeps it. */
  generation: z.int().min(1),
  createdAtMs: z.int(),
  updatedAtMs: z.int(),
  deletedAtMs: z.int().optional(),
}

export const specItemSchema = z.discriminatedUnion('noun', [
  z.object({ ...meta, noun: z.literal('workload'), spec: workloadSpecSchema }),
  z.object({ ...meta, noun: z.literal('pool'), spec: poolSpecSchema }),
  z.object({ ...meta, noun: z.literal('team'), spec: teamSpecSchema }),
])
export type SpecItem = z.infer<typeof specItemSchema>
export type WorkloadItem = Extract<SpecItem, { noun: 'workload' }>
export type PoolItem = Extract<SpecItem, { noun: 'pool' }>
export type TeamItem = Extract<SpecItem, { noun: 'team' }>

/**
 * A template under its hash, kept so that an older version can run again. All of it but the number
 * stands as it was first written.
 */
export const revisionSchema = z.object({
  kind: z.literal('revision'),
  workload: z.string(),
  uid: z.string(),
  version: z.string(),
  /** Grows with each change of version; a version that is applied again gets the newest. */
  number: z.int().min(1),
  template: z.record(z.string(), z.unknown()),
  createdAtMs: z.int(),
})
export type Revision = z.infer<typeof revisionSchema>
