/**
 * The board: what room there is on every node, and where everything sits, while places are being
 * found.
 *
 * It is the scratch pad of `place` and `provision`: made from the draft, written to as replicas are
 * put down, thrown away with the plan. A slot is a node seen as room: a machine with what is left
 * of it, or a claim with the least that any of its candidates would bring.
 */
import { byNumber, byText } from '../../base/order.ts'
import { remembered } from '../../base/remembered.ts'
import { typesByName } from '../../catalog/catalog.ts'
import { LIMITS } from '../../model/limits.ts'
import { templateKey, type Assignment, type GpuShare } from '../../model/assignment.ts'
import type { CapacityType, InstanceType } from '../../model/machine.ts'
import type { Node } from '../../model/node.ts'
import type { Resources } from '../../model/quantities.ts'
import type { PoolItem, WorkloadItem } from '../../model/spec-item.ts'
import { rulesBy, topologyRules, type Demand, type TopologyRule } from '../demand.ts'
import { poolsByName } from '../facts.ts'
import type { Draft } from '../fold.ts'
import { isMovingOff, replicasByUid } from '../replicas.ts'
import { weightOf } from '../revision.ts'
import type { Snapshot } from '../snapshot.ts'
import { afterTaking, takeDevices, withoutShares } from './devices.ts'
import { ALL_RUNTIMES, PROCESS, poolsWithoutContainers } from '../provision/pool-runtimes.ts'

export type Slot = {
  readonly node: string
  readonly pool: PoolItem
  readonly capacityType: CapacityType
  /** `<instance type>/<zone>`, one for a machine, several for a claim. */
  readonly places: readonly string[]
  /** Allocatable of the type it was bought as. */
  readonly shape: Resources
  readonly types: readonly InstanceType[]
  /** More than one only while it is a claim that EC2 may still choose for. */
  readonly zones: readonly string[]
  /** True when replicas can be bound now; else the node is on its way. */
  readonly ready: boolean
  /** What its agent reported; a coming node is taken to run processes, as every agent does. */
  readonly runtimes: readonly string[]
  readonly createdAtMs: number
  /** What it was bought for, while it is on its way or has just come. */
  boughtFor: NonNullable<Node['claim']['boughtFor']>
  freeCpuMilli: number
  freeMemoryMib: number
  freeDiskMib: number
  freeDevices: readonly number[]
  /** What those who are told to stop there hold of the devices. */
  readonly stopping: readonly GpuShare[]
  replicas: number
  /** Template keys that its assignment carries, and their size. */
  templates: ReadonlySet<string>
  templateBytes: number
}

export type Board = {
  readonly slots: Slot[]
  /** Nodes that a repack is to empty once others are ready: closed to work, and still there. */
  readonly closing: Slot[]
  /** `<rule kind>|<by>|<group>` → domain (zone or node name) → replicas there. */
  readonly topology: Map<string, Map<string, number>>
  /** The same keys → replicas there will be in all, once everything that waits has its place. */
  readonly wanted: Map<string, number>
  /**
   * Workload uid → `<type>/<zone>` → replicas that one spot storm there could take; of workloads
   * with a `minAvailable` alone.
   */
  readonly exposure: Map<string, Map<string, number>>
}

/** The board for those demands: what sits where is counted as far as their rules ask for it. */
export function makeBoard(snapshot: Snapshot, draft: Draft, demands: readonly Demand[]): Board {
  const board: Board = {
    ...{ slots: [], closing: [] },
    ...{ topology: new Map(), wanted: new Map(), exposure: new Map() },
  }
  const pools = poolsByName(snapshot.pools)
  const types = typesByName(snapshot.catalog)
  const without = poolsWithoutContainers(snapshot)
  const slots = new Map<string, Slot>()
  for (const node of draft.nodes.values()) {
    const pool = pools.get(node.pool)
    if (pool === undefined) continue
    const assignment = draft.assignments.get(node.name)
    const load = assignment === undefined ? NOTHING : loadOf(assignment)
    const untold = without.has(pool.name) ? PROCESS : ALL_RUNTIMES
    const slot = slotOf({ node, pool, load, untold }, types)
    slots.set(node.name, slot)
    if (!isOpen(node, pool) || !isReachable(node, draft)) continue
    if (node.repack === undefined) board.slots.push(slot)
    else if (node.repack.side === 'retire') board.closing.push(slot)
  }
  board.slots.sort(byAge)
  const replicas = replicasByUid(draft)
  for (const workload of countedFor(demands, snapshot)) {
    for (const { bound, node } of replicas.get(workload.uid) ?? []) {
      const slot = slots.get(node.name)
      if (slot === undefined || bound.order !== 'run' || isMovingOff({ bound, node })) continue
      note(board, slot, { workload, by: 1 })
    }
  }
  return board
}

