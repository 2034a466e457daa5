/**
 * The auditor's own books of the table: nodes, assignments, specs and launches as they stand.
 *
 * They follow the changes that writers make, so that no rule ever searches the table. Once an hour
 * they are held against the table itself: were a write not told, every later judgement would be
 * worth nothing.
 */
import { sameJson } from '#shared/base/equal.ts'
import type { Assignment, AssignmentHead } from '#shared/model/assignment.ts'
import type { Launch } from '#shared/model/launch.ts'
import type { Node } from '#shared/model/node.ts'
import type { PoolItem, TeamItem, WorkloadItem } from '#shared/model/spec-item.ts'
import { keys } from '#shared/store/keys.ts'
import type { Change, Item, Key } from '#shared/store/store.ts'
import type { Truth } from '../traffic.ts'
import {
  bodyOf,
  headOf,
  kindOf,
  launchItemOf,
  nodeOf,
  poolOf,
  targetOf,
  teamOf,
  workloadOf,
} from './items.ts'
import type { Breach } from './rule.ts'
import { counted } from './scaled.ts'

export type Books = {
  readonly nodes: ReadonlyMap<string, Node>
  /** By ARN. */
  readonly bodies: ReadonlyMap<string, Assignment>
  readonly heads: ReadonlyMap<string, AssignmentHead>
  /** By id. */
  readonly launches: ReadonlyMap<string, Launch>
  /** By name; deleted ones too, until they expire. What does not parse is left out. */
  readonly workloads: ReadonlyMap<string, WorkloadItem>
  readonly pools: ReadonlyMap<string, PoolItem>
  readonly teams: ReadonlyMap<string, TeamItem>
  nodesOfPool(pool: string): Iterable<Node>
  nodeOfInstance(instanceId: string): Node | undefined
  take(changes: readonly Change[]): void
  /** Where books and table differ. */
  compare(): Breach | undefined
}

const ARN_AT = keys.assignment('').pk.length
const WORKLOADS = keys.spec('workload', '').pk
const TARGETS = keys.target('').pk
const STATUSES = keys.status('workload', '').pk
const POOLS = keys.spec('pool', '').pk
const TEAMS = keys.spec('team', '').pk

export function makeBooks(truth: Truth): Books {
  const shelves = makeShelves()
  for (const item of truth.items()) shelves.put(item, item)
  return {
    ...shelves,
    nodesOfPool: (pool) => shelves.byPool.get(pool)?.values() ?? [],
    nodeOfInstance: (instanceId) => shelves.byInstance.get(instanceId),
    take: (changes) => {
      for (const { key, after } of changes) shelves.put(key, after)
    },
    compare: () => compare(shelves, truth.items()),
  }
}

type Shelves = ReturnType<typeof makeShelves>

function makeShelves() {
  const nodes = new Map<string, Node>()
  const byPool = new Map<string, Map<string, Node>>()
  const byInstance = new Map<string, Node>()
  const bodies = new Map<string, Assignment>()
  const heads = new Map<string, AssignmentHead>()
  const launches = new Map<string, Launch>()
  /** As people have written them; what autoscaling and reconcile say of them, by uid and name. */
  const written = new Map<string, WorkloadItem>()
  const targets = new Map<string, Item>()
  const statuses = new Map<string, Item>()
  const workloads = new Map<string, WorkloadItem>()
  const pools = new Map<string, PoolItem>()
  const teams = new Map<string, TeamItem>()

  const putNode = (name: string, node: Node | undefined): void => {
    const old = nodes.get(name)
    if (old !== undefined) {
      byPool.get(old.pool)?.delete(name)
      if (old.machine !== undefined) byInstance.delete(old.machine.instanceId)
    }
    set(nodes, name, node)
    if (node === undefined) return
    const peers = byPool.get(node.pool) ?? new Map<string, Node>()
    byPool.set(node.pool, peers.set(name, node))
    if (node.machine !== undefined) byInstance.set(node.machine.instanceId, node)
  }
  /** With the number that it is to have. */
  const count = (name = ''): void => {
    const workload = written.get(name)
    const beside = { target: targets.get(workload?.uid ?? ''), status: statuses.get(name) }
    set(workloads, name, workload === undefined ? undefined : counted(workload, beside))
  }
  const put = ({ pk, sk }: Key, after: Item | undefined): void => {
    const kind = kindOf({ pk, sk })
    if (kind === 'node') putNode(sk, nodeOf(after))
    else if (kind === 'assign' && sk === 'body') set(bodies, pk.slice(ARN_AT), bodyOf(after))
    else if (kind === 'assign') set(heads, pk.slice(ARN_AT), headOf(after))
    else if (kind === 'launch') set(launches, sk, launchItemOf(after))
    else if (pk === WORKLOADS) {
      set(written, sk, workloadOf(after))
      count(sk)
    } else if (pk === TARGETS) {
      const target = targetOf(after ?? targets.get(sk))
      set(targets, sk, after)
      count(target?.name)
    } else if (pk === STATUSES) {
      set(statuses, sk, after)
      count(sk)
    } else if (pk === POOLS) set(pools, sk, poolOf(after))
    else if (pk === TEAMS) set(teams, sk, teamOf(after))
  }
  return { nodes, byPool, byInstance, bodies, heads, launches, workloads, pools, teams, put }
}

function set<T>(shelf: Map<string, T>, name: string, value: T | undefined): void {
  if (value === undefined) shelf.delete(name)
  else shelf.set(name, value)
}

const isDeleted = (own: unknown): boolean =>
  typeof own === 'object' && own !== null && 'deletedAtMs' in own

const SHELVES = ['nodes', 'bodies', 'heads', 'launches', 'workloads', 'pools', 'teams'] as const

function compare(shelves: Shelves, items: readonly Item[]): Breach | undefined {
  const fresh = makeShelves()
  for (const item of items) fresh.put(item, item)
  for (const shelf of SHELVES) {
    const [kept, found]: [ReadonlyMap<string, unknown>, ReadonlyMap<string, unknown>] = [
      shelves[shelf],
      fresh[shelf],
    ]
    for (const name of new Set([...kept.keys(), ...found.keys()])) {
      const [own, real] = [kept.get(name), found.get(name)]
      // Time-to-live takes what people have deleted, and tells no writer.
      if (own === real || isDeleted(own)) continue
      if (own !== undefined && real !== undefined && sameJson(own, real)) continue
      const text = `the ${shelf} in the table and in the auditor's books differ: ${name}`
      return { rule: 'books', text }
    }
  }
  return undefined
}
