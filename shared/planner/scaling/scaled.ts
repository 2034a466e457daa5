/**
 * Scaled workloads with the number that they are to have, so that the planner's stages need not
 * know of scaling: to them it is a number of replicas like anybody's.
 *
 * Before a first target a workload keeps what it had, so that turning scaling on moves nothing by
 * itself; a new one begins with `min`.
 */
import { sameMembers } from '../../base/equal.ts'
import { frozen } from '../../base/frozen.ts'
import type { ScaleTarget } from '../../model/scale-target.ts'
import type { WorkloadItem } from '../../model/spec-item.ts'
import type { WorkloadStatus } from '../../model/status.ts'
import { statusesByUid } from '../facts.ts'
import type { Snapshot } from '../snapshot.ts'
import { within } from './recommend.ts'

type Seen = {
  readonly target: Pick<ScaleTarget, 'replicas'> | undefined
  readonly status: Pick<WorkloadStatus, 'desired' | 'uid'> | undefined
}

/** How many a workload is to have: what its spec says, or what autoscaling has said of it. */
export function countOfWorkload({ uid, spec }: WorkloadItem, { target, status }: Seen): number {
  const { scale, replicas } = spec
  if (scale === undefined) return replicas ?? 0
  const before = status?.uid === uid ? status.desired : undefined
  return within(scale, target?.replicas ?? before ?? scale.min)
}

/** The snapshot as the stages want it; the same one where nothing is scaled. */
export function scaled(snapshot: Snapshot): Snapshot {
  const { workloads } = snapshot
  if (!workloads.some((own) => own.spec.scale !== undefined)) return snapshot
  const targets = new Map(snapshot.targets.map((own) => [own.uid, own]))
  const statuses = statusesByUid(snapshot.workloadStatuses)
  const counted = workloads.map((own) => {
    if (own.spec.scale === undefined) return own
    const seen = { target: targets.get(own.uid), status: statuses.get(own.uid) }
    return withCount(own, countOfWorkload(own, seen))
  })
  return { ...snapshot, workloads: sameList(counted) }
}

const known = new WeakMap<WorkloadItem, WorkloadItem>()

/** The very same item while the number is the same: what follows from it is remembered with it. */
function withCount(item: WorkloadItem, replicas: number): WorkloadItem {
  if (item.spec.replicas === replicas) return item
  const before = known.get(item)
  if (before?.spec.replicas === replicas) return before
  const made = { ...item, spec: { ...item.spec, replicas } }
  if (!Object.isFrozen(item)) return made
  known.set(item, frozen(made))
  return made
}

let last: readonly WorkloadItem[] = []

/** The list of the time before where it holds the very same items. */
function sameList(list: readonly WorkloadItem[]): readonly WorkloadItem[] {
  if (sameMembers(last, list)) return last
  if (list.every((own) => Object.isFrozen(own))) last = Object.freeze(list)
  return list
}