/** Workloads whose replicas matter to where those of the demands may go. */
function countedFor(demands: readonly Demand[], { workloads }: Snapshot): readonly WorkloadItem[] {
  const own = demands.map(({ target }) => target.workload)
  const uids = new Set(own.map(({ uid }) => uid))
  const keys = new Set(own.flatMap(topologyRules).map(({ key }) => key))
  return workloads.filter(
    (workload) =>
      uids.has(workload.uid) || topologyRules(workload).some(({ key }) => keys.has(key)),
  )
}

/** What an assignment takes of its node. */
type Load = {
  readonly cpuMilli: number
  readonly memoryMib: number
  readonly diskMib: number
  readonly shares: readonly GpuShare[]
  readonly stopping: readonly GpuShare[]
  readonly replicas: number
  /** Keys of those that some replica refers to. */
  readonly templates: ReadonlySet<string>
  readonly templateBytes: number
}

const loadOf = remembered(({ replicas, templates }: Assignment): Load => {
  let [cpuMilli, memoryMib, diskMib] = [0, 0, 0]
  const bytes = new Map<string, number>()
  for (const bound of replicas) {
    const key = templateKey(bound)
    const template = templates[key]
    if (template === undefined) continue
    const { need, templateBytes } = weightOf(template)
    cpuMilli += need.cpuMilli
    memoryMib += need.memoryMib
    diskMib += need.diskMib
    bytes.set(key, templateBytes)
  }
  return {
    ...{ cpuMilli, memoryMib, diskMib, shares: replicas.flatMap((own) => own.gpus) },
    stopping: replicas.flatMap((own) => (own.order === 'stop' ? own.gpus : [])),
    ...{ replicas: replicas.length, templates: new Set(bytes.keys()) },
    templateBytes: [...bytes.values()].reduce((sum, own) => sum + own, 0),
  }
})

const NOTHING: Load = {
  ...{ cpuMilli: 0, memoryMib: 0, diskMib: 0, shares: [], stopping: [] },
  ...{ replicas: 0, templates: new Set<string>(), templateBytes: 0 },
}

/** Oldest first; of the same moment, in the order in which they were named. */
function byAge(a: Slot, b: Slot): number {
  return (
    byNumber(a.createdAtMs, b.createdAtMs) ||
    byNumber(a.node.length, b.node.length) ||
    byText(a.node, b.node)
  )
}

/** True when new replicas may be planned onto the node. */
function isOpen(node: Node, pool: PoolItem): boolean {
  return (
    ['launching', 'booting', 'testing', 'ready'].includes(node.phase) &&
    pool.deletedAtMs === undefined &&
    !node.cordoned &&
    node.closed !== true &&
    node.drain === undefined &&
    node.interruption === undefined &&
    node.rebalanceAtMs === undefined &&
    node.silentSinceMs === undefined &&
    node.lostSinceMs === undefined
  )
}

/** A machine without a readable assignment cannot be told anything. */
function isReachable(node: Node, draft: Draft): boolean {
  return node.machine === undefined || draft.assignments.has(node.name)
}

type Loaded = {
  readonly node: Node
  readonly pool: PoolItem
  readonly load: Load
  /** What it is thought to run replicas in until its agent has told. */
  readonly untold: readonly string[]
}

function slotOf(
  { node, pool, load, untold }: Loaded,
  types: ReadonlyMap<string, InstanceType>,
): Slot {
  const { machine, claim } = node
  const { places, typeNames, zones, boughtAs } = whereabouts(node)
  const room = machine?.allocatable ?? claim.least
  const gpuCount = machine?.gpuCount ?? Math.floor(claim.least.gpuMilli / 1000)
  return {
    node: node.name,
    pool,
    capacityType: node.capacityType,
    places,
    shape: types.get(boughtAs)?.allocatable ?? room,
    types: typeNames.flatMap((name) => types.get(name) ?? []),
    zones,
    ready: node.phase === 'ready',
    runtimes: node.runtimes.length > 0 ? node.runtimes : untold,
    createdAtMs: node.createdAtMs,
    boughtFor: load.replicas === 0 ? (claim.boughtFor ?? []) : [],
    freeCpuMilli: room.cpuMilli - load.cpuMilli,
    freeMemoryMib: room.memoryMib - load.memoryMib,
    freeDiskMib: room.diskMib - load.diskMib,
    freeDevices: withoutShares(Array<number>(gpuCount).fill(1000), load.shares),
    stopping: load.stopping,
    replicas: load.replicas,
    templates: load.templates,
    templateBytes: load.templateBytes,
  }
}

/** Where a node is, or where its claim may come up. */
const whereabouts = remembered(({ machine, claim }: Node) => {
  const places = machine === undefined ? claim.places : [`${machine.instanceType}/${machine.zone}`]
  const [boughtAs = ''] = claim.places[0]?.split('/') ?? []
  return { places, typeNames: distinct(places, 0), zones: distinct(places, 1), boughtAs }
})

