/**
 * Data: no process starts before all of its data is there, what it has stays while it runs, few
 * fetch at once, and once all is calm every replica of a version serves the same.
 *
 * Judged by what machines truly hold. A gang comes whole, so however many of it may fetch.
 */
import type { BoundReplica } from '#shared/model/assignment.ts'
import { dataKey } from '#shared/model/data.ts'
import { isGang } from '#shared/model/gang.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { SeenOf, TrueProcess, Truth } from '../traffic.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { runningNow } from './replicas-now.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'

const RULE = 'data'

export function makeData({ truth, books }: Knowledge): Rule {
  const judgeStart = ({ instanceId, replicaId }: SeenOf<'process'>): Breach | undefined => {
    const process = truth.processes(instanceId).find((own) => own.replicaId === replicaId)
    const { data } = process?.template ?? {}
    if (data === undefined || truth.data(instanceId).has(dataKey(data))) return undefined
    const text = `${replicaId} was started on ${instanceId}, which does not have all of its data`
    return { rule: RULE, text }
  }
  /** Those that wait for their data, on machines that are there. */
  const fetchingOf = (uid: string): number =>
    [...books.bodies.values()].reduce((count, { node, replicas }) => {
      if (books.nodes.get(node)?.lostSinceMs !== undefined) return count
      return count + replicas.filter((own) => own.uid === uid && waits(own)).length
    }, 0)
  const judgeCount = (by: string, { uid, workload: name }: BoundReplica): Breach | undefined => {
    const workload = books.workloads.get(name)
    if (workload?.uid !== uid || isGang(workload)) return undefined
    const count = fetchingOf(uid)
    if (count <= LIMITS.fetchesAtOnce) return undefined
    const most = String(LIMITS.fetchesAtOnce)
    return { rule: RULE, text: `${by}: ${String(count)} of ${name} fetch at once, of ${most}` }
  }
  return {
    see: {
      write: ({ by, changes }) => {
        if (by.role !== 'reconcile') return undefined
        const added = changes.filter(isBody).flatMap((own) => bodyChange(own).added.filter(waits))
        return firstOf(added, (own) => judgeCount(by.label, own))
      },
      process: (seen) => (seen.what === 'started' ? judgeStart(seen) : undefined),
    },
    full: () =>
      firstOf(truth.instances(), ({ instanceId }) =>
        firstOf(truth.processes(instanceId), (own) => judgeLasting(truth, instanceId, own)),
      ),
    unsettled: () => differing(truth),
  }
}

const waits = ({ order, dataKey: key, fetchedAtMs }: BoundReplica): boolean =>
  order === 'run' && key !== undefined && fetchedAtMs === undefined

function judgeLasting(
  truth: Truth,
  instanceId: string,
  { replicaId, template, digest, stopping }: TrueProcess,
): Breach | undefined {
  if (template.data === undefined || stopping) return undefined
  if (truth.data(instanceId).get(dataKey(template.data)) === digest) return undefined
  return { rule: RULE, text: `the data of ${replicaId} went while it ran on ${instanceId}` }
}

/** Versions whose replicas do not all serve the same. */
function differing(truth: Truth): string[] {
  return [...runningNow(truth)].flatMap(([name, all]) => {
    const byVersion = new Map<string, Set<string>>()
    for (const { version, template, digest = 'nothing', stopping } of all) {
      if (template.data === undefined || stopping) continue
      byVersion.set(version, (byVersion.get(version) ?? new Set()).add(digest))
    }
    return [...byVersion].flatMap(([version, digests]) =>
      digests.size < 2
        ? []
        : [`workload ${name}: version ${version} serves ${String(digests.size)} different data`],
    )
  })
}
