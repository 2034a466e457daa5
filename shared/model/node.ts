/**
 * Node: a claim first, a machine later.
 *
 * The item is reconcile's own memory of the node: what was bought, what became of it, and a stamp
 * for every fact whose age a later plan will ask for. Stamps are reconcile's clock, never a
 * sender's.
 */
import { z } from 'zod'
import { nodeFindingSchema } from './health.ts'
import { architectureSchema, capacityTypeSchema, resourcesItemSchema } from './machine.ts'
import { repackMarkSchema } from './repack.ts'
import { verdictNameSchema, checkResultSchema } from './verdict.ts'

export const nodePhaseSchema = z.enum([
  'launching',
  'booting',
  'testing',
  'ready',
  'draining',
  'terminating',
  'quarantined',
])
export type NodePhase = z.infer<typeof nodePhaseSchema>

/** Why a node is emptied, in the order in which the ledger serves them. */
export const drainReasonSchema = z.enum([
  'Interrupted',
  'Terminate',
  'Lost',
  'Impaired',
  'Reclaimed',
  'OperatorDrain',
  'Retest',
  'PoolDeleted',
  'Empty',
  'CertificateAge',
  'Expired',
  'Drifted',
  'Repacked',
])
export type DrainReason = z.infer<typeof drainReasonSchema>

export const conditionSchema = z.object({
  type: z.string(),
  status: z.boolean(),
  reason: z.string(),
  text: z.string(),
  sinceMs: z.int(),
})
export type Condition = z.infer<typeof conditionSchema>

export const drainSchema = z.object({
  reason: drainReasonSchema,
  text: z.string(),
  sinceMs: z.int(),
  /** Replicas are stopped at this moment whether or not their replacements are ready. */
  deadlineMs: z.int(),
  /** The assignment's generation that told the agent; *empty* counts only from there on. */
  generation: z.int(),
})

/** What is tried of a machine that failed its burn-in: the suite again, after a reset, a reboot. */
export const rungSchema = z.enum(['again', 'reset', 'reboot'])
export type Rung = z.infer<typeof rungSchema>

export const nodeSchema = z.object({
  kind: z.literal('node'),
  name: z.string(),
  pool: z.string(),
  phase: nodePhaseSchema,
  phaseSinceMs: z.int(),
  createdAtMs: z.int(),
  capacityType: capacityTypeSchema,
  architecture: architectureSchema,
  launchId: z.string(),
  /**
   * While a claim: what any of its candidates offers at least (so whatever comes will do), and what
   * it may cost at most. Limits are charged with `dearest` and `largest`.
   */
  claim: z.object({
    /** `<instance type>/<zone>`: where EC2 may bring it up; just the one once it has. */
    places: z.array(z.string()).min(1),
    least: resourcesItemSchema,
    largest: resourcesItemSchema,
    dearestUsdPerHour: z.number(),
    gpuModel: z.string().optional(),
    /** By workload uid: the replicas it was bought for. They come first there, and no more. */
    boughtFor: z.array(z.object({ uid: z.string(), count: z.int().min(1) })).optional(),
  }),
  /** Known once the machine is; never changed afterwards. */
  machine: z
    .object({
      instanceId: z.string(),
      arn: z.string(),
      instanceType: z.string(),
      zone: z.string(),
      allocatable: resourcesItemSchema,
      gpuCount: z.int(),
      gpuModel: z.string().optional(),
      priceUsdPerHour: z.number(),
      launchedAtMs: z.int(),
      /** The AMI that was asked for, or the launch template that names it (`lt-1/3`). */
      imageId: z.string().optional(),
    })
    .optional(),
  /** Of the agent's first report, and of its latest boot. */
  bootId: z.string().optional(),
  /** Which runtimes the agent reported (`process`, `docker`). */
  runtimes: z.array(z.string()).default([]),
  burnIn: z
    .object({
      attempt: z.int().min(1),
      /** Tries of the present test: attempts are counted over the machine's whole life. */
      tries: z.int().min(1).default(1),
      /** Of those, how often nobody could tell what the answer meant. */
      unknowns: z.int().min(0).default(0),
      /** When it was found fit for work: the age of its certificate counts from there. */
      admittedAtMs: z.int().optional(),
      /** Since when its certificate is older than its pool allows. */
      overdueSinceMs: z.int().optional(),
      /** It could not be emptied for its test, and is left alone until then. */
      notBeforeMs: z.int().optional(),
      /** After an INFRA: when it is tried again. */
      retryAtMs: z.int().optional(),
      /** Rungs of the pool's ladder that were tried in the present test, in their order. */
      mended: z.array(rungSchema).default([]),
      /** The whole suite, where this is it in short: that admits none but certified GPUs. */
      whole: z.string().optional(),
      /** The machine has been in service before this test. */
      served: z.boolean().optional(),
      /** Admitted in short: when its GPUs passed the whole suite. */
      certifiedAtMs: z.int().optional(),
      /** While it is being rebooted: since when, and when EC2 was asked last. */
      reboot: z.object({ sinceMs: z.int(), lastTryMs: z.int() }).optional(),
      suite: z.string(),
      startedAtMs: z.int(),
      deadlineMs: z.int(),
      verdict: verdictNameSchema.optional(),
      atMs: z.int().optional(),
      checks: z.array(checkResultSchema).default([]),
    })
    .optional(),
  /** When a test began because work failed on it that was fine elsewhere. */
  doubtedAtMs: z.int().optional(),
  /** Takes no new replicas, because a person said so. */
  cordoned: z.boolean().default(false),
  /** Takes no new replicas while a problem lasts that its agent has found. */
  closed: z.boolean().optional(),
  /** What its agent has found in service, and for a while what it has found before. */
  health: z.array(nodeFindingSchema).optional(),
  drain: drainSchema.optional(),
  /** Its part in a repack; while it stands nothing new is bound here. */
  repack: repackMarkSchema.optional(),
  /** When EC2 ends the machine, once it has said so. */
  interruption: z.object({ noticedAtMs: z.int(), deadlineMs: z.int() }).optional(),
  rebalanceAtMs: z.int().optional(),
  silentSinceMs: z.int().optional(),
  lostSinceMs: z.int().optional(),
  /** Since when EC2 no longer lists it; gone only when it says so twice. */
  missingSinceMs: z.int().optional(),
  emptySinceMs: z.int().optional(),
  /** Taken over because it is older than the table can remember; kept until a person says so. */
  adoptedAtMs: z.int().optional(),
  /** `atMs` of the order that was carried out last: an order is identified by it, not timed. */
  doneOrderAtMs: z.int().optional(),
  terminating: z
    .object({ reason: z.string(), sinceMs: z.int(), lastTryMs: z.int().optional() })
    .optional(),
  /** One sentence on why the node is in its phase, for people. */
  reason: z.string().optional(),
})
export type Node = z.infer<typeof nodeSchema>
export type Machine = NonNullable<Node['machine']>
