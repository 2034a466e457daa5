/**
 * What the admin API says of a scaled workload, and what it takes and answers where somebody pushes
 * a metric.
 */
import { z } from 'zod'
import { LIMITS } from '../model/limits.ts'

const instant = z.iso.datetime()
const reason = z.object({ code: z.string(), text: z.string() })

export const readingAnswerSchema = z
  .object({
    metric: z.string(),
    value: z
      .number()
      .optional()
      .meta({ description: 'a total, or the percentage of what is requested; absent if unread' }),
    target: z.number().optional().meta({ description: 'what one replica is to bear' }),
    replicas: z.int().optional().meta({ description: 'how many it asks for' }),
    error: reason.optional().meta({ description: 'why it cannot be read' }),
    at: instant.meta({ description: 'when it was read; it is told again once it has moved' }),
  })
  .meta({ id: 'MetricReading' })
export type ReadingAnswer = z.infer<typeof readingAnswerSchema>

export const scaleAnswerSchema = z
  .object({
    min: z.int(),
    max: z.int(),
    desired: z.int(),
    why: z.string().meta({ description: 'why so many, and what keeps it from another number' }),
    readings: z.array(readingAnswerSchema),
    lastScaled: z
      .object({ at: instant, from: z.int(), to: z.int(), why: z.string() })
      .optional()
      .meta({ description: 'absent until it first goes up or down' }),
  })
  .meta({ id: 'ScaleStatus', description: 'of a workload with scale' })
export type ScaleAnswer = z.infer<typeof scaleAnswerSchema>

export const pushRequestSchema = z
  .strictObject({
    value: z
      .number()
      .min(0)
      .max(LIMITS.amountMax)
      .describe('what it is now, in all: a total that the replicas share'),
  })
  .meta({ id: 'PushRequest' })

export const pushAnswerSchema = z
  .object({ workload: z.string(), metric: z.string(), value: z.number(), at: instant })
  .meta({ id: 'PushedMetricValue' })
