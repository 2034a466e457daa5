/**
 * Assignment: everything one node's agent needs to know, and the only thing it reads.
 *
 * It is self-contained: each version stands in it once and replicas refer to it. The tiny head item
 * carries the generation, which agents poll; they read the body when it moves, and never go back to
 * an older one. Being in the body *is* being bound.
 */
import { z } from 'zod'
import { askedCheckSchema, certificateSchema } from './burn-in.ts'
import { dataDigestSchema } from './data.ts'
import { balancedSchema } from './service.ts'
import { templateSchema } from './version.ts'

export const gpuShareSchema = z.object({
  /** Device index on the node, from 0. */
  index: z.int().min(0),
  /** Thousandths of the device: 1000 is all of it. */
  milli: z.int().min(1).max(1000),
})
export type GpuShare = z.infer<typeof gpuShareSchema>

export const stopReasonSchema = z.object({ code: z.string(), text: z.string() })

/** What reconcile has seen fail of one replica. */
export const replicaFailuresSchema = z.object({
  /** Ends of its process as its agent told them last; an agent without a memory begins at 0. */
  crashes: z.int().min(0),
  /** Failures since it was last well, the ends of its process among them. */
  count: z.int().min(0),
  sinceMs: z.int(),
  lastMs: z.int(),
})
export type ReplicaFailures = z.infer<typeof replicaFailuresSchema>

export const boundReplicaSchema = z.object({
  /** `<workload>/<epoch>-<n>` */
  id: z.string(),
  workload: z.string(),
  uid: z.string(),
  version: z.string(),
  gpus: z.array(gpuShareSchema).default([]),
  /** `stop` is never taken back: a stopped replica is replaced by a new one. */
  order: z.enum(['run', 'stop']),
  graceSeconds: z.int().min(0),
  /** Reconcile's stamps; the agent ignores them. */
  assignedAtMs: z.int(),
  /** Of the data that it serves. */
  dataKey: z.string().optional(),
  /** When its agent was first seen to have that whole. */
  fetchedAtMs: z.int().optional(),
  /** Since when its reports, and its load balancer if it has one, say ready without a break. */
  readySinceMs: z.int().optional(),
  /** Its place behind a load balancer: one told to stop serves on until it has left that. */
  balanced: balancedSchema.optional(),
  /** Absent until it first fails. */
  failures: replicaFailuresSchema.optional(),
  stopAtMs: z.int().optional(),
  stopReason: stopReasonSchema.optional(),
})
export type BoundReplica = z.infer<typeof boundReplicaSchema>

/** Data that a node is to have or to keep. */
export const assignedDataSchema = z.object({
  key: z.string(),
  /** What it must hold, once that is known. */
  digest: dataDigestSchema.optional(),
})
export type AssignedData = z.infer<typeof assignedDataSchema>

/** Told to stop, and to serve on until it has left its load balancer. */
export function isServingOn({ order, balanced }: BoundReplica): boolean {
  return order === 'stop' && balanced !== undefined
}

/** Its data is not there yet, so it cannot be ready. */
export function isFetching({ dataKey, fetchedAtMs }: BoundReplica): boolean {
  return dataKey !== undefined && fetchedAtMs === undefined
}

export const assignmentHeadSchema = z.object({
  kind: z.literal('assignment-head'),
  arn: z.string(),
  node: z.string(),
  generation: z.int().min(1),
})
export type AssignmentHead = z.infer<typeof assignmentHeadSchema>

export const assignmentSchema = z.object({
  kind: z.literal('assignment'),
  arn: z.string(),
  node: z.string(),
  /** Moves when what the agent must do changes; stamps alone do not move it. */
  generation: z.int().min(1),
  /** By `<uid>/<version>`. */
  templates: z.record(z.string(), templateSchema),
  replicas: z.array(boundReplicaSchema),
  burnIn: z
    .object({
      attempt: z.int().min(1),
      suite: z.string(),
      checks: z.array(askedCheckSchema),
      /** For `burn-in`: whose certificate, and how young, lets the short suite do. */
      certificate: certificateSchema.optional(),
    })
    .optional(),
  drain: z.object({ deadlineMs: z.int(), reason: z.string() }).optional(),
  /**
   * Of its replicas' data, what that must hold; and what it keeps beside that if it has it, because
   * a roll-out may have to go back there. Absent where there is none of either.
   */
  data: z.array(assignedDataSchema).optional(),
})
export type Assignment = z.infer<typeof assignmentSchema>

/** The key of a replica's template in its assignment. */
export function templateKey(replica: { uid: string; version: string }): string {
  return `${replica.uid}/${replica.version}`
}
