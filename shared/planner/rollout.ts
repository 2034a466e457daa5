/**
 * Roll out: which version of each workload is on its way, and how it gets there.
 *
 * The course is set once a pass, from what was observed; `target.ts` asks it how many replicas of
 * which version to start, `drain.ts` which to take away, and the status keeps what the next pass
 * has to know. `rollout/course.ts` holds the rules.
 */
import { remembered } from '../base/remembered.ts'
import type { RolloutOrder } from '../model/facts.ts'
import type { Revision as RevisionItem } from '../model/spec-item.ts'
import { statusesByUid } from './facts.ts'
import { blame, evidenceOf, type Blamed, type Evidence } from './observe/blame.ts'
import { failuresOf as remembers } from './observe/failures.ts'
import type { Draft } from './fold.ts'
import { NO_REPLICAS, replicasByUid, runningOf, type Replica } from './replicas.ts'
import type { Revision } from './revision.ts'
import { failuresOf } from './rollout/breaker.ts'
import { courseOf, readRevision, type Course } from './rollout/course.ts'
import type { Snapshot } from './snapshot.ts'

/** By workload uid. */
export type Courses = ReadonlyMap<string, Course>

export function setCourses(snapshot: Snapshot, draft: Draft): Courses {
  const { nowMs } = snapshot
  const replicas = replicasByUid(draft)
  const statuses = statusesByUid(snapshot.workloadStatuses)
  const orders = ordersOf(snapshot)
  const revisions = revisionsOf(snapshot.revisions)
  let blamed: readonly Blamed[] | undefined
  const blamedNow = (): readonly Blamed[] => (blamed ??= blame(evidence(snapshot, draft)))
  return new Map(
    snapshot.workloads
      .filter((own) => own.deletedAtMs === undefined)
      .map((workload) => {
        const { uid, spec } = workload
        const running = runningOf(replicas.get(uid) ?? NO_REPLICAS)
        const status = statuses.get(uid)
        const course = courseOf({
          ...{ workload, running, nowMs, status, order: orders.get(uid) },
          revisionOf: (version) => revisions.get(uid)?.get(version),
          failuresOf: (version) =>
            failuresOf({
              running: running.staying.filter((own) => own.bound.version === version),
              blamed: blamedNow().filter((own) => own.uid === uid && own.version === version),
              nodes: draft.nodes,
              fineNodes: nodesWithout(version, running.staying),
              sinceMs: status?.rollout?.active === version ? status.rollout.startedAtMs : nowMs,
              healthyDeadlineMs: spec.rollout.healthyDeadlineSeconds * 1000,
              nowMs,
            }),
        })
        return [uid, course]
      }),
  )
}

/** Where replicas of other versions are ready. */
const nodesWithout = (version: string, staying: readonly Replica[]): ReadonlySet<string> =>
  new Set(
    staying.flatMap(({ bound, node }) =>
      bound.version !== version && bound.readySinceMs !== undefined ? [node.name] : [],
    ),
  )

/** What fails now and did lately, with what is fine beside it. */
function evidence({ workloads, workloadStatuses, nowMs }: Snapshot, draft: Draft): Evidence {
  const { nodes, assignments } = draft
  const herd = [...nodes.values()].map((node) => ({ node, assignment: assignments.get(node.name) }))
  const replicas = replicasByUid(draft)
  const told = statusesByUid(workloadStatuses)
  const failing = workloads.map(({ name, uid }) => {
    const failures = remembers(replicas.get(uid) ?? NO_REPLICAS, told.get(uid)?.failures, nowMs)
    return { name, uid, failures: [...failures] }
  })
  return evidenceOf(herd, failing)
}

/** An order about a workload that was deleted and made anew is no order. */
function ordersOf({ orders, workloads }: Snapshot): ReadonlyMap<string, RolloutOrder> {
  const found = orders.flatMap((own) => (own.target === 'workload' ? [own] : []))
  if (found.length === 0) return NO_ORDERS
  const uids = new Set(workloads.map((own) => own.uid))
  return new Map(found.flatMap((own) => (uids.has(own.uid) ? [[own.uid, own] as const] : [])))
}

const NO_ORDERS: ReadonlyMap<string, RolloutOrder> = new Map()

/** By uid and version. */
const revisionsOf = remembered((items: readonly RevisionItem[]) => {
  const found = new Map<string, Map<string, Revision>>()
  for (const item of items) {
    const { read } = readRevision(item)
    if (read === undefined) continue
    const own = found.get(item.uid) ?? new Map<string, Revision>()
    found.set(item.uid, own.set(item.version, read))
  }
  return found as ReadonlyMap<string, ReadonlyMap<string, Revision>>
})
