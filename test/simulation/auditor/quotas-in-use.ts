/** Quotas beside what is bound, which may be larger or smaller than its spec says by now. */
import { groupBy } from '#shared/base/order.ts'
import { templateKey, type Assignment } from '#shared/model/assignment.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { takenBy } from './past-use.ts'
import { quotasOf, teamsOf, type Quotas, type Teams } from './quotas.ts'
import type { Knowledge } from './rule.ts'
import type { Scan } from './scan.ts'

type InUse = {
  readonly teams: Teams
  readonly workloads: readonly WorkloadItem[]
  readonly bodies: readonly Assignment[]
}

export function quotasInUse({ teams, workloads, bodies }: InUse): Quotas {
  const replicas = bodies.flatMap(({ replicas: all, templates }) =>
    all.map((bound) => ({ bound, template: templates[templateKey(bound)] })),
  )
  const byUid = groupBy(replicas, ({ bound }) => bound.uid)
  return quotasOf(teams, workloads, (uid) => (byUid.get(uid) ?? []).map((own) => takenBy([own])))
}

/** The same of all that stands in the table now. */
export function quotasNow({ truth, books }: Pick<Knowledge, 'truth' | 'books'>): Quotas {
  const [workloads, bodies] = [[...books.workloads.values()], [...books.bodies.values()]]
  return quotasInUse({ teams: teamsOf({ truth, books }), workloads, bodies })
}

/** The same of what a pass read. */
export function quotasIn(scan: Scan): Quotas {
  return quotasOf(scan.teams(), scan.workloads(), (uid) =>
    scan.replicasOf(uid).map((own) => takenBy([own])),
  )
}
