/**
 * Stops the replicas that nobody wants any more: those of workloads that are gone, and those beyond
 * a workload's desired count.
 *
 * Both are a person's order, so the ledger does not bind them; but what a workload still needs is
 * never taken. Those that make up the on-demand base stay, and while some of them are only coming
 * up, as many others stay with them. That is how a base that was lost to spot is restored: one more
 * is started on an on-demand machine, and only when it is available does another go.
 */
import { byKey, byNumber, descending, inOrder, type Compare } from '../base/order.ts'
import { restartsWhole } from '../model/gang.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import type { Action } from './actions.ts'
import { statusesByUid } from './facts.ts'
import type { Draft } from './fold.ts'
import {
  baseRoom,
  desiredOf,
  isAvailable,
  NO_REPLICAS,
  onDemandTarget,
  replicasByUid,
  rollRoom,
  runningOf,
  type Replica,
  type Running,
} from './replicas.ts'
import type { Courses } from './rollout.ts'
import type { Course } from './rollout/course.ts'
import { isRolling } from './rollout/steps.ts'
import type { Snapshot } from './snapshot.ts'

export function stopUnwanted(
  snapshot: Snapshot,
  draft: Draft,
  courses: Courses,
): readonly Action[] {
  const replicas = replicasByUid(draft)
  const before = statusesByUid(snapshot.workloadStatuses)
  const beyond = [...courses.values()].flatMap((course) => {
    const { uid } = course.workload
    const running = runningOf(replicas.get(uid) ?? NO_REPLICAS)
    return scaleIn({ course, wasDesired: before.get(uid)?.desired ?? 0 }, running, snapshot.nowMs)
  })
  return [...stopOrphans(snapshot, replicas), ...beyond]
}

/** Replicas whose workload is deleted, or was replaced by another of the same name. */
function* stopOrphans(
  snapshot: Snapshot,
  replicas: ReadonlyMap<string, readonly Replica[]>,
): Iterable<Action> {
  const wanted = new Set(
    snapshot.workloads.filter((own) => own.deletedAtMs === undefined).map((own) => own.uid),
  )
  // A spec that could not be read is no reason to stop its replicas.
  const unreadable = new Set(snapshot.invalid.map((own) => own.key))
  for (const [uid, group] of replicas) {
    if (wanted.has(uid)) continue
    for (const { bound, node } of group) {
      if (bound.order === 'stop' || unreadable.has(`spec#workload/${bound.workload}`)) continue
      const reason = { code: 'WorkloadDeleted', text: `workload ${bound.workload} is deleted` }
      yield { kind: 'stop', node: node.name, replica: bound.id, reason }
    }
  }
}

/** The stops of what the workload has beyond its desired count. */
function scaleIn(
  { course, wasDesired }: { readonly course: Course; readonly wasDesired: number },
  { all, staying }: Running,
  nowMs: number,
): readonly Action[] {
  const { workload } = course
  const desired = desiredOf(workload)
  if (all.length <= desired) return []
  const stop = ({ bound, node }: Replica): Action => {
    const reason = { code: 'ScaledIn', text: `${String(desired)} replicas are wanted` }
    return { kind: 'stop', node: node.name, replica: bound.id, reason }
  }
  // Nobody waits for a replacement of those on nodes that must go.
  if (desired === 0) return all.map(stop)
  // Of a gang that runs as one nobody goes alone.
  if (restartsWhole(workload.spec)) return []
  // Of a surge as much goes as fewer are wanted: what it was for may not be needed any more.
  const rolling = isRolling(course, all) && desired >= wasDesired
  const { surge } = rollRoom(workload.spec, desired)
  const base = baseOf(workload, staying, nowMs)
  const coming = rolling ? [] : base.coming.slice(0, baseRoom(workload.spec, desired))
  const excess = staying.length - desired - (rolling ? surge : coming.length)
  if (excess <= 0) return []
  const kept = new Set([...base.there, ...coming])
  return inOrderOfLoss(staying, { course, kept, nowMs }).slice(0, excess).map(stop)
}

type Base = { readonly there: readonly Replica[]; readonly coming: readonly Replica[] }

/** The replicas that make up the on-demand base: the available ones first, then the oldest. */
function baseOf(workload: WorkloadItem, staying: readonly Replica[], nowMs: number): Base {
  const isThere = (own: Replica): boolean => isAvailable(own, workload.spec, nowMs)
  const base = staying
    .filter((own) => own.node.capacityType === 'on-demand')
    .sort(
      inOrder(
        byKey((own) => (isThere(own) ? 0 : 1)),
        byAge,
      ),
    )
    .slice(0, onDemandTarget(workload.spec, desiredOf(workload)))
  return { there: base.filter(isThere), coming: base.filter((own) => !isThere(own)) }
}

type Loss = {
  readonly course: Course
  readonly kept: ReadonlySet<Replica>
  readonly nowMs: number
}

/**
 * Whom to stop first: none of the base, what has not proved itself, the unavailable, what keeps the
 * spread, the youngest.
 */
function inOrderOfLoss(
  staying: readonly Replica[],
  { course, kept, nowMs }: Loss,
): readonly Replica[] {
  const { spec } = course.workload
  const rankInZone = new Map<Replica, number>()
  const seen = new Map<string, number>()
  for (const own of [...staying].sort(byAge)) {
    const zone = own.node.machine?.zone ?? ''
    const rank = seen.get(zone) ?? 0
    seen.set(zone, rank + 1)
    rankInZone.set(own, rank)
  }
  return [...staying].sort(
    inOrder(
      byKey((own) => (kept.has(own) ? 1 : 0)),
      byKey((own) => (isUnproven(own, course) ? 0 : 1)),
      byKey((own) => (isAvailable(own, spec, nowMs) ? 1 : 0)),
      byKey((own) => (isOutdated(own, course) ? 0 : 1)),
      descending(byKey((own) => rankInZone.get(own) ?? 0)),
      descending(byAge),
    ),
  )
}

function isUnproven({ bound }: Replica, { active, stable, isProven, failed }: Course): boolean {
  if (stable === undefined || bound.version !== active.version) return false
  return !isProven || failed !== undefined
}

/** It would be replaced anyway. */
function isOutdated({ bound }: Replica, { active, isProven, failed }: Course): boolean {
  return isProven && failed === undefined && bound.version !== active.version
}

const byAge: Compare<Replica> = inOrder(
  (a, b) => byNumber(a.bound.assignedAtMs, b.bound.assignedAtMs),
  byKey((own) => own.bound.id),
)
