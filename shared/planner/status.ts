/**
 * Statuses: what the plan leaves each workload and pool with, in numbers, conditions and reasons.
 *
 * A status holds stamps and never an age, and keeps a condition's `sinceMs` while it says the same,
 * so a pass that changes nothing writes nothing.
 */
import { sameJson } from '../base/equal.ts'
import { isFetching } from '../model/assignment.ts'
import type { Condition } from '../model/node.ts'
import type { ScaleTarget } from '../model/scale-target.ts'
import type { PoolItem } from '../model/spec-item.ts'
import {
  reasonText,
  type GangPart,
  type PoolStatus,
  type Reason,
  type Reclaims,
  type ReplicaFailure,
  type WorkloadStatus,
} from '../model/status.ts'
import type { Refusal } from './actions.ts'
import { failuresOf } from './observe/failures.ts'
import { dependenciesOf, type Dependents } from './dependencies.ts'
import { statusesByUid } from './facts.ts'
import type { Draft } from './fold.ts'
import type { Digests } from './data.ts'
import { enoughOf } from './ledger.ts'
import type { GangOutcomes } from './gangs/outcome.ts'
import type { Reclaim } from './preempt.ts'
import { coolDownsOf, forgivenAtMs } from './quota/cool-down.ts'
import { rememberFailures, type Failed } from './repack/groups.ts'
import {
  availableOf,
  desiredOf,
  NO_REPLICAS,
  type Replica,
  replicasByUid,
  runningOf,
  type Running,
} from './replicas.ts'
import { revisionOf } from './revision.ts'
import type { Courses } from './rollout.ts'
import { plainCourse, type Course } from './rollout/course.ts'
import { troubleOf } from './service.ts'
import { progressOf, rolloutStatusOf } from './status/rollout-status.ts'
import type { Snapshot } from './snapshot.ts'
import type { Target } from './target.ts'
import { scaleConditions } from './scaling/conditions.ts'
import { toldBy, withProcess, type Told as ToldBy } from './status/told.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import { runtimesByPool } from './provision/pool-runtimes.ts'

export type StatusContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly refusals: readonly Refusal[]
  /** By workload uid: replicas planned onto nodes that are on their way. */
  readonly coming: ReadonlyMap<string, number>
  readonly courses: Courses
  readonly circles: Dependents['circles']
  readonly digests: Digests
  /** By workload uid, as quotas left them. */
  readonly targets: ReadonlyMap<string, Target>
  readonly reclaim: Reclaim
  readonly gangs: GangOutcomes
  /** By pool: why brakes hold somebody back. */
  readonly braked: ReadonlyMap<string, readonly Reason[]>
  /** Groups of a repack that came to nothing in this pass. */
  readonly failed: readonly Failed[]
}

export function workloadStatuses(context: StatusContext): readonly WorkloadStatus[] {
  const { snapshot, draft } = context
  const replicas = replicasByUid(draft)
  const before = statusesByUid(snapshot.workloadStatuses)
  const told = toldBy(snapshot.reports)
  const targets = new Map(snapshot.targets.map((own) => [own.uid, own]))
  return snapshot.workloads.flatMap((workload) => {
    const mine = replicas.get(workload.uid) ?? NO_REPLICAS
    if (workload.deletedAtMs !== undefined && mine.length === 0) return []
    const { uid } = workload
    const seen = { old: before.get(uid), scaling: targets.get(uid) }
    return workloadStatus(workload, { context, mine, told, ...seen })
  })
}

type Mine = {
  readonly context: StatusContext
  readonly mine: readonly Replica[]
  readonly told: ToldBy
  /** What people were told last. */
  readonly old: WorkloadStatus | undefined
  readonly scaling: ScaleTarget | undefined
}

