/**
 * Report: what a node's agent says it sees. Untrusted input: capped, parsed, never a command.
 *
 * The agent writes it when something changed; the beat, a separate tiny item, says in between that
 * it is alive. The beat's time is DynamoDB's own (the `Date` header), the one sender's clock that
 * is ever compared.
 */
import { z } from 'zod'
import { gpuShareSchema } from './assignment.ts'
import { dataDigestSchema } from './data.ts'
import { gpuIdentitySchema } from './hardware.ts'
import { healthFindingSchema } from './health.ts'
import { checkResultsSchema } from './verdict.ts'
import { LIMITS } from './limits.ts'

/** Phases an agent reports. */
export const replicaPhaseSchema = z.enum([
  'fetching',
  'starting',
  'running',
  'ready',
  'stopping',
  'gone',
  'failed',
])
export type ReportedPhase = z.infer<typeof replicaPhaseSchema>

export const lastExitSchema = z.object({
  code: z.int().optional(),
  signal: z.string().max(20).optional(),
  reason: z.string().max(200),
  atMs: z.int(),
})

export const reportedReplicaSchema = z.object({
  id: z.string().max(130),
  version: z.string().max(64),
  phase: replicaPhaseSchema,
  ready: z.boolean(),
  restarts: z.int().min(0),
  startedAtMs: z.int().optional(),
  addresses: z.record(z.string().max(15), z.string().max(100)).default({}),
  gpus: z.array(gpuShareSchema).default([]),
  lastExit: lastExitSchema.optional(),
})
export type ReportedReplica = z.infer<typeof reportedReplicaSchema>

/** How far a node has come with one version of data. */
export const reportedDataSchema = z.object({
  key: z.string().max(16),
  state: z.enum(['fetching', 'whole', 'failed']),
  /** What it holds; absent until that is known. */
  digest: dataDigestSchema.optional(),
  fetchedBytes: z.int().min(0),
  /** Absent until that is known. */
  totalBytes: z.int().min(0).optional(),
  /** Why it failed; it is tried again. */
  reason: z.string().max(200).optional(),
})
export type ReportedData = z.infer<typeof reportedDataSchema>

/** EC2 takes the machine back: what it does then, and when. */
export const interruptionSchema = z.object({ action: z.string().max(20), deadlineMs: z.int() })

export const reportSchema = z.object({
  kind: z.literal('report'),
  arn: z.string().max(200),
  /** One boot of one machine: an agent that restarts keeps it. */
  bootId: z.string().min(1).max(64),
  /** Grows with every report of this boot. */
  sequence: z.int().min(0),
  agentVersion: z.string().max(40),
  /** The newest assignment the agent has taken in; 0 before the first. */
  observedGeneration: z.int().min(0),
  runtimes: z.array(z.enum(['process', 'docker'])).max(2),
  replicas: z.array(reportedReplicaSchema).max(LIMITS.replicasPerNodeMax * 2),
  /** The machine's GPUs, as they were when its agent started; absent where it has none. */
  gpus: z.array(gpuIdentitySchema).max(64).optional(),
  burnIn: z
    .object({
      attempt: z.int().min(1),
      suite: z.string().max(63),
      state: z.enum(['running', 'finished']),
      checks: checkResultsSchema,
    })
    .optional(),
  /** Data that its replicas serve or that it keeps; absent where there is none. */
  data: z.array(reportedDataSchema).max(LIMITS.dataPerNodeMax).optional(),
  /** Problems that the agent has come upon while it watched; absent where there are none. */
  health: z.array(healthFindingSchema).max(LIMITS.healthFindingsMax).optional(),
  /** The spot notice from instance metadata: when EC2 ends the machine. */
  interruption: interruptionSchema.optional(),
  rebalance: z.boolean().optional(),
  /** The agent's clock, for people. */
  atMs: z.int(),
})
export type Report = z.infer<typeof reportSchema>

const usedMost = z.int().min(0).max(LIMITS.usageMost)

/** What a replica used on average since the last beat, as its agent measured it. */
export const usageSchema = z.object({
  cpuMilli: usedMost.optional(),
  memoryMib: usedMost.optional(),
  /** 1000 a device. */
  gpuMilli: usedMost.optional(),
})
export type Usage = z.infer<typeof usageSchema>

export const beatSchema = z.object({
  kind: z.literal('beat'),
  arn: z.string(),
  bootId: z.string(),
  /** DynamoDB's clock, milliseconds since the epoch. */
  atMs: z.int(),
  /** By replica id; absent where nothing was measured. */
  usage: z
    .record(z.string().max(130), usageSchema)
    .refine((own) => Object.keys(own).length <= LIMITS.replicasPerNodeMax)
    .optional()
    // What cannot be read of it is no reason to take its node for silent.
    .catch(undefined),
})
export type Beat = z.infer<typeof beatSchema>