/** Puts one replica of the demand into the slot and returns its devices; it must fit. */
export function put(board: Board, slot: Slot, demand: Demand): readonly GpuShare[] {
  const { need, target } = demand
  const shares = takeDevices(slot.freeDevices, need.gpuMilli) ?? []
  slot.freeCpuMilli -= need.cpuMilli
  slot.freeMemoryMib -= need.memoryMib
  slot.freeDiskMib -= need.diskMib
  slot.freeDevices = withoutShares(slot.freeDevices, shares)
  slot.replicas += 1
  carry(slot, demandKey(demand), demand.templateBytes)
  note(board, slot, { workload: target.workload, by: 1 })
  return shares
}

/** Puts the contents into a slot that nothing is bound on yet. */
export function putAll(board: Board, slot: Slot, contents: readonly Filling[]): void {
  const templates = new Set(slot.templates)
  for (const { want, count } of contents) {
    const { need, target, templateBytes } = want.demand
    slot.freeDevices = afterTaking(slot.freeDevices, { needMilli: need.gpuMilli, count })
    slot.freeCpuMilli -= count * need.cpuMilli
    slot.freeMemoryMib -= count * need.memoryMib
    slot.freeDiskMib -= count * need.diskMib
    slot.replicas += count
    if (!templates.has(want.key)) slot.templateBytes += templateBytes
    templates.add(want.key)
    note(board, slot, { workload: target.workload, by: count })
  }
  slot.templates = templates
}

type Filling = {
  readonly want: { readonly demand: Demand; readonly key: string }
  readonly count: number
}

/** Takes back what `put` did; its template stays counted, which errs on the safe side. */
export function lift(board: Board, slot: Slot, { demand, shares }: Placed): void {
  slot.freeCpuMilli += demand.need.cpuMilli
  slot.freeMemoryMib += demand.need.memoryMib
  slot.freeDiskMib += demand.need.diskMib
  const back = shares.map(({ index, milli }) => ({ index, milli: -milli }))
  slot.freeDevices = withoutShares(slot.freeDevices, back)
  slot.replicas -= 1
  note(board, slot, { workload: demand.target.workload, by: -1 })
}

export type Placed = { readonly demand: Demand; readonly shares: readonly GpuShare[] }

function carry(slot: Slot, key: string, bytes: number): void {
  if (slot.templates.has(key)) return
  slot.templates = new Set([...slot.templates, key])
  slot.templateBytes += bytes
}

/** The key of the demand's template in an assignment. */
export function demandKey({ target }: Demand): string {
  return templateKey({ uid: target.workload.uid, version: target.version })
}

/** Room for templates in an assignment that may come to hold as many replicas as it ever can. */
export const TEMPLATE_ROOM_BYTES =
  LIMITS.assignmentMaxBytes - LIMITS.replicasPerNodeMax * LIMITS.boundReplicaMaxBytes

/** Counts replicas of the workload in the slot, for its topology rules and for spot storms. */
type Counted = { readonly workload: WorkloadItem; readonly by: number }

function note(board: Board, slot: Slot, { workload, by }: Counted): void {
  for (const rule of topologyRules(workload)) {
    for (const domain of rule.by === 'node' ? [slot.node] : slot.zones) {
      add(board.topology, rule.key, { domain, by })
    }
  }
  // Without it a storm may take them all, so nobody asks how many that would be.
  const { minAvailable } = workload.spec.availability
  if (slot.capacityType !== 'spot' || minAvailable === undefined) return
  for (const place of slot.places) add(board.exposure, workload.uid, { domain: place, by })
}

/** The distinct types (part 0) or zones (part 1) of places, in order. */
function distinct(places: readonly string[], part: 0 | 1): string[] {
  return [...new Set(places.map((place) => place.split('/')[part] ?? ''))].sort(byText)
}

/** Counts replicas in or out of a zone, for the rules that look at zones. */
export function noteZone(
  board: Board,
  { target }: Demand,
  { zone, by }: { readonly zone: string; readonly by: number },
): void {
  for (const { key } of rulesBy(target.workload, 'zone')) {
    add(board.topology, key, { domain: zone, by })
  }
}

type Step = { readonly domain: string; readonly by: number }

function add(counts: Map<string, Map<string, number>>, key: string, { domain, by }: Step): void {
  const own = counts.get(key) ?? new Map<string, number>()
  const count = (own.get(domain) ?? 0) + by
  if (count === 0) own.delete(domain)
  else own.set(domain, count)
  counts.set(key, own)
}

/** Replicas that the rule counts in the domain. */
export function countIn(board: Board, rule: TopologyRule, domain: string): number {
  return board.topology.get(rule.key)?.get(domain) ?? 0
}

/** Tells the board what is going to be put on it, which is what a spread divides by. */
export function expect(board: Board, demands: readonly Demand[]): void {
  board.wanted.clear()
  for (const { target, count } of demands) {
    for (const rule of topologyRules(target.workload)) {
      const key = rule.key
      const there = [...(board.topology.get(key)?.values() ?? [])].reduce((a, b) => a + b, 0)
      board.wanted.set(key, (board.wanted.get(key) ?? there) + count)
    }
  }
}

/** Replicas of the workload that could be in this spot pool. */
export function exposureOf(board: Board, uid: string, typeZone: string): number {
  return board.exposure.get(uid)?.get(typeZone) ?? 0
}
