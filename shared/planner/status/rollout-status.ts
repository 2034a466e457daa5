/**
 * How far a workload is with its newest version, in stamps and counts.
 *
 * Progress is more replicas of the newest version ready at once than ever before: one that is ready
 * and crashes again and again makes no progress. Once everything is as wanted the stamps stand;
 * what is lost later, or wanted more, starts the clock anew.
 */
import type { RolloutStatus, WorkloadStatus } from '../../model/status.ts'

export type RolloutCounts = {
  /** The version of the spec. */
  readonly active: string
  readonly desired: number
  /** Its replicas that are ready. */
  readonly progressed: number
  /** Running replicas of other versions. */
  readonly old: number
  readonly isDone: boolean
}

export function rolloutStatusOf(
  counts: RolloutCounts,
  status: WorkloadStatus | undefined,
  nowMs: number,
): RolloutStatus {
  const { active, desired, progressed: ready, old, isDone } = counts
  const told = status?.rollout
  const known = told?.active === active ? told : undefined
  const isBegun = known === undefined || (known.completedAtMs !== undefined && !isDone)
  const mostReady = isBegun ? ready : Math.max(ready, known.mostReady)
  const isFurther = isBegun || ready > known.mostReady
  // None ready of none desired proves nothing.
  const stable = desired > 0 && ready >= desired ? active : told?.stable
  return {
    active,
    ...(stable === undefined ? {} : { stable }),
    startedAtMs: known?.startedAtMs ?? nowMs,
    lastProgressAtMs: isFurther ? nowMs : known.lastProgressAtMs,
    ...(isDone ? { completedAtMs: known?.completedAtMs ?? nowMs } : {}),
    ...{ ready, mostReady, old },
  }
}
