/**
 * Scaled workloads with the number that they are to have by what stands in the table: what
 * autoscaling said last, within the bounds that people say now. Before it has said anything that is
 * what the workload had, and the least there may be of a new one.
 */
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item, Key } from '#shared/store/store.ts'
import { statusOf, targetOf, workloadOf } from './items.ts'

type Beside = { readonly target: Item | undefined; readonly status: Item | undefined }

const known = new WeakMap<WorkloadItem, WorkloadItem>()

/** The workload as if a person had written its number; itself where a person has. */
export function counted(workload: WorkloadItem, beside: Beside): WorkloadItem {
  const { scale } = workload.spec
  if (scale === undefined) return workload
  const status = statusOf(beside.status)
  const had = status?.uid === workload.uid ? status.desired : undefined
  const said = targetOf(beside.target)?.replicas ?? had ?? scale.min
  const replicas = Math.min(Math.max(said, scale.min), scale.max)
  const before = known.get(workload)
  if (before?.spec.replicas === replicas) return before
  const made = { ...workload, spec: { ...workload.spec, replicas } }
  known.set(workload, made)
  return made
}

/** The workload of that name in a table, with its number. */
export function countedIn(
  get: (key: Key) => Item | undefined,
  name: string,
): WorkloadItem | undefined {
  const workload = workloadOf(get(keys.spec('workload', name)))
  if (workload === undefined) return undefined
  return counted(workload, {
    target: get(keys.target(workload.uid)),
    status: get(keys.status('workload', name)),
  })
}
