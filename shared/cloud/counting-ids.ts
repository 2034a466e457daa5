/**
 * Ids that count: unique within a run, and the same in every run of the same world.
 */
import type { Ids } from './ids.ts'

/** `u000001`, `u000002`, …; another `prefix` makes a second, disjoint row. */
export function makeCountingIds(prefix = 'u'): Ids {
  let count = 0
  return {
    uid: () => {
      count += 1
      return `${prefix}${String(count).padStart(6, '0')}`
    },
  }
}
