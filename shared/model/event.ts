/**
 * Event: one line of the herd's history, for people and for their automation.
 */
import { z } from 'zod'

export const eventSchema = z.object({
  /** Sortable: `<atMs, 15 digits>-<writer>-<n>`. */
  id: z.string(),
  atMs: z.int(),
  /** `workload/web`, `node/general-4-1`, `pool/general` */
  object: z.string(),
  type: z.enum(['Normal', 'Warning']),
  reason: z.string(),
  text: z.string(),
})
export type DroverEvent = z.infer<typeof eventSchema>

/** An event's id: sorts by time, then by writer and number, and never twice the same. */
export function eventId({ atMs, writer, n }: { atMs: number; writer: string; n: number }): string {
  return `${String(atMs).padStart(15, '0')}-${writer}-${String(n).padStart(4, '0')}`
}
