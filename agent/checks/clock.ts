/**
 * The `clock` check: how far this machine's clock is from DynamoDB's.
 *
 * The answer's `Date` header has whole seconds, so less than a second and a half tells nothing. A
 * clock that is off is mended by a time service, not by a new machine: INFRA, to be tried again.
 */
import { found, type Finding } from './finding.ts'

export const CLOCK_OFFSET_MAX_MS = 1_500

/** `offsetMs`: this clock less DynamoDB's. */
export function judgeClock(offsetMs: number): Finding {
  const measures = { clockOffsetMs: Math.abs(offsetMs) }
  if (Math.abs(offsetMs) <= CLOCK_OFFSET_MAX_MS) return found('PASS', '', measures)
  const by = `${(Math.abs(offsetMs) / 1000).toFixed(1)} s`
  const side = offsetMs > 0 ? 'fast' : 'slow'
  return found('INFRA', `the clock is ${by} ${side}; is its time service running?`, measures)
}
