/**
 * Moments that all share who look again every so often.
 *
 * A look is a whole pass. Did each thing that is waited for have moments of its own, ten of them
 * would cost ten times the passes of one.
 */

/** The first such moment after now: a multiple of `everyMs` since the epoch, milliseconds. */
export function nextRoundMs(nowMs: number, everyMs: number): number {
  return (Math.floor(nowMs / everyMs) + 1) * everyMs
}
