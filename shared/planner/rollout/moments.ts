/** When a roll-out would go on, or be given up, though nothing happens. */
import type { RolloutStatus, WorkloadStatus } from '../../model/status.ts'
import type { WorkloadItem } from '../../model/spec-item.ts'
import type { Replica } from '../replicas.ts'
import { overdueAtMs } from './breaker.ts'
import { progressDeadlineMs, strandsAtMs, unwellSinceMs } from './course.ts'

export function rolloutMoments(
  workload: WorkloadItem,
  { rollout, waiting }: { rollout: RolloutStatus } & Pick<WorkloadStatus, 'waiting'>,
  running: readonly Replica[],
): readonly number[] {
  const { completedAtMs, active, stable, failed } = rollout
  if (failed !== undefined) return []
  if (completedAtMs !== undefined) {
    return stable === active ? [] : [completedAtMs + workload.spec.rollout.bakeSeconds * 1000]
  }
  const healthyDeadlineMs = workload.spec.rollout.healthyDeadlineSeconds * 1000
  const late =
    stable === undefined || stable === active
      ? []
      : running.filter(({ bound }) => bound.version === active && bound.readySinceMs === undefined)
  return [
    progressDeadlineMs(workload, rollout),
    strandsAtMs(workload, { rollout, waiting }),
    ...late.flatMap(({ bound }) => [
      overdueAtMs(bound, { healthyDeadlineMs }),
      unwellSinceMs(bound) + healthyDeadlineMs,
    ]),
  ]
}
