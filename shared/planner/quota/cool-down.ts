/**
 * Whose work has had to give way borrows nothing of the kind for a while, and longer each time.
 *
 * Without it a team whose need comes and goes would have others' work started and stopped for ever.
 * It is the team that waits, not the one workload that was stopped: else another of its workloads
 * would take the very room.
 */
import { LIMITS } from '../../model/limits.ts'
import type { WorkloadItem } from '../../model/spec-item.ts'
import type { Reclaims, WorkloadStatus } from '../../model/status.ts'
import { DIMENSIONS, type Amount, type Dimension } from './policy.ts'

/** When a team that gave way so often may borrow again, milliseconds since the epoch. */
export function borrowsAgainAtMs({ count, lastMs }: Reclaims): number {
  const factor = 2 ** Math.min(count - 1, LIMITS.borrowCoolDownDoublings)
  return lastMs + LIMITS.borrowCoolDownMs * factor
}

/** When nothing is held against it any more. */
export function forgivenAtMs(reclaims: Reclaims): number {
  return borrowsAgainAtMs(reclaims) + LIMITS.borrowForgivenAfterMs
}

type CoolDowns = {
  /** When the team may borrow such an amount again; undefined where it may now. */
  endsAtMs(team: string | undefined, need: Amount): number | undefined
  /** What is remembered once it gives way now. Several that go in one cool-down count once. */
  afterReclaim(team: string | undefined, dimension: Dimension): Reclaims
}

type CoolDownContext = {
  readonly nowMs: number
  readonly workloads: readonly WorkloadItem[]
  readonly workloadStatuses: readonly WorkloadStatus[]
}

/** Workloads without a team share one. */
export function coolDownsOf({ nowMs, workloads, workloadStatuses }: CoolDownContext): CoolDowns {
  const last = new Map<string, Reclaims>()
  const keyOf = (team: string | undefined, dimension: Dimension): string =>
    `${dimension}|${team ?? ''}`
  const teams = new Map(workloads.map((own) => [own.uid, own.spec.team]))
  for (const { uid, reclaims = [] } of workloadStatuses) {
    for (const own of reclaims) {
      const key = keyOf(teams.get(uid), own.dimension)
      const known = last.get(key)
      if (known === undefined || isLater(own, known)) last.set(key, own)
    }
  }
  return {
    endsAtMs: (team, need) => {
      let endMs = nowMs
      for (const own of DIMENSIONS) {
        const reclaims = last.get(keyOf(team, own))
        if (need[own] === 0 || reclaims === undefined) continue
        endMs = Math.max(endMs, borrowsAgainAtMs(reclaims))
      }
      return endMs === nowMs ? undefined : endMs
    },
    afterReclaim: (team, dimension) => {
      const old = last.get(keyOf(team, dimension))
      if (old === undefined || nowMs >= forgivenAtMs(old)) {
        return { dimension, count: 1, lastMs: nowMs }
      }
      if (nowMs < borrowsAgainAtMs(old)) return old
      return { dimension, count: old.count + 1, lastMs: nowMs }
    },
  }
}

function isLater(own: Reclaims, other: Reclaims): boolean {
  return own.lastMs > other.lastMs || (own.lastMs === other.lastMs && own.count > other.count)
}