function workloadStatus(workload: WorkloadItem, own: Mine): WorkloadStatus {
  const { context, mine, told, old, scaling } = own
  const running = runningOf(mine)
  const { version } = context.targets.get(workload.uid) ?? revisionOf(workload.spec)
  const course = context.courses.get(workload.uid) ?? plainCourse(workload)
  const facts: Facts = {
    workload,
    course,
    group: mine,
    running,
    available: availableOf(running, workload.spec, context.snapshot.nowMs),
    withProcess: withProcess(running, told),
    waiting: waitingOf(workload, version, { context, old }),
    quota: quotaOf(workload, running, { context, old }),
    gang: context.gangs.get(workload.uid)?.part,
    failures: failuresOf(mine, old?.failures, context.snapshot.nowMs),
    circle: circleText(context.circles.get(workload.name)),
    data: context.digests.get(workload.uid) ?? [],
    trouble: troubleOf(course.active.template.service, mine, context.snapshot),
    scaling,
  }
  if (old === undefined) return statusOf(facts, old, context.snapshot.nowMs)
  if (isSettled(old, facts)) return old
  const found = statusOf(facts, old, context.snapshot.nowMs)
  if (!sameJson(found, old)) return found
  if (Object.isFrozen(old)) settled.set(old, facts)
  return old
}

/** All that a workload's status follows from, but for what people were told last and when. */
type Facts = {
  readonly workload: WorkloadItem
  readonly course: Course
  readonly group: readonly Replica[]
  readonly running: Running
  readonly available: number
  /** Replicas that their agents say have a process. */
  readonly withProcess: number
  readonly waiting: readonly Waiting[]
  /** Undefined while no quota stands in its way or did so lately. */
  readonly quota: QuotaFacts | undefined
  /** Of a gang that is to run. */
  readonly gang: GangPart | undefined
  readonly failures: readonly ReplicaFailure[]
  /** Who depends on each other in a circle that it is part of, in words. */
  readonly circle: string | undefined
  /** What its data holds, where that is known. */
  readonly data: NonNullable<WorkloadStatus['data']>
  /** Why a load balancer of it could not be asked. */
  readonly trouble: Reason | undefined
  /** What autoscaling has said last. */
  readonly scaling: ScaleTarget | undefined
}

type QuotaFacts = Pick<
  WorkloadStatus,
  'allowed' | 'held' | 'smaller' | 'borrowed' | 'reservations' | 'reclaims'
>

/**
 * Statuses that say what is so, and the facts by which they do. Stamps that stand are kept, so what
 * was found to be so once is so whenever the facts are the same.
 */
const settled = new WeakMap<WorkloadStatus, Facts>()

function isSettled(old: WorkloadStatus, now: Facts): boolean {
  const known = settled.get(old)
  // What a roll-out waits for comes with time alone.
  if (old.rollout?.completedAtMs === undefined || old.rollout.stable !== old.rollout.active) {
    return false
  }
  if (known === undefined || now.waiting.length + known.waiting.length > 0) return false
  return (
    known.workload === now.workload &&
    known.course === now.course &&
    known.running === now.running &&
    known.available === now.available &&
    known.circle === now.circle &&
    known.trouble?.text === now.trouble?.text &&
    sameJson(known.failures, now.failures) &&
    sameJson(known.quota, now.quota) &&
    sameJson(known.gang, now.gang) &&
    sameJson(known.data, now.data) &&
    known.scaling === now.scaling &&
    known.withProcess === now.withProcess
  )
}

function statusOf(facts: Facts, old: WorkloadStatus | undefined, nowMs: number): WorkloadStatus {
  const { workload, running, available, waiting } = facts
  const { version } = revisionOf(workload.spec)
  const desired = desiredOf(workload)
  const allowed = facts.quota?.allowed ?? desired
  const floor = enoughOf(workload, allowed)
  const belowMinSinceMs = available < floor ? (old?.belowMinSinceMs ?? nowMs) : undefined
  const fetching = running.all.filter(({ bound }) => isFetching(bound)).length
  const updated = running.all.filter((own) => own.bound.version === version)
  const { circle, trouble } = facts
  const counts = { desired, available, floor, waiting, circle, trouble }
  const rollout = rolloutStatusOf(facts.course, {
    ...{ group: facts.group, running, desired, allowed, waiting, old, nowMs },
  })
  return {
    kind: 'status',
    noun: 'workload',
    name: workload.name,
    uid: workload.uid,
    observedGeneration: workload.generation,
    ...(workload.spec.team === undefined ? {} : { team: workload.spec.team }),
    version,
    desired,
    assigned: running.all.length,
    running: facts.withProcess,
    ready: running.ready,
    updated: updated.length,
    waiting: [...waiting],
    conditions: [
      ...conditionsOf(
        counts,
        progressOf(facts.course, rollout, { desired, allowed, fetching, nowMs }),
      ),
      ...(workload.spec.scale === undefined ? [] : scaleConditions(facts.scaling)),
    ].map((own) => withSince(own, old?.conditions ?? [], nowMs)),
    rollout,
    ...(belowMinSinceMs === undefined ? {} : { belowMinSinceMs }),
    ...firstStartOf(facts, old, nowMs),
    spotFailures: waiting.length === 0 ? 0 : (old?.spotFailures ?? 0),
    ...facts.quota,
    ...(facts.gang === undefined || Object.keys(facts.gang).length === 0
      ? {}
      : { gang: facts.gang }),
    ...(facts.data.length === 0 ? {} : { data: [...facts.data] }),
    ...(facts.failures.length === 0 ? {} : { failures: [...facts.failures] }),
  }
}

