/**
 * Hardware faults on demand, for the local mode and for tests: the check's computation is
 * corrupted, never its verdict, so that what is tried is the check itself.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'

export const faultsSchema = z.array(
  z.object({
    check: z.enum(['cpu', 'memory', 'disk']),
    /** Share of machines that are bad, 0 to 1; of single runs, when intermittent. */
    rate: z.number().min(0).max(1),
    /** A bad machine fails always; an intermittent one draws anew each time. */
    intermittent: z.boolean().default(false),
  }),
)
export type Faults = z.infer<typeof faultsSchema>

/** Whether this run of the check is to be corrupted. `draw` is uniform in [0, 1). */
export function isCorrupted(
  faults: Faults,
  run: { check: string; instanceId: string },
  draw: () => number,
): boolean {
  return faults
    .filter((fault) => fault.check === run.check)
    .some((fault) => (fault.intermittent ? draw() : fixedDraw(run)) < fault.rate)
}

/** The same number in [0, 1) for the same machine and check, for ever. */
function fixedDraw(run: { check: string; instanceId: string }): number {
  const digest = createHash('sha256').update(`${run.instanceId}/${run.check}`).digest()
  return digest.readUInt32BE(0) / 2 ** 32
}
