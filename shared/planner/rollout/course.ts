/**
 * The course of a roll-out: which version is on its way, which one is proven, and whether it goes
 * on.
 *
 * One version is active and the newest may wait, never a queue: what is newer takes the place of an
 * active version that has not proved itself, and waits for one that has. Proven is what has been
 * rolled out whole and baked; until then the version before stays the one that lost replicas come
 * back at. A version that fails is given up for good: only another template, or a person's undo,
 * moves on from it.
 */
import { frozen } from '../../base/frozen.ts'
import { remembered } from '../../base/remembered.ts'
import { isFetching, type BoundReplica } from '../../model/assignment.ts'
import { isGang } from '../../model/gang.ts'
import type { RolloutOrder } from '../../model/facts.ts'
import type { Revision as RevisionItem, WorkloadItem } from '../../model/spec-item.ts'
import type { Reason, RolloutStatus, WorkloadStatus } from '../../model/status.ts'
import { templateSchema } from '../../model/version.ts'
import { desiredOf, rollRoom, type Running } from '../replicas.ts'
import { revisionOf, weightOf, type Revision } from '../revision.ts'
import { breakerOf } from './breaker.ts'

export type Course = {
  readonly workload: WorkloadItem
  /** What is being rolled out, or was last. */
  readonly active: Revision
  /** What lost replicas come back at while the active version is not proven; often the same. */
  readonly stable: Revision | undefined
  readonly pending: string | undefined
  readonly undone: string | undefined
  readonly failed: RolloutStatus['failed']
  readonly isPaused: boolean
  /** A first batch of the active version was available. */
  readonly isProven: boolean
  /**
   * What the proven version lacks has waited in vain for a progress deadline: the active one, which
   * may be smaller, makes up for it meanwhile, though it is not proven.
   */
  readonly isStranded: boolean
  /** Replicas that the roll-out took away for the active version, and that it has not started. */
  readonly taken: number
  /** Replicas of the active version that have failed, and so many that end the roll-out. */
  readonly failures: number
  readonly breaker: number
}

export type CourseFacts = {
  readonly workload: WorkloadItem
  readonly status: WorkloadStatus | undefined
  readonly order: RolloutOrder | undefined
  readonly running: Running
  /** The template of one of the workload's versions, if it is kept. */
  readonly revisionOf: (version: string) => Revision | undefined
  /** How many replicas of a version have failed. */
  readonly failuresOf: (version: string) => number
  readonly nowMs: number
}

export function courseOf(facts: CourseFacts): Course {
  const { workload, status, order } = facts
  const newest = revisionOf(workload.spec)
  const rollout = status?.rollout
  if (order === undefined && isAtRest(rollout, newest.version)) return plainCourse(workload)
  const wanted = wantedBy(facts, newest)
  const active = activeOf(facts, wanted)
  const isSame = rollout?.active === active.version
  const stable = stableOf(facts, active)
  const failures = stable === undefined ? 0 : facts.failuresOf(active.version)
  const breaker = breakerOf(workload.spec, desiredOf(workload))
  const course: Course = {
    ...{ workload, active, stable, failures, breaker },
    pending: active.version === wanted.version ? undefined : wanted.version,
    undone: wanted.version === newest.version ? undefined : newest.version,
    failed: isSame && stable !== undefined ? rollout.failed : undefined,
    isPaused: order?.paused === true,
    isProven: stable === undefined || (isSame && rollout.provenAtMs !== undefined),
    isStranded: isSame && stable !== undefined && isStranded(facts),
    taken: rollout?.taken ?? 0,
  }
  if (course.failed !== undefined || stable === undefined) return course
  const why = whyFailed(course, facts)
  return why === undefined ? course : { ...course, failed: { ...why, atMs: facts.nowMs } }
}

/** Nothing has to be weighed: the spec's version is the proven one, or none is proven so far. */
function isAtRest(rollout: RolloutStatus | undefined, newest: string): boolean {
  if (rollout?.stable === undefined) return true
  return rollout.active === newest && rollout.stable === newest
}

/** The version of the spec and no other. */
export const plainCourse = remembered((workload: WorkloadItem): Course => {
  const active = revisionOf(workload.spec)
  return Object.freeze({
    ...{ workload, active, stable: undefined, pending: undefined, undone: undefined },
    ...{ failed: undefined, isPaused: false, isProven: true, isStranded: false },
    ...{ taken: 0, failures: 0 },
    breaker: breakerOf(workload.spec, desiredOf(workload)),
  })
})

/** What people want to run: the spec's version, or the one that they went back to from it. */
function wantedBy({ order, revisionOf: known }: CourseFacts, newest: Revision): Revision {
  if (order?.undo?.from !== newest.version) return newest
  return known(order.undo.to) ?? newest
}

