/**
 * Status: what reconcile has seen of a workload or a pool, with stamps and never an age.
 *
 * A countdown in it would change every pass and wake everybody; `explain` computes ages when asked.
 */
import { z } from 'zod'
import { conditionSchema } from './node.ts'

export const reasonSchema = z.object({ code: z.string(), text: z.string() })
export type Reason = z.infer<typeof reasonSchema>

export const waitingSchema = z.object({
  version: z.string(),
  count: z.int().min(1),
  sinceMs: z.int(),
  /** Set while nothing is on its way for them. */
  unschedulableSinceMs: z.int().optional(),
  reasons: z.array(reasonSchema),
})

export const workloadStatusSchema = z.object({
  kind: z.literal('status'),
  noun: z.literal('workload'),
  name: z.string(),
  uid: z.string(),
  /** The spec's generation that these numbers answer. */
  observedGeneration: z.int(),
  version: z.string(),
  desired: z.int(),
  assigned: z.int(),
  running: z.int(),
  ready: z.int(),
  updated: z.int(),
  waiting: z.array(waitingSchema).default([]),
  conditions: z.array(conditionSchema),
  belowMinSinceMs: z.int().optional(),
  /** Failed spot claims since spot last worked: two of them allow on-demand. */
  spotFailures: z.int().default(0),
  onDemandSinceMs: z.int().optional(),
})
export type WorkloadStatus = z.infer<typeof workloadStatusSchema>

export const poolStatusSchema = z.object({
  kind: z.literal('status'),
  noun: z.literal('pool'),
  name: z.string(),
  uid: z.string(),
  observedGeneration: z.int(),
  nodes: z.int(),
  conditions: z.array(conditionSchema),
})
export type PoolStatus = z.infer<typeof poolStatusSchema>

export const statusSchema = z.discriminatedUnion('noun', [workloadStatusSchema, poolStatusSchema])
