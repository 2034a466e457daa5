/**
 * How many replicas of which version each workload should have.
 *
 * Counts are what a person wrote, or autoscaling (`scaling/scaled.ts`). Which version is to start,
 * and how many of it, is the roll-out's affair (`rollout/steps.ts`), and old ones leave as the
 * ledger allows (`drain.ts`). Replicas on nodes that must go are counted as gone already here,
 * which is what makes every drain *replacement first*. A workload that has its count but not its
 * on-demand base gets one more on an on-demand machine; once that is available another may go
 * (`unwanted.ts`).
 * What teams' quotas make of the counts is decided in `admit.ts`.
 */
import { rememberedPair } from '../base/remembered.ts'
import { isFetching } from '../model/assignment.ts'
import { isGang } from '../model/gang.ts'
import { LIMITS } from '../model/limits.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import type { Template } from '../model/version.ts'
import type { Draft } from './fold.ts'
import {
  baseRoom,
  desiredOf,
  isAlive,
  isAvailable,
  isLeaving,
  isReliable,
  NO_REPLICAS,
  onDemandTarget,
  replicasByUid,
  runningOf,
  type Replica,
  type Running,
} from './replicas.ts'
import type { Courses } from './rollout.ts'
import type { Course } from './rollout/course.ts'
import { baseOf, isRolling, nextStart, unwantedBy, type Counts } from './rollout/steps.ts'
import type { Snapshot } from './snapshot.ts'

export type Target = {
  readonly workload: WorkloadItem
  readonly course: Course
  /** What is started: the version on its way, or the proven one where that comes first. */
  readonly version: string
  readonly template: Template
  readonly desired: number
  /** Replicas it may have by the teams' quotas; `desired` where there are none. */
  readonly allowed: number
  /** As much of it may run at the proven version, where quotas say another number for that one. */
  readonly proven: number | undefined
  /** How many of those by right, whatever others need. */
  readonly guaranteed: number
  /** Firm replicas that it has, or had and lost; 0 where there are no quotas. */
  readonly held: number
  /** Replicas that ask for less than `template` does; 0 where there are no quotas. */
  readonly smaller: number
  /** New replicas of `version` to find a place for. */
  readonly start: number
  /** How many of those are beyond what is guaranteed, on what others leave idle. */
  readonly startBorrowed: number
  /** True when machines may be bought for what is borrowed. */
  readonly mayBuyBorrowed: boolean
  /** Why it is borrowed, in words; empty where nothing is. */
  readonly over: string
  /**
   * How many of those it is owed, so that others may have to give way: nothing borrowed, no surge,
   * and nothing that takes the place of a replica that still runs.
   */
  readonly owed: number
  /** Replicas that run beyond its right, and give way to whoever is entitled to the room. */
  readonly reclaimable: number
  /** How many of those must come up on on-demand machines. */
  readonly startOnDemand: number
  /** Some of its replicas, on nodes that stay, are to make way for another version. */
  readonly rolling: boolean
  /** Older replicas whose place the newest version may not take: it needs more than is allowed. */
  readonly stuck: number
}

export type TargetContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly courses: Courses
}

export function target({ snapshot, draft, courses }: TargetContext): readonly Target[] {
  const replicas = replicasByUid(draft)
  return snapshot.workloads.flatMap(({ uid }) => {
    const course = courses.get(uid)
    if (course === undefined) return []
    const group = replicas.get(uid) ?? NO_REPLICAS
    // Nothing is rolling where one version is wanted and no other is there.
    return isPlain(course) ? plainTarget(course, group) : targetOf(course, group, snapshot.nowMs)
  })
}

/** Time has no part in it. */
const isPlain = ({ stable, failed }: Course): boolean =>
  stable === undefined && failed === undefined

const plainTarget = rememberedPair((course: Course, group: readonly Replica[]): Target =>
  targetOf(course, group, 0),
)

function targetOf(course: Course, group: readonly Replica[], nowMs: number): Target {
  const desired = desiredOf(course.workload)
  const counted = { course, running: runningOf(group), stopping: stoppingIn(group), nowMs }
  return targetWithin(counted, { allowed: desired, guaranteed: desired })
}

