/**
 * The two roundings of a wake's time, the same for every implementation of the queue.
 */
import { LIMITS } from '../model/limits.ts'

/**
 * The deduplication id of a wake sent at `nowMs`: wakes of one bucket are one wake. A bucket closes
 * before its wake is delivered, so no wake is swallowed that the running pass has not seen.
 */
export function wakeBucket(nowMs: number): string {
  return String(Math.floor(nowMs / LIMITS.wakeBucketMs))
}

/**
 * Whole seconds, never early, and no more than SQS allows: a wake that comes too soon asks again.
 */
export function delayedWakeSeconds(delayMs: number): number {
  const delay = Math.min(Math.max(delayMs, 0), LIMITS.delayedWakeMaxMs)
  return Math.ceil(delay / 1000)
}
