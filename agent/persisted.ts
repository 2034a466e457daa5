/**
 * What an agent remembers across its own restarts, and the schema that a file must pass to be
 * believed.
 *
 * The newest assignment is in it, so that an agent that comes back while the table is out of reach
 * still knows what it runs. A file of another machine is worthless; one of an earlier boot is good
 * for the generation alone, because everything else ended with that boot.
 */
import { z } from 'zod'
import { assignmentSchema } from '#shared/model/assignment.ts'
import { askedCheckSchema } from '#shared/model/burn-in.ts'
import { interruptionSchema, lastExitSchema } from '#shared/model/report.ts'
import { checkResultSchema } from '#shared/model/verdict.ts'
import { healthSchema } from './health/health.ts'

export const persistedSchema = z.object({
  arn: z.string(),
  bootId: z.string(),
  /** The highest generation ever seen: older assignments are ignored. */
  generation: z.int().min(0),
  /** Of the last report written in this boot. */
  sequence: z.int().min(0),
  assignment: assignmentSchema.optional(),
  burnIn: z
    .object({
      attempt: z.int().min(1),
      suite: z.string(),
      wanted: z.array(askedCheckSchema),
      results: z.array(checkResultSchema),
    })
    .optional(),
  /** EC2 takes a machine back for good: who stopped for it is not started again. */
  interruption: interruptionSchema.optional(),
  /** Absent where nothing was ever amiss. */
  health: healthSchema.optional(),
  replicas: z.record(
    z.string(),
    z.object({
      starts: z.int().min(0),
      failures: z.int().min(0),
      startAtMs: z.int().optional(),
      ready: z.boolean(),
      /** The process that `ready` and `stopSinceMs` speak of. */
      pid: z.int().optional(),
      stopSinceMs: z.int().optional(),
      lastExit: lastExitSchema.optional(),
    }),
  ),
})
export type Persisted = z.infer<typeof persistedSchema>
export type PersistedReplica = Persisted['replicas'][string]
