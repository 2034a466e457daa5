/**
 * The next step of a roll-out: how many replicas of which version to start, and which to stop.
 *
 * All in counts, so that a step is the same however the pass before it ended. A pass starts one
 * version: what was lost comes back at the proven one before anything else is tried, and the next
 * pass goes on from there. The room of a surge is real: a replica that is still stopping takes part
 * of it.
 */
import type { Revision } from '../revision.ts'
import { isReady, rollRoom, type Replica } from '../replicas.ts'
import type { Course } from './course.ts'

export type Counts = {
  /** Replicas that it may have. */
  readonly allowed: number
  /** No more than so many at the proven version; as many as are allowed where it is not said. */
  readonly proven?: number | undefined
  /** Told to run, on nodes that stay. */
  readonly staying: readonly Replica[]
  /** Told to stop there, and perhaps not gone yet. */
  readonly stopping: number
  readonly isAvailable: (own: Replica) => boolean
}

export type Start = { readonly revision: Revision; readonly count: number }

/** True while some that stay are to make way for others. */
export function isRolling(course: Course, staying: readonly Replica[]): boolean {
  return unwantedBy(course, staying).length > 0
}

/** The version that takes the place of the others in the end. */
export const baseOf = ({ active, stable, failed }: Course): Revision =>
  failed === undefined ? active : (stable ?? active)

export function nextStart(course: Course, counts: Counts): Start {
  const { active, stable, failed, isPaused } = course
  const { allowed, staying } = counts
  const room = roomLeft(course, counts)
  if (failed !== undefined) return refill(course, counts, room)
  const left = inFlightLeft(course, counts)
  const missing = missingOf(course, counts)
  if (missing > 0 && stable !== undefined) {
    const isTried = makesUpForLost(course) && left > 0
    const count = Math.max(0, Math.min(missing, room))
    return isTried
      ? { revision: active, count: Math.min(count, left) }
      : { revision: stable, count }
  }
  if (isPaused) return { revision: active, count: Math.max(0, missing) }
  const current = staying.filter(isOf(active)).length
  return { revision: active, count: Math.max(0, Math.min(allowed - current, room, left)) }
}

/** How many more may run now, those that are still stopping counted; negative where too many do. */
export function roomLeft({ workload }: Course, { allowed, staying, stopping }: Counts): number {
  return allowed + rollRoom(workload.spec, allowed).surge - staying.length - stopping
}

/**
 * What was lost, or is wanted from now on. Replicas of a version that has not proved itself make up
 * for none but those that were taken away for them.
 */
export function missingOf(course: Course, counts: Counts): number {
  const { staying, isAvailable } = counts
  const allowed = counts.proven ?? counts.allowed
  const { workload, active, taken } = course
  if (makesUpForLost(course)) return allowed - staying.length
  const current = staying.filter(isOf(active))
  const good = current.filter(isAvailable).length
  const { gap } = rollRoom(workload.spec, allowed)
  const replaced = Math.min(gap, current.length - good) + taken
  return allowed - good - (staying.length - current.length) - replaced
}

/** The active version takes the place of whoever is lost, be it for want of the proven one. */
export const makesUpForLost = ({ isProven, isStranded }: Course): boolean => isProven || isStranded

const isOf =
  ({ version }: Revision) =>
  ({ bound }: Replica): boolean =>
    bound.version === version

/** The proven version back to the full count; what is ready of the failed one goes on serving. */
function refill(course: Course, { allowed, staying }: Counts, room: number): Start {
  const revision = baseOf(course)
  const keeps = keepsReady(course)
  const serving = staying.filter((own) => isOf(revision)(own) || (keeps && isReady(own)))
  return { revision, count: Math.max(0, Math.min(allowed - serving.length, room)) }
}

/** A halt leaves alone what serves; a rollback does not. */
export const keepsReady = ({ workload }: Course): boolean =>
  workload.spec.rollout.onFailure === 'halt'

/** Replicas of the active version that may be tried at once, beside those that are tried. */
export function inFlightLeft(course: Course, { staying, isAvailable }: Counts): number {
  const { active, stable, breaker, failures } = course
  if (stable === undefined) return Infinity
  const inFlight = staying.filter((own) => isOf(active)(own) && !isAvailable(own)).length
  return Math.max(0, breaker - failures - inFlight)
}

/** Replicas that the roll-out would rather not have, whom to stop first first. */
export function unwantedBy(course: Course, staying: readonly Replica[]): readonly Replica[] {
  const { failed, active } = course
  if (failed === undefined) return staying.filter((own) => !isOf(active)(own))
  const others = staying.filter((own) => !isOf(baseOf(course))(own))
  return keepsReady(course) ? others.filter((own) => !isReady(own)) : others
}
