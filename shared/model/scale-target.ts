/**
 * Target: how many replicas a scaled workload is to have, and all that the next look must know.
 *
 * Written by `autoscale` alone. A look that finds nothing new writes nothing: what was recommended
 * is kept as changes, each of which holds until the next, and readings are told again only when
 * they have moved.
 */
import { z } from 'zod'
import { LIMITS } from './limits.ts'
import { reasonSchema } from './status.ts'

/** What one metric said; `atMs` is when that was read. */
export const metricReadingSchema = z.object({
  metric: z.string(),
  /** A total, or percent of what is requested on average; absent where it cannot be read. */
  value: z.number().optional(),
  /** What one replica is to bear. */
  target: z.number().optional(),
  /** Replicas that it asks for. */
  replicas: z.int().optional(),
  /** Why it cannot be read. */
  error: reasonSchema.optional(),
  atMs: z.int(),
})
export type MetricReading = z.infer<typeof metricReadingSchema>

export const scaleTargetSchema = z.object({
  kind: z.literal('target'),
  /** Of the workload. */
  uid: z.string(),
  name: z.string(),
  replicas: z.int().min(0),
  /** When the item was written. */
  atMs: z.int(),
  /** Counts that were recommended, each until the next one's time; the newest last. */
  recommendations: z
    .array(z.object({ atMs: z.int(), replicas: z.int() }))
    .max(LIMITS.scaleHistoryMax),
  /** What was done lately, for the policies; the newest last. */
  events: z
    .array(z.object({ atMs: z.int(), from: z.int(), to: z.int() }))
    .max(LIMITS.scaleHistoryMax),
  /** Since when nothing goes on, by all metrics that tell; absent while something does. */
  idleSinceMs: z.int().optional(),
  readings: z.array(metricReadingSchema),
  /** What keeps it from what its metrics ask for; absent where nothing does. */
  held: reasonSchema.optional(),
  limited: reasonSchema.optional(),
  /** When it was last scaled, and why. */
  lastScaled: z.object({ atMs: z.int(), from: z.int(), to: z.int(), why: z.string() }).optional(),
})
export type ScaleTarget = z.infer<typeof scaleTargetSchema>

/** Written by `admin-api`: the last value that somebody pushed for a workload's metric. */
export const pushedSchema = z.object({
  kind: z.literal('pushed'),
  /** Of the workload. */
  uid: z.string(),
  metric: z.string(),
  value: z.number(),
  atMs: z.int(),
})
export type Pushed = z.infer<typeof pushedSchema>
