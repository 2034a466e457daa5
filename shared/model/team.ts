/**
 * Team: what a group of people is guaranteed, and what it may borrow and lends.
 *
 * Quota is counted in requested resources of bound or reserved replicas, never in nodes, so an
 * empty herd can launch.
 */
import { z } from 'zod'
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
    /** IAM ARNs that may write the team's workloads. */
    principals: z.array(z.string()).default([]).describe('IAM ARNs that may write its workloads'),
    maxPriority: z.int().optional().describe('no workload of it may have a higher priority'),
  })
  .meta({ id: 'TeamSpec' })

export type TeamSpec = z.infer<typeof teamSpecSchema>
