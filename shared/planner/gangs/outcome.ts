/**
 * What a pass leaves a gang with: its part of the status, its room, and what people are told.
 */
import { restartsWhole } from '../../model/gang.ts'
import { LIMITS } from '../../model/limits.ts'
import type { GangPart, Reason, Reservation } from '../../model/status.ts'
import type { Refusal } from '../actions.ts'
import {
  deadlineMs,
  gangsOf,
  isForming,
  isOverdue,
  stateOf,
  type Gang,
  type GangContext,
  type GangState,
} from './gang.ts'
import type { GangFound } from './seek.ts'

export type GangOutcome = {
  readonly part: GangPart
  readonly reservations: readonly Reservation[]
  /** Replicas that wait and are not refused. */
  readonly told: GangFound['told']
  readonly refusal?: Refusal
  /** Moments at which the next pass would decide otherwise. */
  readonly moments: readonly number[]
}

/** By workload uid, of all gangs that are to run. */
export type GangOutcomes = ReadonlyMap<string, GangOutcome>

export function outcomesOf(
  context: GangContext,
  found: ReadonlyMap<string, GangFound>,
): GangOutcomes {
  const { nowMs } = context.snapshot
  return new Map(
    gangsOf(context).map((gang) => {
      const { uid } = gang.target.workload
      return [uid, outcomeOf(gang, { state: stateOf(gang, nowMs), found: found.get(uid), nowMs })]
    }),
  )
}

type Seen = {
  readonly state: GangState
  readonly found: GangFound | undefined
  readonly nowMs: number
}

function outcomeOf(gang: Gang, seen: Seen): GangOutcome {
  const { found, nowMs } = seen
  const part = partOf(gang, seen)
  const soon = found?.isReady === true ? [nowMs + 1] : []
  const ends = part.formingSinceMs === undefined ? [] : [deadlineMs({ ...gang, part })]
  const tries = part.heldOffUntilMs ?? []
  const refusal = found?.refusal ?? refusalOf(gang, part, seen)
  return {
    part,
    reservations: found?.reservations ?? [],
    told: found?.told ?? toldOf(gang, seen),
    ...(refusal === undefined ? {} : { refusal }),
    moments: [soon, ends, tries].flat(),
  }
}

/** Only what is so: an empty part for a gang that waits for the first time. */
function partOf(gang: Gang, { state, found, nowMs }: Seen): GangPart {
  const { part, running, target } = gang
  if (state === 'whole') return { formed: target.desired }
  const failed = hasFailed(gang, state, nowMs)
  const failures = (part.failures ?? 0) + (failed ? 1 : 0)
  const heldOffUntilMs = failed ? nowMs + holdOffMs(failures) : part.heldOffUntilMs
  const formingSinceMs = formingSince(gang, { state, found, nowMs })
  return {
    ...(formingSinceMs === undefined ? {} : { formingSinceMs }),
    ...(part.formed === undefined || running.length === 0 ? {} : { formed: part.formed }),
    ...(failures === 0 ? {} : { failures }),
    ...(heldOffUntilMs === undefined || heldOffUntilMs <= nowMs ? {} : { heldOffUntilMs }),
  }
}

function formingSince(gang: Gang, { state, found, nowMs }: Seen): number | undefined {
  const since = isForming(gang) ? gang.part.formingSinceMs : undefined
  // Another number came while it started: what runs has as long as a new start to become whole.
  const isPart = gang.running.length > 0 && gang.part.formed === undefined
  if (isPart && INTERRUPTED.has(state)) return since ?? nowMs
  if (state === 'forming') return found?.yields === true ? undefined : since
  // Once it was whole, a replica that is unready for a while is no new start, and one that took
  // up its room ends the search for it: who is lost next is sought anew.
  if (state === 'starting') return gang.part.formed === undefined ? (since ?? nowMs) : undefined
  return state === 'waiting' && (found?.reservations.length ?? 0) > 0 ? nowMs : undefined
}

const INTERRUPTED: ReadonlySet<GangState> = new Set(['kept-back', 'held-off', 'forming', 'waiting'])

/** Its time was up, and it has been stopped for that, or has given up its room. */
function hasFailed(gang: Gang, state: GangState, nowMs: number): boolean {
  return isOverdue(gang, nowMs) && ENDED.has(state)
}

const ENDED: ReadonlySet<GangState> = new Set(['given-up', 'stopping', 'kept-back'])

/** Doubling from try to try. */
function holdOffMs(failures: number): number {
  return LIMITS.gangHoldOffMs * 2 ** Math.min(failures - 1, LIMITS.gangHoldOffDoublings)
}

const NOTHING: GangFound['told'] = { count: 0, reasons: [] }

function toldOf({ stopping, target, running }: Gang, { state }: Seen): GangFound['told'] {
  if (state !== 'stopping') return NOTHING
  const whose = restartsWhole(target.workload.spec) ? 'the gang starts anew' : 'others start'
  const text = `${String(stopping)} of it stop, and ${whose} when they are gone`
  const count = Math.max(0, target.desired - running.length)
  return count === 0 ? NOTHING : { count, reasons: [{ code: 'GangStopping', text }] }
}

function refusalOf(gang: Gang, part: GangPart, { state }: Seen): Refusal | undefined {
  if ((state !== 'held-off' && state !== 'given-up') || part.heldOffUntilMs === undefined) return
  const { workload, version, start } = gang.target
  const since = 'the gang was not all ready in time and gave up its room'
  const text = `${since}; another version or number is tried at once, the same again`
  const reason: Reason = { code: 'GangHeldOff', text, atMs: part.heldOffUntilMs }
  return { workload: workload.name, version, count: start, reasons: [reason] }
}
