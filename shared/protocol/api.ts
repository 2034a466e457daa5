/**
 * What the admin API answers: one schema an answer, for the server that builds it, the clients
 * that read it and the OpenAPI document that describes it.
 *
 * Answers are read leniently, so a client outlives the server it was built with: unknown fields
 * pass, and phases and reasons are plain strings, for new ones will come. Times are ISO 8601 in
 * UTC; quantities are written as specs write them (`3500m`, `8Gi`).
 */
import { z } from 'zod'
import { measureLimitSchema } from '../model/burn-in.ts'
import { LIMITS } from '../model/limits.ts'
import type { PoolSpec } from '../model/pool.ts'
import type { TeamSpec } from '../model/team.ts'
import type { WorkloadSpec } from '../model/workload.ts'
import { scaleAnswerSchema } from './scale-answer.ts'

export const instant = z.iso.datetime().meta({ description: 'ISO 8601, UTC' })

export const problemFaultSchema = z
  .object({
    path: z.string().meta({ description: 'where in the body: resources.cpu, ports[0].name' }),
    message: z.string().meta({ description: 'the value seen and what is allowed' }),
  })
  .meta({ id: 'Fault' })
export type ProblemFault = z.infer<typeof problemFaultSchema>

/** RFC 9457, `application/problem+json`. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'stable, CamelCase: NotFound, Invalid, NotYetSupported' }),
    errors: z.array(problemFaultSchema).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457: what was wrong and what to do' })
export type Problem = z.infer<typeof problemSchema>

export const reasonAnswerSchema = z
  .object({ code: z.string(), text: z.string() })
  .meta({ id: 'Reason', description: 'why, as a code and in words' })

export const quantitiesSchema = z
  .object({ cpu: z.string(), memory: z.string(), gpu: z.string() })
  .meta({
    id: 'Quantities',
    description: 'amounts as specs write them',
    examples: [{ cpu: '3500m', memory: '8Gi', gpu: '0' }],
  })
export type Quantities = z.infer<typeof quantitiesSchema>

export const conditionAnswerSchema = z
  .object({
    type: z.string(),
    status: z.boolean(),
    reason: z.string(),
    text: z.string(),
    since: instant,
  })
  .meta({ id: 'Condition', description: 'named as in Kubernetes where it has the name' })
export type ConditionAnswer = z.infer<typeof conditionAnswerSchema>

// --- objects ---------------------------------------------------------------

/**
 * A stored spec in an answer: read as it is, described in OpenAPI by the schema it was checked
 * with.
 */
const specAnswer = (component: string): z.ZodType<Record<string, unknown>> =>
  z.record(z.string(), z.unknown()).meta({ component })

const deleting = z
  .boolean()
  .optional()
  .meta({ description: 'true after DELETE, while something of it still exists' })

const observedGeneration = z.int().meta({
  description: 'the generation that this status answers; 0 before the first pass has seen it',
})

export const rolloutAnswerSchema = z
  .object({
    active: z.string().meta({ description: 'the version on its way, or the last that was' }),
    stable: z
      .string()
      .optional()
      .meta({ description: 'the last version that was rolled out whole and baked' }),
    pending: z
      .string()
      .optional()
      .meta({ description: 'the newest version, which waits until the active one is done' }),
    undone: z
      .string()
      .optional()
      .meta({ description: 'the version of the spec, from which a person went back' }),
    paused: z.boolean().optional().meta({ description: 'true while a person holds it' }),
    failed: z
      .object({ code: z.string(), text: z.string(), at: instant })
      .optional()
      .meta({ description: 'why none of the active version is started any more' }),
    started: instant,
    lastProgress: instant.meta({ description: 'when more of the active one were ready than ever' }),
    ready: z.int().optional().meta({ description: 'replicas of the active version that are' }),
    old: z.int().optional().meta({ description: 'replicas of other versions that still run' }),
  })
  .meta({ id: 'Rollout' })

export const workloadStatusAnswerSchema = z
  .object({
    observedGeneration,
    desired: z.int(),
    allowed: z
      .int()
      .optional()
      .meta({ description: 'replicas that quotas let it have; absent where that is all' }),
    assigned: z.int(),
    running: z.int(),
    ready: z.int(),
    updated: z.int(),
    version: z.string(),
    rollout: rolloutAnswerSchema
      .optional()
      .meta({ description: 'absent until a pass has seen it' }),
    scale: scaleAnswerSchema.optional().meta({ description: 'absent of a workload without scale' }),
    conditions: z.array(conditionAnswerSchema),
    deleting,
  })
  .meta({ id: 'WorkloadStatus' })

