/**
 * The plan: what to do now, from what is known now.
 *
 * One synchronous function of the snapshot: no clock, no randomness, no I/O. Each stage reads what
 * the ones before it decided, as a draft of the herd with their actions folded in, and adds its
 * own. The order of the stages is the policy; it stands below, once, and nowhere else.
 */
import type { Action, Plan, Refusal } from './actions.ts'
import { admit } from './admit.ts'
import { assignData, type Digests } from './data.ts'
import { NOUNS, type Noun } from '../model/names.ts'
import type { Node } from '../model/node.ts'
import { openBrakes, UNHEALTHY, type BrakeBook } from './brake.ts'
import { holdDependents, type Dependents } from './dependencies.ts'
import { drain } from './drain.ts'
import { openFacts } from './facts.ts'
import { draftOf, fold, type Draft } from './fold.ts'
import { withFirstFreed } from './status/first-freed.ts'
import { breakGangs } from './gangs/break-gangs.ts'
import type { GangOutcomes } from './gangs/outcome.ts'
import { makeIds } from './ids.ts'
import { settleLaunches } from './launches.ts'
import { nextAtMs } from './status/next-at.ts'
import { observe } from './observe.ts'
import { shortagesFound } from './provision/place-history.ts'
import type { Reclaim } from './preempt.ts'
import { repack, type Repacked } from './repack.ts'
import { settleGroups, type Failed } from './repack/groups.ts'
import { retest, suspectsOf } from './retest.ts'
import { retire } from './retire.ts'
import { setCourses, type Courses } from './rollout.ts'
import { balance, balanceMoments } from './service.ts'
import { rolloutNotices } from './rollout/notices.ts'
import { scaleNotices } from './scaling/notices.ts'
import { scaled } from './scaling/scaled.ts'
import type { Snapshot } from './snapshot.ts'
import { poolStatuses, workloadStatuses } from './status.ts'
import { supply, type Supply } from './supply.ts'
import { sweep } from './sweep.ts'
import { teamStatuses } from './status/team-status.ts'
import { target, type Target } from './target.ts'
import { stopUnwanted } from './unwanted.ts'

/** The plan for the snapshot, and the herd as it will stand once the plan is carried out. */
export function plan(read: Snapshot): { readonly plan: Plan; readonly draft: Draft } {
  const snapshot = scaled(read)
  const { nowMs } = snapshot
  const ids = makeIds(snapshot.pass.epoch)
  const brakes = openBrakes(snapshot)
  const factsOf = openFacts(snapshot)
  const actions: Action[] = []
  let draft = draftOf(snapshot)
  const take = (found: readonly Action[]): void => {
    actions.push(...found)
    draft = fold(draft, found, snapshot)
  }

  take(settleLaunches(snapshot, draft))
  take(observe({ snapshot, brakes }, draft, factsOf))
  take(balance(snapshot, draft))
  brakes.hear(actions)
  const swept = sweep({ snapshot, draft, brakes, ids })
  take(swept.actions)

  const settled = settleGroups(snapshot, draft)
  take(settled.actions)

  const courses = setCourses(snapshot, draft)
  take(stopUnwanted(snapshot, draft, courses))
  const targets = target({ snapshot, draft, courses })
  const dependents = holdDependents({ snapshot, draft, targets })
  const { admitted, refused } = admit({ snapshot, draft, targets: dependents.free })
  take(breakGangs({ snapshot, draft, targets: admitted }))

  const shortages = shortagesFound(snapshot, actions)
  const supplied = supply({ snapshot, draft, targets: admitted, shortages, brakes, ids })
  take(supplied.actions)

  const { used, blocked, coming, reclaim, gangs } = supplied
  const own = { snapshot, draft, brakes, shortages, ids, blocked, failed: settled.failed }
  const repacked = repack({ ...own, kept: keptNodes(supplied) })
  take(repacked.actions)

  const refusals = [...refused, ...supplied.refusals, ...dependents.refused]
  take(drain({ draft, targets: admitted, atLimit: atLimit(admitted, refusals), nowMs }))
  const needed = new Set([...used, ...repacked.reserved])
  take(retire({ facts: factsOf(draft), nowMs, used: needed, blocked }))
  const testable = {
    ...{ facts: factsOf(draft), nowMs, used: new Set([...needed, ...keptNodes(supplied)]) },
    suspects: suspectsOf(draft, snapshot.workloadStatuses),
    condemn: (node: Node) => brakes.condemn(node, UNHEALTHY),
  }
  const retested = retest(testable)
  take(retested.actions)

  const { actions: data, digests } = assignData({ snapshot, draft, courses })
  take(data)

  const failed = [...settled.failed, ...repacked.failed]
  const found = {
    courses,
    digests,
    circles: dependents.circles,
    refusals,
    coming,
    reclaim,
    gangs,
    repacked,
    failed,
    tests: retested.moments,
  }
  const rest = conclude({ snapshot, draft, targets: admitted, brakes, ...found })
  const { suspects } = swept
  return {
    draft,
    plan: { actions, shortages, ...rest, ...(suspects === undefined ? {} : { suspects }) },
  }
}

