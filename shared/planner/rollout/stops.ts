/**
 * Which replicas a roll-out takes away now, as the ledger of disruption lets it.
 *
 * Forward it takes as many as the active version may put in their place, the unready first. Of a
 * version that has failed the unready go at once, for they serve nobody: all but one, which is left
 * for whoever wants to know why. What of it is ready goes only in a rollback.
 */
import { byKey, descending, inOrder } from '../../base/order.ts'
import type { Reason } from '../../model/status.ts'
import type { Ledger } from '../ledger.ts'
import { desiredOf, isReady, rollRoom, type Replica } from '../replicas.ts'
import type { Course } from './course.ts'
import {
  baseOf,
  inFlightLeft,
  keepsReady,
  makesUpForLost,
  missingOf,
  roomLeft,
  unwantedBy,
  type Counts,
} from './steps.ts'

export type Stop = { readonly replica: Replica; readonly reason: Reason }

/** What a stop for the active version is told as; it is counted until that has been started. */
export const REPLACED = 'Replaced'

export type StopContext = {
  readonly counts: Counts
  readonly ledger: Ledger
  /** Older replicas whose place a newer may not take. */
  readonly stuck: number
  /** The active version is what is started in this pass, and quotas were asked for it. */
  readonly isForward: boolean
}

export function rollStops(course: Course, context: StopContext): readonly Stop[] {
  const { staying } = context.counts
  const unwanted = unwantedBy(course, staying).toSorted(
    inOrder(
      byKey((own) => (own.bound.version === course.stable?.version ? 1 : 0)),
      byKey((own) => (isReady(own) ? 1 : 0)),
      byKey((own) => own.bound.assignedAtMs),
      byKey((own) => own.bound.id),
    ),
  )
  return course.failed === undefined
    ? forward(course, unwanted, context)
    : back(course, unwanted, context)
}

function forward(
  course: Course,
  unwanted: readonly Replica[],
  { counts, ledger, stuck, isForward }: StopContext,
): readonly Stop[] {
  const given = giveBack(course, counts)
  if (given.length > 0 || course.isPaused) return given
  const { stable, active } = course
  let running = counts.staying.length
  let left = unwanted.filter((own) => !isUseless(own, course)).length
  left -= isForward && !isShort(course, counts) ? Math.max(stuck, keptBy(course, counts)) : left
  const text = `version ${active.version} takes its place`
  return unwanted.flatMap((replica): Stop[] => {
    const isFree = isUseless(replica, course)
    if (!isFree && left <= 0) return []
    const isServing = isReady(replica)
    const mayGo = isServing ? ledger.grant(replica) : stable !== undefined || running > ledger.floor
    if (!mayGo) return []
    if (!isFree) left -= 1
    running -= 1
    return [{ replica, reason: { code: REPLACED, text } }]
  })
}

/** What runs of a proven version that waits in vain stays until others stand in for the rest. */
const isShort = ({ workload, isStranded }: Course, { staying }: Counts): boolean =>
  isStranded && staying.length < desiredOf(workload)

/** Where the proven version lacks room for what was lost, what is on trial gives its room back. */
function giveBack(course: Course, counts: Counts): readonly Stop[] {
  if (makesUpForLost(course)) return []
  const count = missingOf(course, counts) - Math.max(0, roomLeft(course, counts))
  if (count <= 0) return []
  const reason = { code: 'RoomNeeded', text: 'the proven version needs its room' }
  return counts.staying
    .filter((own) => own.bound.version === course.active.version && !isReady(own))
    .toSorted(
      inOrder(
        descending(byKey((own) => own.bound.assignedAtMs)),
        byKey((own) => own.bound.id),
      ),
    )
    .slice(0, count)
    .map((replica) => ({ replica, reason }))
}

/** Neither serves nor ever will: of a version that was given up for a newer one. */
function isUseless(own: Replica, { stable }: Course): boolean {
  return stable !== undefined && own.bound.version !== stable.version && !isReady(own)
}

/**
 * Older replicas that stay, whatever the ledger says: no more may be missing than the active
 * version could make up for, with what of it may be tried at once.
 */
function keptBy(course: Course, counts: Counts): number {
  if (course.stable === undefined) return 0
  const { allowed, staying, isAvailable } = counts
  const { gap } = rollRoom(course.workload.spec, allowed)
  const current = staying.filter((own) => own.bound.version === course.active.version)
  const good = current.filter(isAvailable).length
  const tried = current.length - good + inFlightLeft(course, counts)
  return Math.max(0, allowed - good - Math.min(gap, tried))
}

function back(
  course: Course,
  unwanted: readonly Replica[],
  { counts, ledger }: StopContext,
): readonly Stop[] {
  const { code = '' } = course.failed ?? {}
  const { version } = baseOf(course)
  const unready = unwanted.filter((own) => !isReady(own))
  const isHalt = keepsReady(course)
  // Where nothing may run beyond the count, the one that is kept would take a good one's place.
  const keeps = isHalt && rollRoom(course.workload.spec, counts.allowed).surge > 0
  const kept = keeps
    ? unready.find((own) => own.bound.version === course.active.version)
    : undefined
  const text = isHalt
    ? `the roll-out of version ${course.active.version} is halted`
    : `version ${version} takes its place again`
  return unwanted.flatMap((replica): Stop[] => {
    if (replica === kept || (isReady(replica) && !ledger.grant(replica))) return []
    return [
      {
        replica,
        reason: { code: isHalt ? 'RolloutHalted' : 'RolledBack', text: `${text} (${code})` },
      },
    ]
  })
}
