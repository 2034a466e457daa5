/**
 * What each workload asks its team's quota for: what it has, as it was bound, and what it wants.
 *
 * A replica counts as it was bound, whatever its spec says by now, and a loan stays a loan when its
 * spec calls itself firm or moves to another team. So nobody comes by more than a quota by an edit.
 */
import { groupBy, inOrder, byKey } from '../../base/order.ts'
import { isGang } from '../../model/gang.ts'
import type { WorkloadItem } from '../../model/spec-item.ts'
import type { WorkloadStatus } from '../../model/status.ts'
import { statusesByUid } from '../facts.ts'
import type { Draft } from '../fold.ts'
import { versionIn } from '../gangs/gang.ts'
import { coolDownsOf } from '../quota/cool-down.ts'
import { amountOf, countOfHoldings, DIMENSIONS, type Ask, type Holding } from '../quota/policy.ts'
import {
  needOfBound,
  NO_REPLICAS,
  replicasByUid,
  runningOf,
  type Replica,
  type Running,
} from '../replicas.ts'
import { weightOf } from '../revision.ts'
import { missingOf } from '../rollout/steps.ts'
import type { Snapshot } from '../snapshot.ts'
import { countsOf, stoppingIn, type Target } from '../target.ts'
import type { Hope } from './hopeless.ts'

export type Applicant = {
  /** As it would be without quotas. */
  readonly target: Target
  readonly running: Running
  /** Told to stop, on nodes that stay. */
  readonly stopping: number
  readonly ask: Ask
  /** The same of what it has on nodes that stay, and no more: what is to come makes no loan. */
  readonly runs: Ask
  /** Replicas that it had and that nobody may ask back; a gang that only forms had none. */
  readonly held: number
  /** Replicas of the newest version, and older ones that need no less, among `ask.has`. */
  readonly newest: number
  /** What is to come back at the proven version; undefined where that one is not asked for. */
  readonly missing: number | undefined
  /** No machine that exists or could be bought would hold one of its replicas. */
  readonly isHopeless: boolean
  /** When its team may borrow again what it asks for; undefined where it may. */
  readonly borrowsAgainAtMs: number | undefined
}

export type ApplicantContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly targets: readonly Target[]
}

type Asking = ApplicantContext & { readonly hope: Hope }

export function applicantsOf(context: Asking): readonly Applicant[] {
  const { snapshot, draft, targets, hope } = context
  const replicas = replicasByUid(draft)
  const statuses = statusesByUid(snapshot.workloadStatuses)
  const coolDowns = coolDownsOf(snapshot)
  return targets.map((target) => {
    const { uid, spec, createdAtMs } = target.workload
    const group = replicas.get(uid) ?? NO_REPLICAS
    const running = runningOf(group)
    const status = statuses.get(uid)
    const most = mostHeld(target, status)
    const bound = holdingsOf(running.all, { target, draft, most })
    const holdings = [...bound, ...holdingOfTaken(bound, { target, most })]
    const lost = holdingOfLost(holdings, { target, status, most })
    const rest = holdingOfTry(holdings, { target, status }) ?? lost
    const has = bySize([...holdings, ...rest])
    const need = amountOf(weightOf(target.template).need)
    const borrowsAgainAtMs = coolDowns.endsAtMs(spec.team, need)
    const isHopelessNow = target.start > 0 && hope.isHopeless(target)
    const missing = missingAtProven(target, { running, group, nowMs: snapshot.nowMs })
    const wanted = missing === undefined ? target.desired : countOfHoldings(has) + missing
    const firm = firmOf(target.workload, countOfHoldings(holdings), status)
    const ask: Ask = {
      ...{ uid, team: spec.team, priority: spec.priority, preemptible: spec.preemptible },
      ...{ need, has, sinceMs: createdAtMs },
      isCoolingDown: borrowsAgainAtMs !== undefined,
      ...(isGang(target.workload) ? { asOne: true } : {}),
      firm: firm + (spec.preemptible ? 0 : countOfHoldings(rest)),
      wanted: isHopelessNow ? countOfHoldings(has) : wanted,
    }
    const stays = bySize(holdingsOf(running.staying, { target, draft, most }))
    return {
      ...{ target, running, missing, stopping: stoppingIn(group) },
      ...{ ask, borrowsAgainAtMs, isHopeless: isHopelessNow },
      runs: { ...ask, has: stays, wanted: countOfHoldings(stays) },
      held: firm + countOfHoldings(lost),
      newest: countOfHoldings(has.filter((own) => !isSmaller(own, ask))),
    }
  })
}

