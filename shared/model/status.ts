/**
 * Status: what reconcile has seen of a workload, a pool or a team, with stamps and never an age.
 *
 * A countdown in it would change every pass and wake everybody; `explain` computes ages when asked.
 */
import { z } from 'zod'
import { conditionSchema } from './node.ts'

export const reasonSchema = z.object({
  code: z.string(),
  text: z.string(),
  /** When it may be another by itself; the text is to be read with it. */
  atMs: z.int().optional(),
})
export type Reason = z.infer<typeof reasonSchema>

/** The text with its time, which is a stamp and no countdown. */
export function reasonText({ text, atMs }: Reason): string {
  return atMs === undefined ? text : `${text} at ${new Date(atMs).toISOString()}`
}

export const waitingSchema = z.object({
  version: z.string(),
  count: z.int().min(1),
  sinceMs: z.int(),
  /** Set while nothing is on its way for them. */
  unschedulableSinceMs: z.int().optional(),
  /** Set while some of them are guaranteed to its team and can be had nowhere. */
  entitledSinceMs: z.int().optional(),
  reasons: z.array(reasonSchema),
})

/** Room kept for replicas that others make way for. */
export const reservationSchema = z.object({
  node: z.string(),
  count: z.int().min(1),
  /** Of a gang: who of it is bound there after that has taken some of the room up. */
  sinceMs: z.int().optional(),
  /** Given up then, if the room has not come free. */
  untilMs: z.int(),
})
export type Reservation = z.infer<typeof reservationSchema>

/** How often a team's work had to give way for want of one resource, and when that began last. */
export const reclaimsSchema = z.object({
  dimension: z.enum(['cpuMilli', 'memoryMib', 'gpuMilli']),
  count: z.int().min(1),
  lastMs: z.int(),
})
export type Reclaims = z.infer<typeof reclaimsSchema>

/** How one version comes to take the place of the others. */
export const rolloutStatusSchema = z.object({
  /** The version that is rolled out, or was last. */
  active: z.string(),
  /** The last version that was rolled out whole and baked; absent before the first. */
  stable: z.string().optional(),
  /** The version of the spec, while it waits for the active one to be done. */
  pending: z.string().optional(),
  /** A person went back from this version to the active one. */
  undone: z.string().optional(),
  /** Since when a person holds it. */
  pausedSinceMs: z.int().optional(),
  /** The active version has failed: none of it is started any more. */
  failed: z.object({ code: z.string(), text: z.string(), atMs: z.int() }).optional(),
  /** Since when the active version is the active one. */
  startedAtMs: z.int(),
  /** When more of the active version were ready than ever before, or one more was started. */
  lastProgressAtMs: z.int(),
  /** When nodes last took replicas along: the clock of progress starts there again. */
  disturbedAtMs: z.int().optional(),
  /** When a first batch of the active version had been available at once. */
  provenAtMs: z.int().optional(),
  /** Since when the active version makes up for what the stable one waits for in vain. */
  strandedAtMs: z.int().optional(),
  /** Replicas that were taken away for the active version and are not started yet. */
  taken: z.int().min(1).optional(),
  /** Since when nothing is left to do; absent while something is. */
  completedAtMs: z.int().optional(),
  /** When that was first so and had been watched for long enough: its roll-out is over. */
  endedAtMs: z.int().optional(),
  /** Replicas of the active version that are ready, and the most that were at once. */
  ready: z.int(),
  mostReady: z.int(),
  /** Replicas of other versions that still run. */
  old: z.int(),
})
export type RolloutStatus = z.infer<typeof rolloutStatusSchema>

/** A replica that failed and has not been well since, or is gone. */
export const replicaFailureSchema = z.object({
  replica: z.string(),
  version: z.string(),
  node: z.string(),
  count: z.int().min(1),
  sinceMs: z.int(),
  lastMs: z.int(),
})
export type ReplicaFailure = z.infer<typeof replicaFailureSchema>

/** How far a gang has come; absent of what is none, and while nothing was tried yet. */
export const gangPartSchema = z.object({
  /** Since then it holds room, in `reservations`, or is bound and not ready to the last. */
  formingSinceMs: z.int().optional(),
  /** So many replicas were ready together. */
  formed: z.int().min(1).optional(),
  /** Tries in a row that were given up at their deadline. */
  failures: z.int().min(1).optional(),
  /** It tries again then. */
  heldOffUntilMs: z.int().optional(),
})
export type GangPart = z.infer<typeof gangPartSchema>