/** What has run once waits for nobody any more. */
function firstStartOf(
  { workload, running }: Facts,
  old: WorkloadStatus | undefined,
  nowMs: number,
): Pick<WorkloadStatus, 'firstStartedAtMs'> {
  if (old?.firstStartedAtMs !== undefined) return { firstStartedAtMs: old.firstStartedAtMs }
  const isFirst = dependenciesOf(workload).length > 0 && running.all.length > 0
  return isFirst ? { firstStartedAtMs: nowMs } : {}
}

function circleText(circle: readonly string[] | undefined): string | undefined {
  if (circle === undefined) return undefined
  const names = circle.join(', ')
  return circle.length === 1
    ? `${names} depends on itself, and does not wait for it`
    : `${names} depend on each other; none of them waits for another`
}

type Known = { readonly context: StatusContext; readonly old: WorkloadStatus | undefined }

function quotaOf(
  workload: WorkloadItem,
  running: Running,
  { context, old }: Known,
): QuotaFacts | undefined {
  const { uid } = workload
  const { allowed, held = 0, smaller = 0, reclaimable = 0 } = context.targets.get(uid) ?? {}
  const ofGang = context.gangs.get(uid)?.reservations
  const reservations = ofGang ?? context.reclaim.reservations.get(uid)
  const reclaims = reclaimsOf(workload, { context, old })
  const borrowed = Math.max(0, reclaimable)
  const facts: QuotaFacts = {
    ...(allowed === undefined || allowed === desiredOf(workload) ? {} : { allowed }),
    ...(workload.spec.preemptible || held <= running.all.length ? {} : { held }),
    ...(workload.spec.preemptible || smaller === 0 ? {} : { smaller }),
    ...(reservations === undefined || reservations.length === 0
      ? {}
      : { reservations: [...reservations] }),
    ...(borrowed === 0 ? {} : { borrowed }),
    ...(reclaims.length === 0 ? {} : { reclaims: [...reclaims] }),
  }
  return Object.keys(facts).length === 0 ? undefined : facts
}

/** What of giving way is remembered. */
function reclaimsOf({ uid, spec }: WorkloadItem, { context, old }: Known): readonly Reclaims[] {
  const { snapshot, reclaim } = context
  const now = [...(reclaim.borrowers.get(uid) ?? [])].map((dimension) =>
    coolDownsOf(snapshot).afterReclaim(spec.team, dimension),
  )
  const before = (old?.reclaims ?? []).filter(
    (own) =>
      snapshot.nowMs < forgivenAtMs(own) && now.every((one) => one.dimension !== own.dimension),
  )
  return [...before, ...now]
}

type Waiting = WorkloadStatus['waiting'][number]