type Found = Pick<Applicant, 'running'> & {
  readonly group: readonly Replica[]
  readonly nowMs: number
}

/** What is on trial makes up for none of them, so it is asked for beside all that there is. */
function missingAtProven(target: Target, { running, group, nowMs }: Found): number | undefined {
  const { course, version, desired } = target
  if (course.failed !== undefined || version !== course.stable?.version) return undefined
  const counted = { course, running, stopping: stoppingIn(group), nowMs }
  return Math.max(0, missingOf(course, countsOf(counted, running.staying, desired)))
}

/** True when one of the holding asks for less, of anything, than its spec asks for by now. */
function isSmaller({ need }: Holding, ask: Pick<Ask, 'need'>): boolean {
  return DIMENSIONS.some((own) => need[own] < ask.need[own])
}

/**
 * The most that counts: a surge of a roll-out is lent for a while, and makes nobody keep more than
 * was allowed before.
 */
function mostHeld({ desired }: Target, status: WorkloadStatus | undefined): number {
  return Math.min(desired, status?.allowed ?? status?.desired ?? desired)
}

type Held = {
  readonly target: Target
  readonly draft: Draft
  readonly most: number
}

/** Those of the newest version first, because they take the place of the others. */
function holdingsOf(
  replicas: readonly Replica[],
  { target, draft, most }: Held,
): readonly Holding[] {
  const byVersion = groupBy(replicas, (own) => own.bound.version)
  const older = [...byVersion.keys()].filter((own) => own !== target.version)
  let left = most
  return [target.version, ...older].flatMap((version): Holding[] => {
    const [first, ...rest] = byVersion.get(version) ?? []
    if (first === undefined || left <= 0) return []
    const count = Math.min(left, rest.length + 1)
    left -= count
    return [{ need: amountOf(needOfBound(first, draft)), count }]
  })
}

const bySize = (holdings: readonly Holding[]): readonly Holding[] =>
  holdings.toSorted(
    inOrder(
      byKey((own) => own.need.gpuMilli),
      byKey((own) => own.need.cpuMilli + own.need.memoryMib / 4),
    ),
  )

/**
 * What a roll-out has taken away keeps its place until the next version is started there: that one
 * is asked for as what grows, or each pass would be allowed one less than the pass before.
 */
function holdingOfTaken(
  holdings: readonly Holding[],
  { target: { course }, most }: Pick<Held, 'target' | 'most'>,
): readonly Holding[] {
  const { stable, taken } = course
  const count = Math.min(taken, most - countOfHoldings(holdings))
  return stable === undefined || count <= 0 ? [] : [{ need: amountOf(stable.need), count }]
}

type Known = Pick<Held, 'target' | 'most'> & { readonly status: WorkloadStatus | undefined }

/** What a gang that forms holds beside what is bound; undefined where none does. */
function holdingOfTry(
  holdings: readonly Holding[],
  { target, status }: Omit<Known, 'most'>,
): readonly Holding[] | undefined {
  const { workload, version, template, desired } = target
  const isForming = status?.gang?.formingSinceMs !== undefined && versionIn(status) === version
  if (!isForming || status.team !== workload.spec.team) return undefined
  const count = Math.min(desired, status.desired) - countOfHoldings(holdings)
  return count <= 0 ? [] : [{ need: amountOf(weightOf(template).need), count }]
}

/**
 * Who may not be stopped for others has again what a machine took with it, whatever its quota is by
 * then; but not in a size that its quota does not cover.
 */
function holdingOfLost(
  holdings: readonly Holding[],
  { target, most, status }: Known,
): readonly Holding[] {
  const { spec } = target.workload
  const { version, template } = target
  const { need } = weightOf(template)
  if (spec.preemptible || status === undefined || status.team !== spec.team) return []
  if (holdings.some((own) => isSmaller(own, { need: amountOf(need) }))) return []
  // Nothing is left that tells how large it was before its version changed.
  const known = [status.version, status.rollout?.active]
  if (holdings.length === 0 && !known.includes(version)) return []
  const has = Math.max(status.held ?? 0, status.assigned - (status.borrowed ?? 0))
  const had = has - (status.smaller ?? 0)
  const count = Math.min(most, had) - countOfHoldings(holdings)
  return count <= 0 ? [] : [{ need: amountOf(need), count }]
}

/** How many of so many that it has may not be asked back. */
function firmOf({ spec }: WorkloadItem, count: number, status: WorkloadStatus | undefined): number {
  if (spec.preemptible) return 0
  if (status === undefined) return count
  if (status.team !== spec.team) return 0
  return Math.max(0, count - (status.borrowed ?? 0))
}
