/**
 * What `repack` has found out about the herd. One item, written by `repack` alone.
 */
import { z } from 'zod'

const usd = z.number().min(0)

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
})
export type Proposal = z.infer<typeof proposalSchema>
