/**
 * Pool: which machines may be bought, how many, and what they must prove before they carry work.
 */
import { z } from 'zod'
import { burnInSchema } from './burn-in.ts'
import { LIMITS } from './limits.ts'
import { nameSchema, TEAM_TAINT_KEY } from './names.ts'
import { notYet } from './not-yet.ts'
import {
  amountSchema,
  countOrPercent,
  cpuQuantity,
  gpuQuantity,
  memoryQuantity,
} from './quantities.ts'

export const taintSchema = z.strictObject({
  key: z
    .string()
    .min(1)
    .refine((key) => key !== TEAM_TAINT_KEY, {
      error: 'is added by drover where a pool has a team: set team instead',
    })
    .describe('what a toleration names'),
  value: z.string().optional().describe('what a toleration may name too'),
  effect: z
    .literal('NoSchedule')
    .default('NoSchedule')
    .describe('only workloads that bear it are bound here'),
})
export type Taint = z.infer<typeof taintSchema>

export const instancesSchema = z.strictObject({
  families: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('instance families, like m7a; without it, all'),
  types: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('instance types, like m7a.large; without it, all'),
  architectures: z
    .array(z.enum(['amd64', 'arm64']))
    .min(1)
    .optional()
    .describe('processors; without it, all'),
  minVcpu: z.int().min(1).optional().describe('the smallest machine, in virtual CPUs'),
  maxVcpu: z.int().min(1).optional().describe('the largest machine, in virtual CPUs'),
  minMemory: memoryQuantity.optional().describe('the smallest machine, in memory'),
  maxMemory: memoryQuantity.optional().describe('the largest machine, in memory'),
  /** Only machines with a GPU of one of these models, as `placement.gpuModels` names them. */
  gpuModels: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('only machines with one of these GPUs'),
})

export const repackSchema = z.strictObject({
  when: z
    .enum(['cheaper', 'empty', 'never'])
    .default('cheaper')
    .describe('when nodes may be emptied to save money'),
  afterSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(LIMITS.emptyNodeAfterMs / 1000)
    .describe('how long a node is left alone before'),
  minSaving: countOrPercent
    .default('5%')
    .describe('a share of what the emptied machines cost, or so many whole USD an hour'),
  budgets: z
    .array(
      z.strictObject({
        nodes: countOrPercent.describe(
          'so many, or a share of the pool, rounded up; the least of all budgets counts',
        ),
      }),
    )
    .default([{ nodes: '10%' }])
    .describe('how many nodes may be on the move at once'),
})

export const limitsSchema = z.strictObject({
  cpu: cpuQuantity.optional().describe('CPUs of all its machines together'),
  memory: memoryQuantity.optional().describe('memory of all its machines together'),
  gpu: gpuQuantity.optional().describe('GPUs of all its machines together'),
  costPerHour: amountSchema.min(0).optional().describe('USD an hour of all its machines together'),
})

/** In pieces of one GPU, or else one CPU, or else 1 GiB, each on one machine. */
const headroomSchema = z.strictObject({
  cpu: cpuQuantity.optional().describe('CPUs'),
  memory: memoryQuantity.optional().describe('memory'),
  gpu: gpuQuantity.optional().describe('GPUs'),
})

const launchSchema = z.strictObject({
  ami: z.string().optional().describe('the image to boot'),
  amiParameter: notYet(z.string(), 'the SSM parameter that names the image'),
  subnets: notYet(z.array(z.string()), 'subnets of a pool of its own'),
  securityGroups: notYet(z.array(z.string()), 'security groups of a pool of its own'),
  rootVolumeGiB: z
    .int()
    .min(LIMITS.rootVolumeLeastGib)
    .max(16_384)
    .optional()
    .describe('the size of the root volume; without it, 50'),
  userData: notYet(z.string().max(8_192), 'what is run at boot before the agent'),
  nodeRole: notYet(z.string(), 'an IAM role of a pool of its own'),
})

/** A Pool document without `kind` and `name`, as it is stored: defaults filled in. */
export const poolSpecSchema = z
  .strictObject({
    team: nameSchema.optional().describe('the team that owns the pool, its taint and toleration'),
    instances: instancesSchema.prefault({}).describe('which machines may be bought'),
    capacityTypes: z
      .array(z.enum(['spot', 'on-demand']))
      .min(1)
      .default(['spot', 'on-demand'])
      .describe('how they may be bought'),
    zones: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('availability zones; without it, all'),
    limits: limitsSchema
      .prefault({})
      .describe('what all its machines together may be, at any moment'),
    labels: z.record(z.string(), z.string()).default({}).describe('for people'),
    taints: z
      .array(taintSchema)
      .max(50)
      .default([])
      .describe('only workloads that bear them are bound here'),
    headroom: headroomSchema
      .optional()
      .describe('room that is bought and kept free for what comes next, and given up first'),
    burnIn: burnInSchema.prefault({}).describe('the test of every machine'),
    repack: repackSchema.prefault({}).describe('when to empty nodes to save money'),
    expireAfterSeconds: z
      .int()
      .min(600)
      .max(31_536_000)
      .optional()
      .describe('nodes older than this are replaced'),
    capacityReservation: notYet(z.string(), 'an EC2 capacity reservation to launch into'),
    /** USD an hour for one machine, by instance type; beats the market's price. */
    priceOverrides: z
      .record(z.string(), amountSchema.min(0))
      .default({})
      .describe("USD an hour by instance type, instead of the market's"),
    launch: launchSchema.prefault({}).describe('how machines are launched'),
  })
  .meta({ id: 'PoolSpec' })

export type PoolSpec = z.infer<typeof poolSpecSchema>

/**
 * The pool's own taints, and the one its team owns. None of them evicts anybody: what was bound
 * while the pool was another's stays.
 */
export function taintsOf(pool: PoolSpec): readonly Taint[] {
  if (pool.team === undefined) return pool.taints
  return [...pool.taints, { key: TEAM_TAINT_KEY, value: pool.team, effect: 'NoSchedule' }]
}
