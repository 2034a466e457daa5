/**
 * Burn-in record: one verdict as history keeps it, when node and machine are long gone.
 */
import { z } from 'zod'
import { checkResultSchema, verdictNameSchema } from './verdict.ts'

export const burnInRecordSchema = z.object({
  kind: z.literal('burn-in'),
  /** Sortable, as an event's: `<atMs, 15 digits>-<node>-<attempt>`. */
  id: z.string(),
  atMs: z.int(),
  node: z.string(),
  /** Absent where the node's own item could not be read. */
  pool: z.string().optional(),
  arn: z.string(),
  instanceType: z.string().optional(),
  zone: z.string().optional(),
  suite: z.string(),
  attempt: z.int(),
  verdict: verdictNameSchema,
  checks: z.array(checkResultSchema),
  /** UUIDs of the machine's GPUs. */
  gpus: z.array(z.string()),
})
export type BurnInRecord = z.infer<typeof burnInRecordSchema>
