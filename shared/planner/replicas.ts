/**
 * The replicas of a draft, workload by workload, and what counts of them.
 *
 * "Run-ordered on a living node" is what a workload has; "ready and soaked and not told to stop" is
 * what it can count on. The two questions are asked all over the planner and answered only here.
 */
import { sameMembers } from '../base/equal.ts'
import { byText, groupBy } from '../base/order.ts'
import { remembered, rememberedPair } from '../base/remembered.ts'
import { countOf, type Resources } from '../model/quantities.ts'
import { templateKey, type Assignment, type BoundReplica } from '../model/assignment.ts'
import { LIMITS } from '../model/limits.ts'
import type { Node } from '../model/node.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import type { Template } from '../model/version.ts'
import type { WorkloadSpec } from '../model/workload.ts'
import type { Draft } from './fold.ts'
import { weightOf } from './revision.ts'

export type Replica = { readonly bound: BoundReplica; readonly node: Node }
type Replicas = ReadonlyMap<string, readonly Replica[]>

/**
 * Every bound replica, stopping ones too, by the uid of its workload, in order of uid; those of a
 * workload in order of node and binding.
 *
 * Most drafts differ from the one before in a node or two. Workloads that have nothing on those
 * keep the very list they had, and with it what was worked out from it.
 */
export const replicasByUid = remembered((draft: Draft): Replicas => {
  const hosts = hostsOf(draft)
  const before = sameMembers([...last.hosts.keys()], [...hosts.keys()]) ? last : NOTHING
  const touched = new Set<string>()
  for (const [name, host] of hosts) {
    const old = before.hosts.get(name)
    if (old === host) continue
    for (const uid of host.keys()) touched.add(uid)
    for (const uid of old?.keys() ?? []) touched.add(uid)
  }
  const fresh = gather(hosts, touched)
  const replicas = new Map<string, readonly Replica[]>()
  for (const uid of [...new Set([...before.replicas.keys(), ...touched])].sort(byText)) {
    const group = touched.has(uid) ? fresh.get(uid) : before.replicas.get(uid)
    if (group !== undefined) replicas.set(uid, Object.freeze(group))
  }
  last = { hosts, replicas }
  return replicas
})

/** The replicas on one node, by the uid of their workload. */
type Host = Replicas
type Known = { readonly hosts: ReadonlyMap<string, Host>; readonly replicas: Replicas }

const NOTHING: Known = { hosts: new Map(), replicas: new Map() }
let last = NOTHING

/** What the hosts carry of these workloads. */
function gather(
  hosts: ReadonlyMap<string, Host>,
  uids: ReadonlySet<string>,
): ReadonlyMap<string, readonly Replica[]> {
  const found = new Map<string, Replica[]>()
  for (const [uid, replicas] of [...hosts.values()].flatMap((host) => [...host])) {
    if (!uids.has(uid)) continue
    const group = found.get(uid)
    if (group === undefined) found.set(uid, [...replicas])
    else group.push(...replicas)
  }
  return found
}

function hostsOf({ nodes, assignments }: Draft): ReadonlyMap<string, Host> {
  const hosts = new Map<string, Host>()
  for (const assignment of assignments.values()) {
    const node = nodes.get(assignment.node)
    if (node !== undefined) hosts.set(node.name, hostOf(assignment, node))
  }
  return hosts
}

const hostOf = rememberedPair(({ replicas }: Assignment, node: Node): Host =>
  groupBy(
    replicas.map((bound) => ({ bound, node })),
    ({ bound }) => bound.uid,
  ),
)

/** Those of a workload's replicas that count as running, and what follows from them alone. */
export type Running = {
  readonly all: readonly Replica[]
  /** On nodes that stay. */
  readonly staying: readonly Replica[]
  readonly ready: number
  /** When the last of the ready became so; -Infinity while none is. */
  readonly lastReadyMs: number
}

export const runningOf = remembered((group: readonly Replica[]): Running => {
  const all = Object.freeze(group.filter(isRunning))
  const ready = all.flatMap(({ bound }) => bound.readySinceMs ?? [])
  return Object.freeze({
    all,
    staying: Object.freeze(all.filter((own) => !isMovingOff(own))),
    ready: ready.length,
    lastReadyMs: Math.max(-Infinity, ...ready),
  })
})

/** Of a workload that has no replica. */
export const NO_REPLICAS: readonly Replica[] = Object.freeze([])

/** True while whatever runs there may still be running for us. */
export function isAlive(node: Node): boolean {
  return node.lostSinceMs === undefined && node.phase !== 'terminating'
}

/** True when the node's replicas must move somewhere else. */
export function isLeaving(node: Node): boolean {
  return node.drain !== undefined || node.phase === 'terminating' || node.lostSinceMs !== undefined
}

/** True when it must move somewhere else: its node goes, or it makes room for others there. */
export function isMovingOff({ bound, node }: Replica): boolean {
  return isLeaving(node) || isShifted(bound, node)
}

