/**
 * Data: what the nodes' copies of it must hold, and what they keep for a way back.
 *
 * What a version holds is fixed by the first node that has it whole, and told to every other one:
 * whoever gets something else there has changed data, and a replica of it does not start. Beside
 * what its replicas serve a node keeps the version that is proven, for as long as it is the one
 * that lost replicas, or all of them, may have to go back to.
 */
import { sameJson } from '../base/equal.ts'
import { byKey, groupBy } from '../base/order.ts'
import { remembered } from '../base/remembered.ts'
import type { AssignedData, Assignment } from '../model/assignment.ts'
import { dataKey, type Data } from '../model/data.ts'
import type { WorkloadStatus } from '../model/status.ts'
import type { Template } from '../model/version.ts'
import type { Action } from './actions.ts'
import { reportsByArn, statusesByUid } from './facts.ts'
import type { Draft } from './fold.ts'
import { NO_REPLICAS, replicasByUid } from './replicas.ts'
import type { Courses } from './rollout.ts'
import { readRevision } from './rollout/course.ts'
import type { Snapshot } from './snapshot.ts'

/** By workload uid: the data of its versions whose content is known. */
export type Digests = ReadonlyMap<string, NonNullable<WorkloadStatus['data']>>

export type DataPlan = { readonly actions: readonly Action[]; readonly digests: Digests }

type Context = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly courses: Courses
}

export function assignData(context: Context): DataPlan {
  const { snapshot, draft } = context
  if (!isAsked(snapshot)) return NOTHING
  const digests = digestsOf(context)
  const known = new Map([...digests.values()].flat().map((own) => [own.key, own.digest]))
  const kept = keptBy(context)
  const actions = [...draft.assignments.values()].flatMap((own): readonly Action[] => {
    const data = dataOn(own, known, kept)
    if (sameJson(data, own.data ?? [])) return []
    const reason = { code: 'DataAssigned', text: 'what its data must hold, and what it keeps' }
    return [{ kind: 'data', node: own.node, data, reason }]
  })
  return { actions, digests }
}

const NOTHING: DataPlan = { actions: [], digests: new Map() }

/** Some workload has data, or had some that its replicas may still serve. */
const isAsked = ({ workloads, workloadStatuses }: Snapshot): boolean =>
  workloads.some(({ spec }) => spec.data !== undefined) ||
  workloadStatuses.some(({ data }) => data !== undefined)

/** What was fixed stands for as long as a version or a replica of its workload names it. */
function digestsOf({ snapshot, draft, courses }: Context): Digests {
  const replicas = replicasByUid(draft)
  const reports = reportsByArn(snapshot.reports)
  const before = statusesByUid(snapshot.workloadStatuses)
  const revisions = groupBy(snapshot.revisions, (own) => own.uid)
  const digests = new Map<string, NonNullable<WorkloadStatus['data']>>()
  for (const [uid, { workload }] of courses) {
    const kept = (revisions.get(uid) ?? []).flatMap((own) => readRevision(own).read?.template ?? [])
    const bound = (replicas.get(uid) ?? NO_REPLICAS).filter(
      (own) => own.bound.dataKey !== undefined,
    )
    const named = new Set([
      ...[workload.spec, ...kept].flatMap(keyOf),
      ...bound.map((own) => own.bound.dataKey),
    ])
    if (named.size === 0) continue
    const fixed = new Map((before.get(uid)?.data ?? []).map((own) => [own.key, own.digest]))
    // Of several that are first in the same pass, the one whose node comes first in the herd.
    for (const {
      bound: { dataKey: key = '' },
      node,
    } of bound) {
      const told = reports.get(node.machine?.arn ?? '')?.data?.find((own) => own.key === key)
      if (fixed.has(key) || told?.state !== 'whole' || told.digest === undefined) continue
      fixed.set(key, told.digest)
    }
    const list = [...fixed].filter(([key]) => named.has(key)).sort(byKey(([key]) => key))
    if (list.length > 0)
      digests.set(
        uid,
        list.map(([key, digest]) => ({ key, digest })),
      )
  }
  return digests
}

/** By workload uid: what a node with replicas of it keeps beside what those serve. */
function keptBy({ courses }: Context): ReadonlyMap<string, readonly string[]> {
  return new Map(
    [...courses].map(([uid, { active, stable }]) => [
      uid,
      [active.template, ...(stable === undefined ? [] : [stable.template])].flatMap(keyOf),
    ]),
  )
}

const keyOf = ({ data }: Pick<Template, 'data'>): readonly string[] =>
  data === undefined ? [] : keyOfData(data)

/** A hash, asked for in every pass. */
const keyOfData = remembered((data: Data): readonly string[] => [dataKey(data)])

function dataOn(
  { replicas }: Assignment,
  known: ReadonlyMap<string, string>,
  kept: ReadonlyMap<string, readonly string[]>,
): readonly AssignedData[] {
  const served = replicas.flatMap((own) => own.dataKey ?? [])
  const others = [...new Set(replicas.map((own) => own.uid))].flatMap((uid) => kept.get(uid) ?? [])
  return [...new Set([...served, ...others])].sort().map((key) => {
    const digest = known.get(key)
    return digest === undefined ? { key } : { key, digest }
  })
}
