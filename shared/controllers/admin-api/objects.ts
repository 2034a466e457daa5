/**
 * From stored specs to the objects clients read, with the status of each.
 *
 * A deleted workload is *deleting* while an assignment still holds a replica of its uid, a deleted
 * pool while a node item still names it, a deleted team not at all. The table has no counter for
 * that, so it is found by reading the herd, and only where a deleted spec (kept for seven days)
 * stands in the answer.
 */
import { must } from '#shared/base/assert.ts'
import { NOTHING, addResources } from '#shared/model/quantities.ts'
import type { PoolItem, SpecItem, TeamItem, WorkloadItem } from '#shared/model/spec-item.ts'
import type {
  Amounts,
  PoolStatus,
  RolloutStatus,
  TeamStatus,
  WorkloadStatus,
} from '#shared/model/status.ts'
import type { ScaleTarget } from '#shared/model/scale-target.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import type {
  PoolObject,
  Quantities,
  SpecObject,
  TeamObject,
  WorkloadObject,
} from '#shared/protocol/api.ts'
import { countOfWorkload } from '#shared/planner/scaling/scaled.ts'
import { scaleAnswer } from './scale-answers.ts'
import { conditionAnswer, isoOf, quantitiesOf, requestedOn, type NodeView } from './answers.ts'
import {
  readHerd,
  readPoolStatuses,
  readTargets,
  readTeamStatuses,
  readWorkloadStatuses,
  type Reader,
} from './herd.ts'

/** The objects of those items that still exist, in the same order. */
export async function objectsOf(reader: Reader, items: readonly SpecItem[]): Promise<SpecObject[]> {
  const described = await describe(reader, items)
  return described.filter(({ gone }) => !gone).map(({ object }) => object)
}

/** The object of one item, also just after DELETE, when nothing of it may be left. */
export async function objectOf(reader: Reader, item: SpecItem): Promise<SpecObject> {
  const [described] = await describe(reader, [item])
  return must(described, 'the object of an item').object
}

async function describe(
  reader: Reader,
  items: readonly SpecItem[],
): Promise<{ object: SpecObject; gone: boolean }[]> {
  const workloads = items.filter((item) => item.noun === 'workload')
  const pools = items.filter((item) => item.noun === 'pool')
  const teams = items.filter((item) => item.noun === 'team')
  const needsHerd = pools.length > 0 || workloads.some(isDeleted)
  const [herd, statuses, targets, poolStatuses, teamStatuses] = await Promise.all([
    needsHerd ? readHerd(reader) : [],
    readWorkloadStatuses(reader, workloads),
    readTargets(reader, workloads),
    readPoolStatuses(reader, pools),
    readTeamStatuses(reader, teams),
  ])
  const objectFor = (item: SpecItem): SpecObject => {
    if (item.noun === 'workload') {
      const seen = { status: statuses.get(item.name), target: targets.get(item.uid) }
      return workloadObject(item, seen)
    }
    if (item.noun === 'pool') return poolObject(item, { status: poolStatuses.get(item.name), herd })
    return teamObject(item, teamStatuses.get(item.name))
  }
  return items.map((item) => ({ object: objectFor(item), gone: isGone(item, herd) }))
}

export const isDeleted = (item: SpecItem): boolean => item.deletedAtMs !== undefined

function isGone(item: SpecItem, herd: readonly NodeView[]): boolean {
  if (!isDeleted(item)) return false
  if (item.noun === 'pool') return !herd.some(({ node }) => node.pool === item.name)
  if (item.noun === 'team') return true
  return !herd.some(({ assignment }) =>
    assignment?.replicas.some((replica) => replica.uid === item.uid),
  )
}

const deletingOf = (item: SpecItem): { deleting?: true } =>
  isDeleted(item) ? { deleting: true } : {}

type Seen = {
  readonly status: WorkloadStatus | undefined
  readonly target: ScaleTarget | undefined
}

function workloadObject(item: WorkloadItem, { status: seen, target }: Seen): WorkloadObject {
  const version = versionOf(templateOf(item.spec))
  const desired = isDeleted(item) ? 0 : countOfWorkload(item, { target, status: seen })
  const fresh = seen?.observedGeneration === item.generation
  const conditions = (seen?.conditions ?? []).map(conditionAnswer)
  const others = conditions.filter((condition) => condition.type !== 'Progressing')
  return {
    kind: 'Workload',
    name: item.name,
    generation: item.generation,
    spec: item.spec,
    status: {
      observedGeneration: seen?.observedGeneration ?? 0,
      desired,
      ...(seen?.allowed === undefined ? {} : { allowed: seen.allowed }),
      assigned: seen?.assigned ?? 0,
      running: seen?.running ?? 0,
      ready: seen?.ready ?? 0,
      updated: seen?.version === version ? seen.updated : 0,
      version,
      ...(seen?.rollout === undefined ? {} : { rollout: rolloutAnswer(seen.rollout) }),
      ...scaleOf(item, { target, desired }),
      conditions: fresh ? conditions : [notYetSeen(item), ...others],
      ...deletingOf(item),
    },
  }
}

function scaleOf(
  { spec: { scale } }: WorkloadItem,
  { target, desired }: { target: ScaleTarget | undefined; desired: number },
): Pick<WorkloadObject['status'], 'scale'> {
  return scale === undefined ? {} : { scale: scaleAnswer(scale, { target, desired }) }
}

function rolloutAnswer(seen: RolloutStatus): NonNullable<WorkloadObject['status']['rollout']> {
  const { active, stable, pending, undone, failed, pausedSinceMs } = seen
  const { startedAtMs, lastProgressAtMs, ready, old } = seen
  return {
    active,
    ...(stable === undefined ? {} : { stable }),
    ...(pending === undefined ? {} : { pending }),
    ...(undone === undefined ? {} : { undone }),
    ...(pausedSinceMs === undefined ? {} : { paused: true }),
    ...(failed === undefined
      ? {}
      : { failed: { code: failed.code, text: failed.text, at: isoOf(failed.atMs) } }),
    started: isoOf(startedAtMs),
    lastProgress: isoOf(lastProgressAtMs),
    ...{ ready, old },
  }
}

/** Numbers of an older generation must not pass for an answer to this one. */
function notYetSeen(item: SpecItem): WorkloadObject['status']['conditions'][number] {
  return {
    type: 'Progressing',
    status: true,
    reason: 'NotYetSeen',
    text: `no pass has seen generation ${String(item.generation)} yet`,
    since: isoOf(item.updatedAtMs),
  }
}

function poolObject(
  item: PoolItem,
  { status, herd }: { status: PoolStatus | undefined; herd: readonly NodeView[] },
): PoolObject {
  const own = herd.filter(({ node }) => node.pool === item.name)
  const requested = own.reduce((sum, view) => addResources(sum, requestedOn(view)), NOTHING)
  return {
    kind: 'Pool',
    name: item.name,
    generation: item.generation,
    spec: item.spec,
    status: {
      nodes: own.length,
      requested: quantitiesOf(requested),
      conditions: (status?.conditions ?? []).map(conditionAnswer),
      ...deletingOf(item),
    },
  }
}

function teamObject(item: TeamItem, status: TeamStatus | undefined): TeamObject {
  const textOf = (amounts: Amounts | undefined): Quantities =>
    quantitiesOf({ ...NOTHING, ...amounts })
  return {
    kind: 'Team',
    name: item.name,
    generation: item.generation,
    spec: item.spec,
    status: {
      used: textOf(status?.used),
      borrowed: textOf(status?.borrowed),
      short: textOf(status?.short),
      conditions: [],
      ...deletingOf(item),
    },
  }
}
