/**
 * Who has had to give way borrows nothing for a while, and longer each time.
 *
 * Without it a team whose need comes and goes would have others' work started and stopped for ever.
 */
import { LIMITS } from '../../model/limits.ts'
import type { Reclaims } from '../../model/status.ts'

/** When a workload that gave way so often may borrow again, milliseconds since the epoch. */
export function borrowsAgainAtMs({ count, lastMs }: Reclaims): number {
  const factor = 2 ** Math.min(count - 1, LIMITS.borrowCoolDownDoublings)
  return lastMs + LIMITS.borrowCoolDownMs * factor
}

/** When nothing is held against it any more. */
export function forgivenAtMs(reclaims: Reclaims): number {
  return borrowsAgainAtMs(reclaims) + LIMITS.borrowForgivenAfterMs
}

/** What is remembered once it gives way now. Several that go in one cool-down count once. */
export function afterReclaim(old: Reclaims | undefined, nowMs: number): Reclaims {
  if (old === undefined || nowMs >= forgivenAtMs(old)) return { count: 1, lastMs: nowMs }
  if (nowMs < borrowsAgainAtMs(old)) return old
  return { count: old.count + 1, lastMs: nowMs }
}
