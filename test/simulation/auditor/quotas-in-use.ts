/** Quotas beside what is bound, which may be larger or smaller than its spec says by now. */
import { groupBy } from '#shared/base/order.ts'
import { templateKey, type Assignment } from '#shared/model/assignment.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item, Key } from '#shared/store/store.ts'
import { templateIn, versionMeant } from './items.ts'
import { needOf, type Amount } from './needs.ts'
import { takenBy } from './past-use.ts'
import { larger, quotasOf, teamsOf, type Quotas, type Running, type Teams } from './quotas.ts'
import type { Knowledge } from './rule.ts'
import type { Scan } from './scan.ts'

type InUse = {
  readonly teams: Teams
  readonly workloads: readonly WorkloadItem[]
  readonly bodies: readonly Assignment[]
  /** Where it is known to what version people went back. */
  readonly get?: Get
}

type Get = (key: Key) => Item | undefined

/** What a missing replica asks for: by its spec, or by the version that people went back to. */
const needMeant =
  (get: Get) =>
  (workload: WorkloadItem): Amount => {
    const { name, uid, spec } = workload
    const version = versionMeant(workload, get(keys.order('workload', name)))
    const revision = get(keys.revision(uid, version))
    const template = revision === undefined ? undefined : templateIn(revision)
    return template === undefined ? needOf(spec) : larger(needOf(template), needOf(spec))
  }

export function quotasInUse({ teams, workloads, bodies, get }: InUse): Quotas {
  const replicas = bodies.flatMap(({ replicas: all, templates }) =>
    all.map((bound) => ({ bound, template: templates[templateKey(bound)] })),
  )
  const byUid = groupBy(replicas, ({ bound }) => bound.uid)
  const runningOf = (uid: string): Running => (byUid.get(uid) ?? []).map((own) => takenBy([own]))
  return quotasOf(teams, workloads, {
    runningOf,
    ...(get === undefined ? {} : { needIn: needMeant(get) }),
  })
}

/** The same of all that stands in the table now. */
export function quotasNow({ truth, books }: Pick<Knowledge, 'truth' | 'books'>): Quotas {
  const [workloads, bodies] = [[...books.workloads.values()], [...books.bodies.values()]]
  return quotasInUse({ teams: teamsOf({ truth, books }), workloads, bodies, get: truth.get })
}

/** The same of what a pass read. */
export function quotasIn(scan: Scan): Quotas {
  return quotasOf(scan.teams(), scan.workloads(), {
    runningOf: (uid) => scan.replicasOf(uid).map((own) => takenBy([own])),
    needIn: needMeant(scan.get),
  })
}