export const poolStatusAnswerSchema = z
  .object({
    nodes: z.int(),
    requested: quantitiesSchema.meta({ description: 'of the replicas bound to its nodes' }),
    conditions: z.array(conditionAnswerSchema),
    deleting,
  })
  .meta({ id: 'PoolStatus' })

export const teamStatusAnswerSchema = z
  .object({
    used: quantitiesSchema.meta({ description: 'what its replicas ask for' }),
    borrowed: quantitiesSchema.meta({ description: 'how much of that is beyond its quota' }),
    short: quantitiesSchema.meta({
      description: 'what its quota covers and its workloads want, and has no place so far',
    }),
    conditions: z.array(conditionAnswerSchema),
    deleting,
  })
  .meta({ id: 'TeamStatus' })

/** Only in the answer to a PUT. */
const warningsSchema = z
  .array(reasonAnswerSchema)
  .optional()
  .describe('what is accepted and cannot be kept as it stands: told when it is written')

const identity = { name: z.string(), generation: z.int().min(1) }

export const workloadObjectSchema = z
  .object({
    kind: z.literal('Workload'),
    ...identity,
    spec: specAnswer('WorkloadSpec'),
    status: workloadStatusAnswerSchema,
    warnings: warningsSchema,
  })
  .meta({ id: 'WorkloadObject' })

export const poolObjectSchema = z
  .object({
    kind: z.literal('Pool'),
    ...identity,
    spec: specAnswer('PoolSpec'),
    status: poolStatusAnswerSchema,
    warnings: warningsSchema,
  })
  .meta({ id: 'PoolObject' })

export const teamObjectSchema = z
  .object({
    kind: z.literal('Team'),
    ...identity,
    spec: specAnswer('TeamSpec'),
    status: teamStatusAnswerSchema,
    warnings: warningsSchema,
  })
  .meta({ id: 'TeamObject' })

export const specObjectSchema = z.discriminatedUnion('kind', [
  workloadObjectSchema,
  poolObjectSchema,
  teamObjectSchema,
])

/** The answer with its spec typed; a server newer than the client may hold more in it. */
type WithSpec<T, S> = Omit<T, 'spec'> & { spec: S }
export type WorkloadObject = WithSpec<z.infer<typeof workloadObjectSchema>, WorkloadSpec>
export type PoolObject = WithSpec<z.infer<typeof poolObjectSchema>, PoolSpec>
export type TeamObject = WithSpec<z.infer<typeof teamObjectSchema>, TeamSpec>
export type SpecObject = WorkloadObject | PoolObject | TeamObject

// --- the herd --------------------------------------------------------------

export const nodeOrderAnswerSchema = z
  .object({
    verb: z.enum(['cordon', 'drain', 'retest', 'terminate']),
    force: z.boolean(),
    deadlineSeconds: z.int(),
    at: instant,
  })
  .meta({ id: 'NodeOrder', description: 'what a person asked of the node' })

export const burnInAnswerSchema = z
  .object({
    verdict: z.enum(['PASS', 'WARN', 'FAIL', 'UNKNOWN', 'INFRA']),
    suite: z.string(),
    at: instant,
    checks: z.array(
      z.object({
        name: z.string(),
        verdict: z.string(),
        measures: z.record(z.string(), z.number()),
        limits: z
          .record(z.string(), measureLimitSchema)
          .optional()
          .meta({ description: 'by measure: what it was held against' }),
        text: z.string(),
        durationMs: z.int().optional(),
      }),
    ),
  })
  .meta({ id: 'BurnIn' })

export const burnInRecordAnswerSchema = z
  .object({
    id: z.string(),
    at: instant,
    node: z.string(),
    pool: z.string().optional(),
    arn: z.string(),
    instanceType: z.string().optional(),
    zone: z.string().optional(),
    suite: z.string(),
    attempt: z.int(),
    verdict: z.enum(['PASS', 'WARN', 'FAIL', 'UNKNOWN', 'INFRA']),
    checks: burnInAnswerSchema.shape.checks,
    gpus: z.array(z.string()).meta({ description: "UUIDs of the machine's GPUs" }),
  })
  .meta({ id: 'BurnInRecord', description: 'a verdict as history keeps it' })
export type BurnInRecordAnswer = z.infer<typeof burnInRecordAnswerSchema>

