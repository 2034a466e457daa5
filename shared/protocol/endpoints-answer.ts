/**
 * What the admin API answers to those who want to reach a workload's replicas.
 */
import { z } from 'zod'
import { moreSchema } from './why-answers.ts'

export const endpointAnswerSchema = z
  .object({
    replica: z.string(),
    name: z.string().meta({ description: 'of the port, as the spec names it' }),
    address: z.string().meta({ description: 'IP address of its node' }),
    port: z.int().min(1).max(65_535),
    node: z.string(),
    zone: z.string().optional(),
    version: z.string(),
    ready: z.boolean().meta({ description: 'healthy, and not told to stop' }),
    terminating: z.boolean().meta({ description: 'told to stop; open requests may end' }),
  })
  .meta({ id: 'Endpoint', description: 'a port of a replica, where it can be reached' })
export type EndpointAnswer = z.infer<typeof endpointAnswerSchema>

export const endpointsAnswerSchema = z
  .object({ items: z.array(endpointAnswerSchema), more: moreSchema })
  .meta({ id: 'Endpoints' })
