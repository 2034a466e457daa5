/**
 * Entitled work that waits for want of machines, and borrowers whose room would do.
 *
 * Only the plainest cases are told: work that may be anywhere, and a borrower that no reading of a
 * quota covers, on a machine where nothing else is in the way.
 */
import { typeByName } from '#shared/catalog/catalog.ts'
import { templateKey, type Assignment, type BoundReplica } from '#shared/model/assignment.ts'
import { isGang } from '#shared/model/gang.ts'
import type { Node } from '#shared/model/node.ts'
import type { PoolItem, WorkloadItem } from '#shared/model/spec-item.ts'
import type { WorkloadStatus } from '#shared/model/status.ts'
import { keys } from '#shared/store/keys.ts'
import { baseOf, desiredOf, floorOf } from './available.ts'
import { statusOf, versionWanted } from './items.ts'
import { needOf, plus, roomOf, ZERO, type Amount } from './needs.ts'
import { quotasInUse } from './quotas-in-use.ts'
import { isBeyond, teamsOf, times, type Quotas, type Teams } from './quotas.ts'
import type { Knowledge } from './rule.ts'
import type { Scan } from './scan.ts'
import { whyNotMachine, whyNotPool } from './suits.ts'

/** The herd as somebody saw it. */
export type View = {
  readonly atMs: number
  readonly teams: Teams
  readonly workloads: readonly WorkloadItem[]
  readonly pools: ReadonlyMap<string, PoolItem>
  readonly nodes: ReadonlyMap<string, Node>
  readonly bodies: readonly Assignment[]
  /** As it stands now, whoever looks. */
  readonly status: (workload: WorkloadItem) => WorkloadStatus | undefined
}

export function viewNow(knowledge: Knowledge): View {
  const { truth, books } = knowledge
  return {
    ...{ atMs: truth.nowMs(), pools: books.pools, nodes: books.nodes },
    teams: teamsOf(knowledge),
    workloads: [...books.workloads.values()],
    bodies: [...books.bodies.values()],
    status: ({ name }) => statusOf(truth.get(keys.status('workload', name))),
  }
}

/** As a pass has read it. */
export function viewOf(scan: Scan, { truth, books }: Knowledge): View {
  return {
    ...{ atMs: scan.atMs, teams: scan.teams(), workloads: scan.workloads() },
    ...{ pools: books.pools, bodies: scan.bodies() },
    nodes: new Map(
      // What the pass has found out since counts too.
      scan.nodes().flatMap(({ name }) => {
        const node = books.nodes.get(name)
        return node === undefined ? [] : [[name, node] as const]
      }),
    ),
    status: ({ name }) => statusOf(truth.get(keys.status('workload', name))),
  }
}

/** The delay of a reclaim and the least time anybody runs, and time for a few passes. */
const PATIENCE_MS = 180_000

const OF_THE_MARKET: ReadonlySet<string> = new Set([
  'PoolLimit',
  'Shortage',
  'InsufficientInstanceCapacity',
  // What is said of those who might give way is no excuse.
  'ReclaimPending',
  'JustBegun',
  'NobodyGivesWay',
  'Deficit',
  'FirstFreed',
])

export function keptFromEntitled(view: View): readonly string[] {
  const workloads = view.workloads.filter((own) => own.deletedAtMs === undefined)
  const quotas = quotasInUse({ ...view, workloads })
  const statuses = new Map(workloads.map((own) => [own.uid, view.status(own)]))
  const reserved = new Set(
    [...statuses.values()].flatMap((own) => own?.reservations?.map(({ node }) => node) ?? []),
  )
  return workloads.flatMap((workload) => {
    const { name, uid, spec } = workload
    const status = statuses.get(uid)
    if (status?.uid !== uid || !waitsInVain(status, view.atMs) || !isPlain(workload)) return []
    if (status.assigned >= desiredOf(workload) || status.ready < status.assigned) return []
    // Another version than the spec's may be of another size.
    if (status.waiting.some((own) => own.version !== versionWanted(workload))) return []
    const live = view.teams.teams.filter((own) => own.deletedAtMs === undefined)
    const isEntitled = live.length === 0 || live.some((own) => own.name === spec.team)
    if (!isEntitled || !quotas.isCovered(workload)) return []
    const borrower = borrowerFor(workload, { view, quotas, reserved })
    return borrower === undefined ? [] : [`workload ${name} is entitled and waits; ${borrower}`]
  })
}