export const nodeAnswerSchema = z
  .object({
    name: z.string(),
    phase: z.string().meta({
      description: 'launching, booting, testing, ready, draining, terminating, quarantined',
    }),
    pool: z.string(),
    instanceId: z.string().optional(),
    instanceType: z.string().optional(),
    zone: z.string().optional(),
    capacityType: z.enum(['spot', 'on-demand']),
    priceUsdPerHour: z.number().meta({ description: 'of a claim: the most it may cost' }),
    allocatable: quantitiesSchema.optional(),
    requested: quantitiesSchema,
    replicas: z.array(z.string()).meta({ description: 'ids of the replicas bound to it' }),
    burnIn: burnInAnswerSchema.optional(),
    cordoned: z.boolean(),
    order: nodeOrderAnswerSchema.optional(),
    conditions: z.array(conditionAnswerSchema),
    reason: z.string().optional(),
    createdAt: instant,
  })
  .meta({ id: 'Node' })
export type NodeAnswer = z.infer<typeof nodeAnswerSchema>

export const replicaAnswerSchema = z
  .object({
    id: z.string(),
    workload: z.string(),
    version: z.string(),
    node: z.string().optional().meta({ description: 'absent while it waits' }),
    phase: z.string().meta({
      description:
        'waiting, assigned, fetching, starting, running, ready, deregistering, stopping, gone, ' +
        'failed',
    }),
    ready: z.boolean(),
    restarts: z.int(),
    startedAt: instant.optional(),
    addresses: z.record(z.string(), z.string()).meta({ description: 'by port name: host:port' }),
    gpus: z.array(z.int()).meta({ description: 'indexes of its devices on the node' }),
    lastExit: z
      .object({
        code: z.int().optional(),
        signal: z.string().optional(),
        reason: z.string(),
        at: instant,
      })
      .optional(),
  })
  .meta({ id: 'Replica' })
export type ReplicaAnswer = z.infer<typeof replicaAnswerSchema>

export const planAnswerSchema = z
  .object({
    actions: z
      .array(z.looseObject({ kind: z.string() }))
      .meta({ description: 'what the next pass would do; the fields depend on the kind' }),
    costUsdPerHour: z.object({
      now: z.number(),
      after: z.number(),
      bound: z
        .number()
        .nullable()
        .meta({ description: 'no fleet could do it for less; null where none was found' }),
      fleet: z
        .number()
        .nullable()
        .meta({ description: 'the machines that will carry it, at the prices of the bound' }),
      gap: z.number().nullable().meta({ description: 'fleet over bound, less one' }),
      leaving: z.number().meta({ description: 'machines on their way out, then' }),
      quarantined: z.number().meta({ description: 'machines kept for inspection, then' }),
      headroom: z.number().meta({ description: 'machines that are kept and carry nothing, then' }),
      testing: z.number().meta({ description: 'machines in their burn-in, then' }),
      surge: z.number().meta({ description: 'what replicas beyond those wanted take, then' }),
    }),
    unschedulable: z.array(
      z.object({
        workload: z.string(),
        count: z.int(),
        reasons: z.array(reasonAnswerSchema),
      }),
    ),
  })
  .meta({ id: 'PlanAnswer' })
export type PlanAnswer = z.infer<typeof planAnswerSchema>

export const costAnswerSchema = z
  .object({
    costUsdPerHour: z.number(),
    boundUsdPerHour: z
      .number()
      .nullable()
      .meta({ description: 'no fleet could do it for less; null before one was computed' }),
    boundAt: instant.nullable().meta({ description: 'when the bound was computed' }),
    fleetUsdPerHour: z.number().nullable().meta({
      description: 'the machines that carried what runs, then and at the same prices',
    }),
    gap: z.number().nullable().meta({ description: 'fleet over bound, less one' }),
    leavingUsdPerHour: z.number().meta({ description: 'machines on their way out' }),
    quarantinedUsdPerHour: z.number().meta({ description: 'machines kept for inspection' }),
    headroomUsdPerHour: z
      .number()
      .meta({ description: 'machines that are kept and carry nothing' }),
    testingUsdPerHour: z
      .number()
      .meta({ description: 'machines in their burn-in; part of the fleet, too' }),
    surgeUsdPerHour: z.number().meta({
      description:
        'what replicas beyond those wanted take of their machines; part of the fleet, too',
    }),
    onDemandUsdPerHour: z
      .number()
      .meta({ description: 'what the same machines would cost on demand' }),
    pools: z.array(
      z.object({
        name: z.string(),
        nodes: z.int(),
        costUsdPerHour: z.number(),
        onDemandUsdPerHour: z.number(),
      }),
    ),
  })
  .meta({ id: 'CostAnswer' })