function isShifted({ id }: BoundReplica, { repack }: Node): boolean {
  return repack?.side === 'shift' && repack.shift.some((own) => own.replica === id)
}

/** Ordered to run, on a node that is not lost. */
export function isRunning({ bound, node }: Replica): boolean {
  return bound.order === 'run' && isAlive(node)
}

/** Its agent says that it is ready, and a pass has seen it; for how long does not matter here. */
export function isReady({ bound }: Pick<Replica, 'bound'>): boolean {
  return bound.readySinceMs !== undefined
}

/** Those that are ready for `minReadySeconds`. */
export function availableOf(running: Running, spec: WorkloadSpec, nowMs: number): number {
  if (nowMs - running.lastReadyMs >= spec.rollout.minReadySeconds * 1000) return running.ready
  return running.all.filter((own) => isAvailable(own, spec, nowMs)).length
}

/** Ready for `minReadySeconds`, and not told to stop by any pass: a late report is no reprieve. */
export function isAvailable(replica: Replica, spec: WorkloadSpec, nowMs: number): boolean {
  const { readySinceMs } = replica.bound
  if (!isRunning(replica) || readySinceMs === undefined) return false
  return nowMs - readySinceMs >= spec.rollout.minReadySeconds * 1000
}

/** What the replica takes of its node. */
export function needOfBound(replica: Replica, draft: Draft): Resources {
  const template = templateOfBound(replica, draft)
  return template === undefined ? NOTHING_NEEDED : weightOf(template).need
}

/** What it was bound as, whatever its spec says by now. */
export function templateOfBound(
  { bound, node }: Replica,
  { assignments }: Draft,
): Template | undefined {
  return assignments.get(node.name)?.templates[templateKey(bound)]
}

const NOTHING_NEEDED: Resources = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0, diskMib: 0 }

export function desiredOf(workload: WorkloadItem): number {
  return workload.deletedAtMs === undefined ? (workload.spec.replicas ?? 0) : 0
}

/**
 * Replicas a roll-out may add and may take away, rounded as Kubernetes rounds them. Where neither
 * could ever be done, because `minAvailable` or `minReliable` protects every replica, one is added
 * at a time.
 */
export function rollRoom(spec: WorkloadSpec, desired: number): { surge: number; gap: number } {
  const surge = countOf(spec.rollout.maxSurge, { total: desired, round: 'up' })
  const gap = countOf(spec.rollout.maxUnavailable, { total: desired, round: 'down' })
  if (surge > 0) return { surge, gap }
  const least = Math.max(minAvailableOf(spec, desired), minReliableOf(spec, desired))
  return { surge: least >= desired ? 1 : 0, gap: Math.max(1, gap) }
}

/** The replicas that `minAvailable` protects; none without it. */
export function minAvailableOf(spec: WorkloadSpec, desired: number): number {
  const least = spec.availability.minAvailable
  return least === undefined ? 0 : countOf(least, { total: desired, round: 'up' })
}

/** Replicas on on-demand nodes that `minReliable` protects; none without it. */
export function minReliableOf(spec: WorkloadSpec, desired: number): number {
  const least = spec.availability.minReliable
  return least === undefined ? 0 : countOf(least, { total: desired, round: 'up' })
}

/** Ready replicas that must sit on on-demand nodes. */
export function onDemandTarget(spec: WorkloadSpec, desired: number): number {
  const { onDemandBase, onDemandPercent } = spec.capacity
  const share = Math.ceil((onDemandPercent * desired) / 100)
  return Math.min(desired, Math.max(onDemandBase, share, minReliableOf(spec, desired)))
}

/** Where no interruption with two minutes' notice takes it. */
export function isReliable({ node }: Pick<Replica, 'node'>): boolean {
  return node.capacityType === 'on-demand'
}

/** Replicas that may be added at a time to restore the on-demand base of a full workload. */
export function baseRoom(spec: WorkloadSpec, desired: number): number {
  return Math.max(1, rollRoom(spec, desired).surge)
}

/** How long it may take to go once it is told to: out of its load balancer, then its grace. */
export function stopTakesMs({
  graceSeconds,
  balanced,
}: Pick<BoundReplica, 'graceSeconds' | 'balanced'>): number {
  return graceSeconds * 1000 + (balanced === undefined ? 0 : LIMITS.deregisterMostMs)
}

/**
 * How many replicas one spot pool (type and zone) may hold, so that one storm there leaves
 * `minAvailable`; unlimited where the workload states none, or asked for spot and nothing else.
 */
export function spotPoolCap(spec: WorkloadSpec, allowed: number): number {
  const { minAvailable } = spec.availability
  if (minAvailable === undefined || spec.capacity.spot === 'required') return Infinity
  return Math.max(0, allowed - minAvailableOf(spec, allowed))
}