/** Told to stop, on nodes that stay, and perhaps not gone yet. */
export const stoppingIn = (group: readonly Replica[]): number =>
  group.filter(({ bound, node }) => bound.order === 'stop' && isAlive(node) && !isLeaving(node))
    .length

type Counted = {
  readonly course: Course
  readonly running: Running
  readonly stopping: number
  readonly nowMs: number
}

/** How many replicas a workload may have, of which so many by right. */
export type Entitlement = {
  readonly allowed: number
  readonly guaranteed: number
  readonly proven?: number | undefined
  /** The same of its newest version alone, where older replicas need less than that. */
  readonly newest?: { readonly allowed: number; readonly guaranteed: number }
  readonly stuck?: number
  readonly held?: number
  readonly smaller?: number
  readonly reclaimable?: number
  readonly mayBuyBorrowed?: boolean
  readonly over?: string
}

export function targetWithin(counted: Counted, entitlement: Entitlement): Target {
  const { course, running } = counted
  const { workload } = course
  const { all } = running
  const gang = isGang(workload)
  // A gang's replica is never replaced while it runs, so those that must go count until they do.
  const staying = gang ? all : running.staying
  const { allowed, guaranteed, proven } = entitlement
  const newest = entitlement.newest ?? { allowed: Infinity, guaranteed }
  const next = nextStart(course, { ...countsOf(counted, staying, allowed), proven })
  const { template, version } = next.revision
  const rolling = isRolling(course, staying)
  const current = staying.filter((own) => own.bound.version === version).length
  const unwanted = new Set(unwantedBy(course, staying))
  const lasting = staying.filter((own) => !unwanted.has(own))
  // What comes back of the proven version stands beside all that do: none of them has left yet.
  const beside = version === baseOf(course).version ? lasting : staying
  const onDemand = beside.filter(isReliable).length
  const shortOfBase = Math.max(0, onDemandTarget(workload.spec, allowed) - onDemand)
  const missing = Math.min(allowed, newest.allowed) - current
  const moving = Math.min(shortOfBase, baseRoom(workload.spec, allowed) + missing)
  const wanted = gang
    ? wantedOfGang({ allowed, missing, rolling, desired: desiredOf(workload) })
    : rolling || !isPlain(course)
      ? Math.min(next.count, newest.allowed - current)
      : Math.max(missing, moving)
  const start = Math.max(0, Math.min(wanted, gang ? Infinity : fetchesLeft(template, all)))
  const rights = Math.max(lasting.length, Math.min(guaranteed, newest.guaranteed))
  // One more than allowed for a while, as a surge, is no loan.
  const borrowed = Math.min(lasting.length + start, allowed) - rights
  return {
    ...{ workload, course, version, template, rolling, allowed, proven, guaranteed, start },
    held: entitlement.held ?? 0,
    smaller: entitlement.smaller ?? 0,
    stuck: entitlement.stuck ?? 0,
    reclaimable: entitlement.reclaimable ?? 0,
    mayBuyBorrowed: entitlement.mayBuyBorrowed ?? false,
    over: entitlement.over ?? '',
    desired: desiredOf(workload),
    owed: Math.max(0, Math.min(start, guaranteed - all.length)),
    startBorrowed: Math.max(0, borrowed),
    startOnDemand: Math.max(0, Math.min(start, shortOfBase)),
  }
}

/** How many more of the version may fetch its data at once; a gang comes whole. */
function fetchesLeft({ data }: Template, all: readonly Replica[]): number {
  if (data === undefined) return Infinity
  return LIMITS.fetchesAtOnce - all.filter(({ bound }) => isFetching(bound)).length
}

export function countsOf(
  { course, stopping, nowMs }: Counted,
  staying: readonly Replica[],
  allowed: number,
): Counts {
  const { spec } = course.workload
  return { allowed, staying, stopping, isAvailable: (own) => isAvailable(own, spec, nowMs) }
}

type GangCount = Pick<Target, 'allowed' | 'desired' | 'rolling'> & { readonly missing: number }

/** All that is missing, or nothing while quotas allow only some, or some of another version run. */
function wantedOfGang({ allowed, desired, rolling, missing }: GangCount): number {
  return rolling || allowed < desired ? 0 : missing
}