export const workloadStatusSchema = z.object({
  kind: z.literal('status'),
  noun: z.literal('workload'),
  name: z.string(),
  uid: z.string(),
  /** The spec's generation that these numbers answer. */
  observedGeneration: z.int(),
  version: z.string(),
  desired: z.int(),
  /** Replicas that the teams' quotas let it have; absent where that is all. */
  allowed: z.int().optional(),
  /** Firm replicas that it has or had and lost, where that is more than `assigned`. */
  held: z.int().optional(),
  /** Replicas that ask for less than its spec does by now, by whose right no larger ones come. */
  smaller: z.int().optional(),
  /** The team that these numbers were counted for. */
  team: z.string().optional(),
  /** Replicas that run beyond what is guaranteed to them; absent where none do. */
  borrowed: z.int().optional(),
  assigned: z.int(),
  running: z.int(),
  ready: z.int(),
  updated: z.int(),
  waiting: z.array(waitingSchema).default([]),
  conditions: z.array(conditionSchema),
  /** Absent before the first pass that knew of it. */
  rollout: rolloutStatusSchema.optional(),
  belowMinSinceMs: z.int().optional(),
  /** When its first replica was bound; of workloads that depend on others. */
  firstStartedAtMs: z.int().optional(),
  /** Failed spot claims since spot last worked: two of them allow on-demand. */
  spotFailures: z.int().default(0),
  onDemandSinceMs: z.int().optional(),
  /**
   * Room that others make for it, or that a gang takes up together, kept from everybody else until
   * it fits or the time is over.
   */
  reservations: z.array(reservationSchema).optional(),
  /** Absent until it first has to give way, and again once that is forgiven. */
  reclaims: z.array(reclaimsSchema).optional(),
  gang: gangPartSchema.optional(),
  /** What its versions' data holds, as the first node told that had it whole. */
  data: z.array(z.object({ key: z.string(), digest: z.string() })).optional(),
  /** The newest first, and no more than LIMITS.failuresKept; absent where all went well. */
  failures: z.array(replicaFailureSchema).optional(),
})
export type WorkloadStatus = z.infer<typeof workloadStatusSchema>

/** A group of machines to repack that came to nothing: its like is left alone for a while. */
export const repackFailureSchema = z.object({
  /** Names of the nodes that were to be emptied. */
  retire: z.array(z.string()),
  /** `<instance type> <capacity type>` of what was bought for it; none where nothing was. */
  offerings: z.array(z.string()),
  count: z.int().min(1),
  untilMs: z.int(),
  reason: reasonSchema,
})
export type RepackFailure = z.infer<typeof repackFailureSchema>

export const poolStatusSchema = z.object({
  kind: z.literal('status'),
  noun: z.literal('pool'),
  name: z.string(),
  uid: z.string(),
  observedGeneration: z.int(),
  nodes: z.int(),
  conditions: z.array(conditionSchema),
  /** What its newest machine told that replicas can run in, and when that was bought. */
  runtimes: z.object({ names: z.array(z.string()), sinceMs: z.int() }).optional(),
  /** The last few, the newest first; absent where all went well. */
  repackFailures: z.array(repackFailureSchema).optional(),
})
export type PoolStatus = z.infer<typeof poolStatusSchema>

/** What a team has borrowed so far, as a part of all that is guaranteed to anybody. */
export const loansSchema = z.object({
  /** What it borrows since then. */
  part: z.number(),
  /** What it had borrowed in the time before, on average, the later the more. */
  before: z.number(),
  sinceMs: z.int(),
})
export type Loans = z.infer<typeof loansSchema>

const amountsSchema = z.object({ cpuMilli: z.int(), memoryMib: z.int(), gpuMilli: z.int() })
export type Amounts = z.infer<typeof amountsSchema>

export const teamStatusSchema = z.object({
  kind: z.literal('status'),
  noun: z.literal('team'),
  name: z.string(),
  uid: z.string(),
  observedGeneration: z.int(),
  /** What its replicas ask for. */
  used: amountsSchema,
  /** How much of that is beyond its quota. */
  borrowed: amountsSchema,
  /** What is guaranteed to it and wanted, and has no place so far. */
  short: amountsSchema,
  /** Absent until it first borrows. */
  loans: loansSchema.optional(),
})
export type TeamStatus = z.infer<typeof teamStatusSchema>

export const statusSchema = z.discriminatedUnion('noun', [
  workloadStatusSchema,
  poolStatusSchema,
  teamStatusSchema,
])
export type Status = z.infer<typeof statusSchema>
