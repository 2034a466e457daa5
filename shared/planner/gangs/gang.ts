/**
 * A gang as one pass finds it: who of it runs, who stops, and what is to be done for it.
 *
 * A gang waits with nothing, forms while it holds room for every replica, and is whole once all are
 * ready. Its state is the first rule that matches. What it needs to know from earlier passes are
 * stamps in its status; that it holds room is written there before anything is bound, so a pass
 * that dies halfway leaves a gang that forms, and no broken one.
 */
import { gangDeadlineMs, isGang } from '../../model/gang.ts'
import type { GangPart, WorkloadStatus } from '../../model/status.ts'
import { statusesByUid } from '../facts.ts'
import type { Draft } from '../fold.ts'
import {
  isAlive,
  isReady,
  NO_REPLICAS,
  replicasByUid,
  runningOf,
  type Replica,
} from '../replicas.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Target } from '../target.ts'

export type Gang = {
  readonly target: Target
  readonly status: WorkloadStatus | undefined
  /** As the pass before left it. */
  readonly part: GangPart
  /** Told to run, on nodes that are there: on those that must go, too, until their time is up. */
  readonly running: readonly Replica[]
  /** Told to stop and perhaps not gone yet. */
  readonly stopping: number
}

export type GangContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly targets: readonly Target[]
}

/** The gangs that are to run, whoever forms first, then by priority, then by age. */
export function gangsOf({ snapshot, draft, targets }: GangContext): readonly Gang[] {
  const wanted = targets.filter((own) => own.desired > 0 && isGang(own.workload))
  if (wanted.length === 0) return NO_GANGS
  const replicas = replicasByUid(draft)
  const statuses = statusesByUid(snapshot.workloadStatuses)
  return wanted.map((target) => {
    const { uid } = target.workload
    const mine = replicas.get(uid) ?? NO_REPLICAS
    const status = statuses.get(uid)
    return {
      ...{ target, status, part: partOf(status, target) },
      running: runningOf(mine).all,
      stopping: mine.filter(({ bound, node }) => bound.order === 'stop' && isAlive(node)).length,
    }
  })
}

const NO_GANGS: readonly Gang[] = []

/** Another version or number may be what mends it: nobody waits for what others failed at. */
function partOf(status: WorkloadStatus | undefined, target: Target): GangPart {
  const { gang = {} } = status ?? {}
  if (isOfTarget(status, target)) return gang
  return gang.formed === undefined ? {} : { formed: gang.formed }
}

function isOfTarget(status: WorkloadStatus | undefined, { version, desired }: Target): boolean {
  return versionIn(status) === version && status?.desired === desired
}

/** The version that was to run: another than the spec's where a person went back from that. */
export function versionIn(status: WorkloadStatus | undefined): string | undefined {
  return status?.rollout?.active ?? status?.version
}

export type GangState =
  'stopping' | 'whole' | 'starting' | 'kept-back' | 'given-up' | 'held-off' | 'forming' | 'waiting'

type Rule = { readonly state: GangState; readonly when: (gang: Gang, nowMs: number) => boolean }

const rules: readonly Rule[] = [
  // Two of one rank must never run: nobody starts before the last of the others has gone.
  { state: 'stopping', when: (gang) => gang.stopping > 0 },
  { state: 'whole', when: isWholeNow },
  { state: 'starting', when: isComplete },
  // A quota, or older replicas that a quota keeps, leave nothing to start.
  { state: 'kept-back', when: (gang) => gang.target.start === 0 },
  { state: 'given-up', when: isOverdue },
  { state: 'held-off', when: ({ part }, nowMs) => nowMs < (part.heldOffUntilMs ?? -Infinity) },
  { state: 'forming', when: isForming },
]

export function stateOf(gang: Gang, nowMs: number): GangState {
  return rules.find(({ when }) => when(gang, nowMs))?.state ?? 'waiting'
}

/** All that are wanted run and are ready. */
export function isWholeNow(gang: Gang): boolean {
  return isComplete(gang) && gang.running.every(isReady)
}

/** All that are wanted run, and of the right version. */
function isComplete({ running, target }: Gang): boolean {
  return running.length === target.desired && running.every((own) => isCurrent(own, target))
}

export function isCurrent({ bound }: Replica, { version }: Target): boolean {
  return bound.version === version
}

/** It holds room for what is wanted still: a change of the spec starts it anew. */
export function isForming({ part }: Gang): boolean {
  return part.formingSinceMs !== undefined
}

/** When a gang that forms gives up; Infinity for one that does not. */
export function deadlineMs({ part, target }: Pick<Gang, 'part' | 'target'>): number {
  return (part.formingSinceMs ?? Infinity) + gangDeadlineMs(target.workload.spec)
}

/** It has not become whole in time. */
export function isOverdue(gang: Gang, nowMs: number): boolean {
  return isForming(gang) && nowMs >= deadlineMs(gang)
}
