/**
 * One read of the whole table, looked into only when a judgement asks for it.
 *
 * Most passes decide nothing that needs their snapshot, so a scan is kept as it came, and each
 * partition is picked out of it when it is first asked for.
 */
import { groupBy } from '#shared/base/order.ts'
import { onceFor } from '#shared/base/remembered.ts'
import { templateKey, type Assignment, type BoundReplica } from '#shared/model/assignment.ts'
import type { Node } from '#shared/model/node.ts'
import type { Report } from '#shared/model/report.ts'
import type { PoolItem, WorkloadItem } from '#shared/model/spec-item.ts'
import type { Template } from '#shared/model/version.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item, Key } from '#shared/store/store.ts'
import type { Teams } from './quotas.ts'
import { beatOf, bodyOf, nodeOf, poolOf, reportOf, teamOf } from './items.ts'
import { countedIn } from './scaled.ts'

export type ScannedReplica = {
  readonly bound: BoundReplica
  readonly node: Node
  /** What it was bound with; undefined where its assignment lacks it. */
  readonly template: Template | undefined
}

export type Scan = {
  readonly atMs: number
  get(key: Key): Item | undefined
  node(name: string): Node | undefined
  nodes(): readonly Node[]
  workload(name: string): WorkloadItem | undefined
  pool(name: string): PoolItem | undefined
  workloads(): readonly WorkloadItem[]
  /** With the policy of the installation, which no item tells. */
  teams(): Teams
  report(arn: string): Report | undefined
  beatAtMs(arn: string): number | undefined
  bodies(): readonly Assignment[]
  /** Everything bound of one workload, stopping ones too, on nodes that are there. */
  replicasOf(uid: string): readonly ScannedReplica[]
}

type Scanned = {
  readonly atMs: number
  readonly items: readonly Item[]
  readonly policy: Teams['policy']
}

export function makeScan({ atMs, items, policy }: Scanned): Scan {
  let replicas: Map<string, ScannedReplica[]> | undefined
  const partition = onceFor((pk: string) => items.filter((item) => item.pk === pk))
  let ofMachines: Map<string, Item> | undefined
  /** What an agent writes is alone in its partition. */
  const toldBy = ({ pk }: Key): Item | undefined => {
    ofMachines ??= new Map(items.map((item) => [item.pk, item]))
    return ofMachines.get(pk)
  }
  let byName: Map<string, Node> | undefined
  const nodesByName = (): Map<string, Node> => {
    byName ??= new Map(
      partition(keys.node('').pk).flatMap((item) => {
        const node = nodeOf(item)
        return node === undefined ? [] : [[node.name, node] as const]
      }),
    )
    return byName
  }
  let workloads: readonly WorkloadItem[] | undefined
  const get = ({ pk, sk }: Key): Item | undefined => partition(pk).find((item) => item.sk === sk)
  return {
    atMs,
    get,
    node: (name) => nodesByName().get(name),
    nodes: () => [...nodesByName().values()],
    workload: (name) => countedIn(get, name),
    pool: (name) => poolOf(get(keys.spec('pool', name))),
    workloads: () =>
      (workloads ??= partition(WORKLOADS).flatMap(({ sk }) => countedIn(get, sk) ?? [])),
    teams: () => ({
      policy,
      teams: partition(keys.spec('team', '').pk).flatMap((item) => teamOf(item) ?? []),
    }),
    report: (arn) => reportOf(toldBy(keys.report(arn))),
    beatAtMs: (arn) => beatOf(toldBy(keys.beat(arn)))?.atMs,
    bodies: () => bodiesIn(items),
    replicasOf: (uid) => {
      replicas ??= groupBy(allReplicas(items, nodesByName()), ({ bound }) => bound.uid)
      return replicas.get(uid) ?? []
    },
  }
}

const BODIES = keys.assignment('').pk
const WORKLOADS = keys.spec('workload', '').pk

function allReplicas(
  items: readonly Item[],
  nodes: ReadonlyMap<string, Node>,
): readonly ScannedReplica[] {
  return bodiesIn(items).flatMap((body) => {
    const node = nodes.get(body.node)
    if (node === undefined) return []
    return body.replicas.map((bound) => ({
      ...{ bound, node },
      template: body.templates[templateKey(bound)],
    }))
  })
}

function bodiesIn(items: readonly Item[]): readonly Assignment[] {
  return items.flatMap((item) =>
    item.sk === 'body' && item.pk.startsWith(BODIES) ? (bodyOf(item) ?? []) : [],
  )
}