export type CostAnswer = z.infer<typeof costAnswerSchema>

export const repackAnswerSchema = z
  .object({
    at: instant.nullable().meta({ description: 'when the herd was looked at; null before it was' }),
    groups: z
      .array(
        z.object({
          id: z.string(),
          state: z.enum(['moving', 'launching', 'next', 'held']).meta({
            description:
              'its old machines are emptied; its new ones come up; it begins in the next pass; ' +
              'it does not begin now',
          }),
          reason: z.string().meta({ description: 'Cheaper, Underused, Expired or Drifted' }),
          retire: z.array(z.string()).meta({ description: 'nodes that are emptied' }),
          launch: z
            .array(
              z.object({
                pool: z.string(),
                capacityType: z.string(),
                places: z.array(z.string()).meta({ description: '<instance type>/<zone>' }),
                usdPerHour: z.number(),
              }),
            )
            .meta({ description: 'machines that are bought' }),
          shift: z
            .array(z.object({ node: z.string(), replica: z.string() }))
            .meta({ description: 'replicas that first move aside, off nodes that stay' }),
          savingUsdPerHour: z.number(),
          moves: z.int().meta({ description: 'replicas that move' }),
          until: instant.optional().meta({ description: 'of one under way: when it is given up' }),
          why: reasonAnswerSchema.optional().meta({ description: 'why it goes no further now' }),
        }),
      )
      .meta({ description: 'what is done, and what would be' }),
    refused: z
      .array(z.object({ retire: z.array(z.string()), reason: reasonAnswerSchema }))
      .meta({ description: 'machines that cost much for what they carry, and stay' }),
  })
  .meta({ id: 'RepackAnswer' })
export type RepackAnswer = z.infer<typeof repackAnswerSchema>

export const eventAnswerSchema = z
  .object({
    id: z.string(),
    at: instant,
    object: z.string().meta({ description: 'workload/web, node/general-4-1' }),
    type: z.enum(['Normal', 'Warning']),
    reason: z.string(),
    text: z.string(),
  })
  .meta({ id: 'Event' })
export type EventAnswer = z.infer<typeof eventAnswerSchema>

export const healthAnswerSchema = z
  .object({ status: z.literal('ok'), version: z.string() })
  .meta({ id: 'Health' })

export const sweepAnswerSchema = z
  .object({ order: z.object({ verb: z.literal('sweep-allow'), at: instant }) })
  .meta({ id: 'SweepOrder' })

// --- pages -----------------------------------------------------------------

/** A page of a list: `next` is the `after` of the following one, absent on the last. */
const page = <T extends z.ZodType>(
  item: T,
  id: string,
): z.ZodObject<{ items: z.ZodArray<T>; next: z.ZodOptional<z.ZodString> }> =>
  z
    .object({
      items: z.array(item),
      next: z.string().optional().meta({ description: 'pass it as `after` for the next page' }),
    })
    .meta({ id })

export const workloadPageSchema = page(workloadObjectSchema, 'WorkloadPage')
export const poolPageSchema = page(poolObjectSchema, 'PoolPage')
export const teamPageSchema = page(teamObjectSchema, 'TeamPage')
export const nodePageSchema = page(nodeAnswerSchema, 'NodePage')
export const replicaPageSchema = page(replicaAnswerSchema, 'ReplicaPage')
export const eventPageSchema = page(eventAnswerSchema, 'EventPage')
export const burnInPageSchema = page(burnInRecordAnswerSchema, 'BurnInPage')
export type Page<T> = { items: T[]; next?: string }

// --- requests --------------------------------------------------------------

export const scaleRequestSchema = z
  .strictObject({ replicas: z.int().min(0).max(LIMITS.replicasMax) })
  .meta({ id: 'ScaleRequest' })

export const rolloutRequestSchema = z
  .strictObject({
    action: z.enum(['pause', 'resume', 'undo']),
    to: z
      .string()
      .optional()
      .meta({ description: 'of undo: a version or the number of a revision; the one before' }),
  })
  .meta({ id: 'RolloutRequest' })

export const nodeVerbRequestSchema = z
  .strictObject({
    deadlineSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .optional()
      .meta({ description: 'replicas are stopped after it in any case; 900 unless given' }),
  })
  .meta({ id: 'NodeVerbRequest' })

export const planRequestSchema = z
  .strictObject({ documents: z.array(z.unknown()).max(LIMITS.documentsMax) })
  .meta({ id: 'PlanRequest', description: 'documents with kind and name, as for apply' })