/** The version on its way: the wanted one, unless the active one is to be seen through first. */
function activeOf(facts: CourseFacts, wanted: Revision): Revision {
  const { workload, status, order, revisionOf: known, failuresOf } = facts
  const rollout = status?.rollout
  if (rollout === undefined || rollout.active === wanted.version) return wanted
  const active = known(rollout.active)
  if (active === undefined || isGang(workload)) return wanted
  // A person who goes back does not wait for what they go back from, nor for what has failed.
  if (rollout.stable === wanted.version || order?.undo?.to === wanted.version) return wanted
  if (rollout.failed !== undefined || rollout.stable === undefined) return wanted
  if (rollout.stable === rollout.active) return wanted
  if (order?.paused === true) return active
  // One that gets no further, for want of a quota or of machines, may be what is to be mended.
  const isStuck = facts.nowMs >= progressDeadlineMs(workload, rollout)
  const isGood = rollout.provenAtMs !== undefined && failuresOf(rollout.active) === 0
  return isGood && !isStuck ? active : wanted
}

/** The proven version, if its template is still there; of a gang none, for it runs as one. */
function stableOf(
  { workload, status, revisionOf: known }: CourseFacts,
  active: Revision,
): Revision | undefined {
  const version = status?.rollout?.stable
  if (version === undefined || version === active.version || isGang(workload)) return undefined
  return known(version)
}

/** It was found so and still is, or the proven version waits in vain for long enough. */
function isStranded({ workload, status, order, nowMs }: CourseFacts): boolean {
  if (order?.paused === true || status === undefined) return false
  return status.rollout?.strandedAtMs !== undefined || nowMs >= strandsAtMs(workload, status)
}

/** When the proven version, waiting in vain, will have waited for a progress deadline. */
export function strandsAtMs(
  { spec }: WorkloadItem,
  { rollout, waiting }: Pick<WorkloadStatus, 'rollout' | 'waiting'>,
): number {
  if (rollout?.stable === undefined || rollout.stable === rollout.active) return Infinity
  const stable = waiting.find((own) => own.version === rollout.stable)
  const sinceMs = Math.max(stable?.unschedulableSinceMs ?? Infinity, rollout.startedAtMs)
  return sinceMs + spec.rollout.progressDeadlineSeconds * 1000
}

/** Why the active version is given up; undefined while it is not. */
function whyFailed(course: Course, facts: CourseFacts): Reason | undefined {
  const { failures, breaker, active } = course
  if (failures >= breaker) {
    const many = failures === 1 ? '1 replica' : `${String(failures)} replicas`
    const text = `${many} of version ${active.version} failed, of ${String(breaker)} that may not`
    return { code: 'TooManyFailures', text }
  }
  const rollout = facts.status?.rollout
  if (rollout?.active !== active.version || course.isPaused) return undefined
  if (facts.nowMs < progressDeadlineMs(facts.workload, rollout)) return undefined
  const { progressDeadlineSeconds, healthyDeadlineSeconds } = facts.workload.spec.rollout
  // Who waits for a machine is not to blame for that, nor who has been ready before and fell.
  const patienceMs = Math.min(progressDeadlineSeconds, healthyDeadlineSeconds) * 1000
  const current = facts.running.staying.filter(({ bound }) => bound.version === active.version)
  const unready = current.filter(({ bound }) => bound.readySinceMs === undefined)
  const late = unready.filter(({ bound }) => facts.nowMs - unwellSinceMs(bound) >= patienceMs)
  const fallen = Math.max(0, rollout.mostReady - (current.length - unready.length))
  const isLate = late.length > fallen
  if (!isLate) return undefined
  const text = `version ${active.version} got no further for ${String(progressDeadlineSeconds)} s`
  return { code: 'ProgressDeadlineExceeded', text }
}

/** Of one that is not ready: since when it could have been. */
export function unwellSinceMs(bound: BoundReplica): number {
  const { assignedAtMs, fetchedAtMs = -Infinity, failures } = bound
  if (isFetching(bound)) return Infinity
  return Math.max(assignedAtMs, fetchedAtMs, failures?.sinceMs ?? -Infinity)
}

/** Without progress until then a roll-out is stuck; never once nothing is left to do. */
export function progressDeadlineMs({ spec }: WorkloadItem, rollout: RolloutStatus): number {
  if (rollout.completedAtMs !== undefined) return Infinity
  const sinceMs = Math.max(rollout.lastProgressAtMs, rollout.disturbedAtMs ?? -Infinity)
  return sinceMs + spec.rollout.progressDeadlineSeconds * 1000
}

/** So many new replicas at once prove a version to be good enough to be seen through. */
export function batchOf({ spec }: WorkloadItem, desired: number): number {
  const { surge, gap } = rollRoom(spec, desired)
  return Math.max(1, Math.min(desired, surge + gap, breakerOf(spec, desired)))
}

/** Another version is proven, and this one is not. */
export function isOnTrial({ active, stable, isProven }: Course, version: string): boolean {
  return stable !== undefined && !isProven && version === active.version
}

/** A revision as the planner reads it; `read` is absent where no release can read it any more. */
export const readRevision = remembered((item: RevisionItem): { readonly read?: Revision } => {
  const parsed = templateSchema.safeParse(item.template)
  if (!parsed.success) return {}
  const template = frozen(parsed.data)
  return { read: Object.freeze({ template, version: item.version, ...weightOf(template) }) }
})