function waitsInVain({ waiting, reservations }: WorkloadStatus, atMs: number): boolean {
  return (
    reservations === undefined &&
    waiting.some(
      ({ unschedulableSinceMs, reasons }) =>
        unschedulableSinceMs !== undefined &&
        atMs - unschedulableSinceMs > PATIENCE_MS &&
        reasons.length > 0 &&
        reasons.every(({ code }) => OF_THE_MARKET.has(code)),
    )
  )
}

/** May be anywhere, on any machine, and one without another. */
function isPlain(workload: WorkloadItem): boolean {
  const { spec } = workload
  const { spread, affinity, antiAffinity } = spec.placement
  return (
    (spread ?? affinity ?? antiAffinity) === undefined &&
    spec.availability.minAvailable === undefined &&
    baseOf(workload) === 0 &&
    needOf(spec).gpuMilli === 0 &&
    !isGang(workload)
  )
}

type Herd = {
  readonly view: View
  readonly quotas: Quotas
  /** Nodes on which room is being made for somebody already. */
  readonly reserved: ReadonlySet<string>
}

function borrowerFor(workload: WorkloadItem, { view, quotas, reserved }: Herd): string | undefined {
  const need = needOf(workload.spec)
  const byUid = new Map(view.workloads.map((own) => [own.uid, own]))
  for (const body of view.bodies) {
    const node = view.nodes.get(body.node)
    if (node?.machine === undefined || reserved.has(node.name)) continue
    if (!isOpenTo(workload, node, view.pools)) continue
    const room = roomOf(node.machine)
    const takenOf = (own: BoundReplica): Amount => {
      const template = body.templates[templateKey(own)]
      return template === undefined ? ZERO : needOf(template)
    }
    const used = body.replicas.map(takenOf).reduce(plus, ZERO)
    for (const bound of body.replicas) {
      const other = byUid.get(bound.uid)
      if (other?.spec.preemptible !== true || bound.order !== 'run') continue
      if (view.atMs - bound.assignedAtMs < PATIENCE_MS || other.uid === workload.uid) continue
      const taken = takenOf(bound)
      const lacked = DIMENSIONS.filter((own) => used[own] + need[own] > room[own])
      const isBorrower = isOnLoan(lacked, { taken, guarantee: quotas.guaranteeOf(other.spec.team) })
      if (!isBorrower && !isOutranked(other, workload, view)) continue
      const then = plus(plus(used, times(taken, -1)), need)
      // No quota counts disks, but there must be room on them.
      if (isBeyond(then, room) || then.diskMib > room.diskMib) continue
      return `${bound.id} ${isBorrower ? 'borrows' : 'matters less'} on ${node.name}`
    }
  }
  return undefined
}

const DIMENSIONS = ['cpuMilli', 'memoryMib', 'gpuMilli'] as const

type Taken = { readonly taken: Amount; readonly guarantee: Amount }

/** Of what is lacked it takes alone more than its whole team is guaranteed. */
function isOnLoan(
  lacked: readonly (typeof DIMENSIONS)[number][],
  { taken, guarantee }: Taken,
): boolean {
  return lacked.some((own) => taken[own] > guarantee[own])
}

/** Less important work of the same team, of which no replica is protected. */
function isOutranked(other: WorkloadItem, workload: WorkloadItem, view: View): boolean {
  const { team, priority } = other.spec
  if (team !== workload.spec.team || priority >= workload.spec.priority) return false
  const desired = desiredOf(other)
  const ready = view.status(other)?.ready ?? 0
  return floorOf(other.spec, 1) === 0 && ready > floorOf(other.spec, desired)
}

function isOpenTo(
  { spec }: WorkloadItem,
  node: Node,
  pools: ReadonlyMap<string, PoolItem>,
): boolean {
  const { machine, architecture, capacityType } = node
  const pool = pools.get(node.pool)
  const type = typeByName.get(machine?.instanceType ?? '')
  if (machine === undefined || pool === undefined || type === undefined) return false
  const { zone } = machine
  return (
    node.phase === 'ready' &&
    !node.cordoned &&
    node.closed !== true &&
    node.drain === undefined &&
    node.interruption === undefined &&
    node.rebalanceAtMs === undefined &&
    node.silentSinceMs === undefined &&
    node.lostSinceMs === undefined &&
    pool.deletedAtMs === undefined &&
    type.gpuCount === 0 &&
    whyNotPool(spec, pool.name, pool.spec) === undefined &&
    whyNotMachine(spec, { zone, capacityType, architecture, family: type.family }) === undefined
  )
}
