/**
 * What `repack` has found out about the herd. One item, written by `repack` alone.
 */
import { z } from 'zod'
import { repackGroupSchema } from './repack.ts'
import { reasonSchema } from './status.ts'

const usd = z.number().min(0)

/** Machines that stay as they are, and why. */
export const repackRefusalSchema = z.object({ retire: z.array(z.string()), reason: reasonSchema })
export type RepackRefusal = z.infer<typeof repackRefusalSchema>

export const proposalSchema = z.object({
  kind: z.literal('proposal'),
  /** When the herd was looked at; prices are those of that moment. */
  atMs: z.int(),
  /** USD an hour. */
  cost: z.object({
    /** No fleet that carries what this one carries costs less. */
    boundUsdPerHour: usd,
    /** The machines that carry it, or will once they are up. */
    fleetUsdPerHour: usd,
  }),
  /** What would save money, the most first; reconcile decides on each again. */
  groups: z.array(repackGroupSchema).default([]),
  /** Machines that cost much for what they carry, and why nothing is done about it. */
  refused: z.array(repackRefusalSchema).default([]),
})
export type Proposal = z.infer<typeof proposalSchema>