/** Nodes on which room is kept for somebody from now on. */
function keptNodes({ gangs, reclaim }: Supply): ReadonlySet<string> {
  const kept = [...gangs.values()].flatMap((own) => own.reservations)
  return new Set([...kept, ...[...reclaim.reservations.values()].flat()].map((own) => own.node))
}

type Conclusion = {
  readonly courses: Courses
  readonly digests: Digests
  readonly circles: Dependents['circles']
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly targets: readonly Target[]
  readonly refusals: readonly Refusal[]
  readonly reclaim: Reclaim
  readonly gangs: GangOutcomes
  readonly coming: ReadonlyMap<string, number>
  readonly brakes: BrakeBook
  readonly repacked: Repacked
  /** Moments at which machines that stand idle are to be tested again. */
  readonly tests: readonly number[]
  /** Groups of a repack that came to nothing in this pass. */
  readonly failed: readonly Failed[]
}

/** What people are told, and when to look again. */
function conclude(found: Conclusion): Omit<Plan, 'actions' | 'shortages' | 'suspects'> {
  const { snapshot, draft, refusals, coming, reclaim, gangs, brakes, repacked, failed } = found
  const braked = brakes.applied()
  const targets = new Map(found.targets.map((own) => [own.workload.uid, own]))
  const byName = new Map(found.targets.map((own) => [own.workload.name, own]))
  const { nowMs } = snapshot
  const told = withFirstFreed(refusals, { draft, nowMs, targets: byName })
  const { courses, circles, digests } = found
  const seen = { snapshot, draft, courses, circles, digests, refusals, coming, targets }
  const context = { ...seen, reclaim, gangs, braked, failed }
  const workloads = workloadStatuses({ ...context, refusals: told })
  const pools = poolStatuses(context)
  const teams = teamStatuses({ snapshot, targets: found.targets, draft })
  const isCutOff = refusals.some((own) => own.reasons.some(({ code }) => code === 'Waiting'))
  const ofGangs = [...gangs.values()].flatMap((own) => own.moments)
  const ofTargets = balanceMoments(snapshot, draft)
  const moments = [
    ...brakes.endsMs(),
    ...repacked.moments,
    ...ofGangs,
    ...found.tests,
    ...ofTargets,
  ]
  const statuses = { statuses: workloads, teamStatuses: teams }
  const next = nextAtMs({ snapshot, draft, ...statuses, moments, isCutOff })
  return {
    epoch: snapshot.pass.epoch,
    nowMs: snapshot.nowMs,
    unschedulable: told,
    workloadStatuses: workloads,
    poolStatuses: pools,
    teamStatuses: teams,
    endedStatuses: endedStatuses(snapshot, { workload: workloads, pool: pools, team: teams }),
    brakes: brakes.changed(),
    notices: [
      ...brakes.notices(),
      ...scaleNotices(snapshot),
      ...rolloutNotices(snapshot.workloadStatuses, workloads),
    ],
    repackRefusals: repacked.refusals,
    ...(next === undefined ? {} : { nextAtMs: next }),
  }
}

/** Workloads of which some replica waits for a pool that is at its limit. */
function atLimit(targets: readonly Target[], refusals: readonly Refusal[]): ReadonlySet<string> {
  const names = new Set(
    refusals
      .filter((own) => own.reasons.some((reason) => reason.code === 'PoolLimit'))
      .map((own) => own.workload),
  )
  return new Set(
    targets.filter((own) => names.has(own.workload.name)).map((own) => own.workload.uid),
  )
}

/** What still has a status, by its kind. */
type Current = Readonly<Record<Noun, readonly { readonly name: string }[]>>

function endedStatuses(snapshot: Snapshot, current: Current): Plan['endedStatuses'] {
  const { workloadStatuses: workload, poolStatuses: pool, teamStatuses: team } = snapshot
  const before = { workload, pool, team }
  return NOUNS.flatMap((noun) => {
    const live = new Set(current[noun].map((own) => own.name))
    return before[noun].filter((own) => !live.has(own.name)).map(({ name }) => ({ noun, name }))
  })
}
