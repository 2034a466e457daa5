/**
 * How far a workload is with the version on its way, in stamps and counts.
 *
 * Progress is more replicas of that version ready at once than ever before, another one started, or
 * the data of one there: one that is ready and crashes again and again makes no progress. Once
 * everything is as wanted the stamps stand; what is lost later, or wanted more, starts the clock
 * anew. What the next pass has to know of the course is kept here, and nowhere else.
 */
import type { Condition } from '../../model/node.ts'
import type { RolloutStatus, WorkloadStatus } from '../../model/status.ts'
import { isVoluntary } from '../repack/groups.ts'
import { isAvailable, type Replica, type Running } from '../replicas.ts'
import { batchOf, progressDeadlineMs, type Course } from '../rollout/course.ts'
import { keepsReady } from '../rollout/steps.ts'
import { REPLACED } from '../rollout/stops.ts'

export type RolloutFacts = {
  /** All its replicas, those that stop among them. */
  readonly group: readonly Replica[]
  readonly running: Running
  readonly desired: number
  /** Replicas that quotas let it have. */
  readonly allowed: number
  readonly waiting: readonly WorkloadStatus['waiting'][number][]
  readonly old: WorkloadStatus | undefined
  readonly nowMs: number
}

export function rolloutStatusOf(course: Course, facts: RolloutFacts): RolloutStatus {
  const { running, desired, allowed, waiting, nowMs } = facts
  const { spec } = course.workload
  const { version: active } = course.active
  const told = facts.old?.rollout
  const known = told?.active === active ? told : undefined
  const current = running.all.filter((own) => own.bound.version === active)
  const ready = current.filter((own) => own.bound.readySinceMs !== undefined).length
  const available = current.filter((own) => isAvailable(own, spec, nowMs)).length
  const old = running.all.length - current.length
  const isAlone = course.failed === undefined && old === 0 && ready === current.length
  // What a quota keeps from it is no part of the roll-out.
  const isDone = isAlone && ready >= allowed && (waiting.length === 0 || allowed < desired)
  const isBegun = known === undefined || (known.completedAtMs !== undefined && !isDone)
  const goesOn = told?.pausedSinceMs !== undefined && !course.isPaused
  // Who has waited for a machine has its time from then on.
  const isStarted = current.some(
    ({ bound }) => bound.assignedAtMs === nowMs || bound.fetchedAtMs === nowMs,
  )
  const isFurther = isBegun || goesOn || isStarted || ready > known.mostReady
  const completedAtMs = isDone ? (known?.completedAtMs ?? nowMs) : undefined
  const isProven = desired > 0 && available >= Math.min(desired, batchOf(course.workload, desired))
  const provenAtMs = known?.provenAtMs ?? (isProven ? nowMs : undefined)
  const bakeMs = spec.rollout.bakeSeconds * 1000
  // None ready of none desired proves nothing. Who runs alone need not wait for the last machine.
  const isBaked =
    isAlone && available === ready && completedAtMs !== undefined
      ? desired > 0 && ready > 0 && nowMs >= completedAtMs + bakeMs
      : isAlone && available === ready && isProven && bakeMs === 0
  const stable = isBaked ? active : told?.stable
  const hasEnded = isBaked && completedAtMs !== undefined
  const endedAtMs = known?.endedAtMs ?? (hasEnded ? nowMs : undefined)
  const isOnItsWay = stable !== undefined && stable !== active && course.failed === undefined
  const disturbedAtMs = isOnItsWay ? lastDisturbance(facts, known?.disturbedAtMs) : undefined
  const taken = isOnItsWay ? takenOf(course, facts) : 0
  // Where the active version waits in vain as well, the proven one is looked for again.
  const isInVain = waiting.some(
    (own) => own.version === active && own.unschedulableSinceMs !== undefined,
  )
  const isStranded = isOnItsWay && course.isStranded && !isInVain
  return {
    active,
    ...present({ stable, pending: course.pending, undone: course.undone, failed: course.failed }),
    ...(course.isPaused ? { pausedSinceMs: told?.pausedSinceMs ?? nowMs } : {}),
    startedAtMs: known?.startedAtMs ?? nowMs,
    lastProgressAtMs: isFurther ? nowMs : known.lastProgressAtMs,
    ...present({ disturbedAtMs, provenAtMs: isOnItsWay ? provenAtMs : undefined }),
    ...(isStranded ? { strandedAtMs: known?.strandedAtMs ?? nowMs } : {}),
    ...(taken === 0 ? {} : { taken }),
    ...present({ completedAtMs, endedAtMs }),
    ...{ ready, mostReady: isBegun ? ready : Math.max(ready, known.mostReady), old },
  }
}

