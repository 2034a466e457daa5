/**
 * What people hear of scaling: each time that a scaled workload is to have another number.
 *
 * `autoscale` writes targets and nothing else. So the pass that first plans with a new number tells
 * of it: the one whose snapshot has the number of before in the status.
 */
import type { ScaleTarget } from '../../model/scale-target.ts'
import type { Notice } from '../actions.ts'
import { statusesByUid } from '../facts.ts'
import type { Snapshot } from '../snapshot.ts'

/** Of a snapshot that has been counted through (`scaled`). */
export function scaleNotices(snapshot: Snapshot): readonly Notice[] {
  const { workloads, targets, workloadStatuses } = snapshot
  const scalable = workloads.filter((own) => own.spec.scale !== undefined)
  if (scalable.length === 0) return []
  const statuses = statusesByUid(workloadStatuses)
  const targetByUid = new Map(targets.map((own) => [own.uid, own]))
  return scalable.flatMap(({ uid, name, spec: { replicas = 0 }, deletedAtMs }): Notice[] => {
    const before = statuses.get(uid)?.desired
    if (before === undefined || before === replicas || deletedAtMs !== undefined) return []
    const why = whyOf(targetByUid.get(uid), replicas)
    const text = `from ${String(before)} to ${String(replicas)}${why}`
    return [{ object: `workload/${name}`, reason: { code: 'Scaled', text } }]
  })
}

/** A change of `min` or `max` needs no metric. */
function whyOf(target: ScaleTarget | undefined, replicas: number): string {
  const last = target?.lastScaled
  return last?.to === replicas && target?.replicas === replicas ? `: ${last.why}` : ''
}