function waitingOf(workload: WorkloadItem, version: string, { context, old }: Known): Waiting[] {
  const refused = context.refusals.filter((own) => own.workload === workload.name)
  const refusedCount = refused.reduce((sum, own) => sum + own.count, 0)
  const gang = context.gangs.get(workload.uid)
  const comingCount = gang === undefined ? (context.coming.get(workload.uid) ?? 0) : 0
  const cleared = context.reclaim.reservations.get(workload.uid) ?? []
  const reserved = gang === undefined ? cleared : []
  const reservedCount = reserved.reduce((sum, own) => sum + own.count, 0)
  const told = gang?.told ?? { count: 0, reasons: [] }
  const count = refusedCount + comingCount + reservedCount + told.count
  if (count === 0) return []
  const known = old?.waiting.find((own) => own.version === version)
  const { nowMs } = context.snapshot
  const coming: Reason[] = []
  if (comingCount > 0) {
    coming.push({ code: 'NodeComing', text: `${String(comingCount)} wait for a node on its way` })
  }
  if (reservedCount > 0) {
    const text = `${String(reservedCount)} wait until others have made room`
    coming.push({ code: 'RoomComing', text })
  }
  return [
    {
      version,
      count,
      sinceMs: known?.sinceMs ?? nowMs,
      ...(refusedCount === 0 ? {} : { unschedulableSinceMs: known?.unschedulableSinceMs ?? nowMs }),
      ...(refused.some((own) => own.isEntitled === true)
        ? { entitledSinceMs: known?.entitledSinceMs ?? nowMs }
        : {}),
      reasons: [...refused.flatMap((own) => own.reasons), ...coming, ...told.reasons],
    },
  ]
}

type Counts = {
  readonly desired: number
  readonly available: number
  readonly floor: number
  readonly waiting: readonly Waiting[]
  readonly circle: string | undefined
  readonly trouble: Reason | undefined
}

type Told = Omit<Condition, 'sinceMs'>

function conditionsOf(counts: Counts, progress: Omit<Told, 'type'>): readonly Told[] {
  const { desired, available, floor, waiting, circle, trouble } = counts
  const refused = waiting.find((own) => own.unschedulableSinceMs !== undefined)
  return [
    {
      type: 'Available',
      status: available >= floor,
      reason: available >= floor ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
      text: `${String(available)} of ${String(desired)} are available; ${String(floor)} are needed`,
    },
    { type: 'Progressing', ...progress },
    ...(refused === undefined
      ? []
      : [
          {
            type: 'Unschedulable',
            status: true,
            reason: refused.reasons[0]?.code ?? 'Unschedulable',
            text: refused.reasons.map(reasonText).join('; '),
          },
        ]),
    ...(circle === undefined
      ? []
      : [{ type: 'DependencyCycle', status: true, reason: 'DependencyCycle', text: circle }]),
    ...(trouble === undefined
      ? []
      : [{ type: 'LoadBalanced', status: false, reason: trouble.code, text: trouble.text }]),
  ]
}

function withSince(
  own: Omit<Condition, 'sinceMs'>,
  old: readonly Condition[],
  nowMs: number,
): Condition {
  const known = old.find((before) => before.type === own.type)
  const same = known?.status === own.status && known.reason === own.reason
  return { ...own, sinceMs: same ? known.sinceMs : nowMs }
}

export function poolStatuses(context: StatusContext): readonly PoolStatus[] {
  const { snapshot, draft } = context
  const known = runtimesByPool({ ...snapshot, nodes: draft.nodes.values() })
  return snapshot.pools.flatMap((pool) => {
    const nodes = [...draft.nodes.values()].filter((node) => node.pool === pool.name).length
    if (pool.deletedAtMs !== undefined && nodes === 0) return []
    return poolStatus(pool, { nodes, runtimes: known.get(pool.name) }, context)
  })
}

type PoolSeen = { readonly nodes: number; readonly runtimes: PoolStatus['runtimes'] }

function poolStatus(
  pool: PoolItem,
  { nodes, runtimes }: PoolSeen,
  context: StatusContext,
): PoolStatus {
  const { snapshot, braked, failed } = context
  const old = snapshot.poolStatuses.find((own) => own.uid === pool.uid)
  const why = braked.get(pool.name) ?? []
  const text = why.map(reasonText).join('; ')
  const found = why
    .slice(0, 1)
    .map(({ code }) => ({ type: 'BrakeApplied', status: true, reason: code, text }))
  const mine = failed.filter((own) => own.pool === pool.name)
  const failures = rememberFailures(old, mine, snapshot.nowMs)
  return {
    kind: 'status',
    noun: 'pool',
    name: pool.name,
    uid: pool.uid,
    observedGeneration: pool.generation,
    nodes,
    conditions: found.map((own) => withSince(own, old?.conditions ?? [], snapshot.nowMs)),
    ...(runtimes === undefined ? {} : { runtimes }),
    ...(failures.length === 0 ? {} : { repackFailures: [...failures] }),
  }
}
