/**
 * Team: what a group of people is guaranteed, and what it may borrow and lends.
 *
 * Quota is counted in requested resources of bound or reserved replicas, never in nodes, so an
 * empty herd can launch.
 */
import { z } from 'zod'
import { LIMITS } from './limits.ts'
import { cpuQuantity, gpuQuantity, memoryQuantity } from './quantities.ts'

const amountSchema = z.strictObject({
  cpu: cpuQuantity.optional().describe('CPUs'),
  memory: memoryQuantity.optional().describe('memory'),
  gpu: gpuQuantity.optional().describe('GPUs'),
})

/** A Team document without `kind` and `name`, as it is stored: defaults filled in. */
export const teamSpecSchema = z
  .strictObject({
    quota: amountSchema.prefault({}).describe('guaranteed, in requested resources'),
    borrow: z
      .enum(['existing', 'buy', 'none'])
      .default('existing')
      .describe(
        'what its preemptible work may use beyond the quota: machines that exist, also new ones, ' +
          'or nothing',
      ),
    lend: amountSchema
      .optional()
      .describe('how much of its unused quota others may use; without it, all'),
    weight: z.number().min(0).max(1_000).default(1).describe('its share of what can be borrowed'),
    /** A role covers its sessions. Not asked for in local mode, where nobody has an identity. */
    principals: z
      .array(
        z.string().regex(/^arn:aws[a-z-]*:(iam|sts)::\d{12}:.+$/, {
          error: 'must be the ARN of an IAM role, user or session',
        }),
      )
      .max(LIMITS.principalsMax)
      .default([])
      .describe('IAM ARNs that may write its workloads; without any, whoever reaches the API'),
    maxPriority: z.int().optional().describe('no workload of it may have a higher priority'),
  })
  .meta({ id: 'TeamSpec' })

export type TeamSpec = z.infer<typeof teamSpecSchema>