/** Without what is undefined. */
function present<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as never
}

/** When nodes with replicas of it were last lost, or had to go against drover's will. */
function lastDisturbance(
  { running }: RolloutFacts,
  before: number | undefined,
): number | undefined {
  const stamps = running.all.flatMap(({ node }) => [
    node.lostSinceMs ?? -Infinity,
    node.interruption?.noticedAtMs ?? -Infinity,
    node.drain === undefined || isVoluntary(node) ? -Infinity : node.drain.sinceMs,
  ])
  const lastMs = Math.max(before ?? -Infinity, ...stamps)
  return lastMs === -Infinity ? undefined : lastMs
}

/** What was taken away for the active version, less what has been started of it. */
function takenOf({ active, taken }: Course, facts: RolloutFacts): number {
  const { group, running, desired, nowMs } = facts
  const now = group.filter(
    ({ bound }) => bound.stopAtMs === nowMs && bound.stopReason?.code === REPLACED,
  )
  const started = running.all.filter(
    ({ bound }) => bound.version === active.version && bound.assignedAtMs === nowMs,
  )
  const missing = Math.max(0, desired - running.staying.length)
  return Math.min(missing, Math.max(0, taken + now.length - started.length))
}

type Progress = Omit<Condition, 'type' | 'sinceMs'>
type Seen = Pick<RolloutFacts, 'desired' | 'allowed' | 'nowMs'> & {
  /** Replicas whose data is on its way. */
  readonly fetching: number
}

/** What the condition `Progressing` says: the first that is so. */
export function progressOf(course: Course, rollout: RolloutStatus, seen: Seen): Progress {
  const { workload, failed, isPaused } = course
  const { desired, allowed, fetching, nowMs } = seen
  const coming = fetching === 0 ? '' : `, ${String(fetching)} fetch their data`
  const isStranded = rollout.strandedAtMs !== undefined
  const instead = isStranded ? ', in place of proven ones that wait in vain' : ''
  const counted = `${String(rollout.ready)} of ${String(desired)} are ready${coming}${instead}`
  if (failed !== undefined) {
    const reason = keepsReady(course) ? 'RolloutHalted' : 'RolledBack'
    return { status: false, reason, text: `${failed.code}: ${failed.text}` }
  }
  const { completedAtMs } = rollout
  if (completedAtMs !== undefined) {
    const untilMs = completedAtMs + workload.spec.rollout.bakeSeconds * 1000
    if (nowMs >= untilMs || rollout.stable === rollout.active) {
      const what =
        allowed < desired ? `all ${String(allowed)} that quotas allow are` : 'every replica is'
      return { status: false, reason: 'Complete', text: `${what} ready` }
    }
    const text = `every replica is ready, and watched until ${new Date(untilMs).toISOString()}`
    return { status: true, reason: 'Baking', text }
  }
  if (isPaused) return { status: false, reason: 'RolloutPaused', text: `paused: ${counted}` }
  if (nowMs >= progressDeadlineMs(workload, rollout)) {
    const { progressDeadlineSeconds: seconds } = workload.spec.rollout
    const text = `${counted}, and none more for ${String(seconds)} s`
    return { status: false, reason: 'ProgressDeadlineExceeded', text }
  }
  return { status: true, reason: 'ReplicasComing', text: counted }
}
