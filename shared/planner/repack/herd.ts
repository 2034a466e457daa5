/**
 * Which nodes a repack may touch, and why not the others.
 *
 * What is on the move already, what a person has laid a hand on, what is kept for somebody and what
 * has just come to rest is left alone. Nor is anything taken from a workload that is not whole:
 * after an involuntary loss nothing voluntary is done to it until it has all that it may have.
 */
import { remembered } from '../../base/remembered.ts'
import type { Assignment } from '../../model/assignment.ts'
import { LIMITS } from '../../model/limits.ts'
import { isGang } from '../../model/gang.ts'
import type { Node } from '../../model/node.ts'
import { countOf } from '../../model/quantities.ts'
import type { RepackReason } from '../../model/repack.ts'
import type { PoolItem } from '../../model/spec-item.ts'
import type { Reason } from '../../model/status.ts'
import { admit } from '../admit.ts'
import { poolsByName } from '../facts.ts'
import type { Draft } from '../fold.ts'
import { poolTakes } from '../provision/offers.ts'
import { typesByName } from '../../catalog/catalog.ts'
import { availableOf, isLeaving, NO_REPLICAS, replicasByUid, runningOf } from '../replicas.ts'
import type { Snapshot } from '../snapshot.ts'
import { setCourses } from '../rollout.ts'
import { target } from '../target.ts'

/** A herd, and what must be known of it to say which nodes may be touched. */
export type Herd = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  /** Uids of workloads that lack something, or are between two versions. */
  readonly unsettled: ReadonlySet<string>
  /** Nodes on which room is kept for somebody. */
  readonly reserved: ReadonlySet<string>
  /** Uids of gangs. */
  readonly gangs: ReadonlySet<string>
  /** Nodes about which a person has given an order. */
  readonly ordered: ReadonlySet<string>
}

/** `kept`: nodes on which room is kept that no status tells of yet. */
export function herdOf(
  snapshot: Snapshot,
  draft: Draft,
  kept: ReadonlySet<string> = new Set(),
): Herd {
  const replicas = replicasByUid(draft)
  const targeted = target({ snapshot, draft, courses: setCourses(snapshot, draft) })
  const { admitted } = admit({ snapshot, draft, targets: targeted })
  const unsettled = admitted.filter(({ workload, start, rolling, allowed }) => {
    const running = runningOf(replicas.get(workload.uid) ?? NO_REPLICAS)
    const available = availableOf(running, workload.spec, snapshot.nowMs)
    return start > 0 || rolling || available < allowed
  })
  const reservations = snapshot.workloadStatuses.flatMap((own) => own.reservations ?? [])
  return {
    snapshot,
    draft,
    unsettled: new Set(unsettled.map((own) => own.workload.uid)),
    reserved: new Set([...reservations.map((own) => own.node), ...kept]),
    gangs: new Set(snapshot.workloads.filter(isGang).map((own) => own.uid)),
    ordered: new Set(snapshot.orders.flatMap((own) => (own.target === 'node' ? [own.name] : []))),
  }
}

/** Why a node stays as it is, and when that may be otherwise though nothing else has changed. */
export type Hold = { readonly reason: Reason; readonly untilMs?: number }

type Asked = {
  readonly node: Node
  readonly pool: PoolItem | undefined
  readonly assignment: Assignment | undefined
  readonly herd: Herd
}
type Row = { readonly code: string; readonly text: string; readonly when: (own: Asked) => boolean }

/** The first that holds is told. */
const rows: readonly Row[] = [
  {
    code: 'PoolGone',
    text: 'its pool is deleted',
    when: ({ pool }) => pool === undefined || pool.deletedAtMs !== undefined,
  },
  {
    code: 'Leaving',
    text: 'it is on its way out',
    when: ({ node }) => isLeaving(node) || node.interruption !== undefined,
  },
  { code: 'NotReady', text: 'it is not ready', when: ({ node }) => node.phase !== 'ready' },
  {
    code: 'Silent',
    text: 'its agent is not heard of',
    when: ({ node }) => node.silentSinceMs !== undefined,
  },
  {
    code: 'Ordered',
    text: 'a person has given an order about it',
    when: ({ node, herd }) => node.cordoned || herd.ordered.has(node.name),
  },
  {
    code: 'Reserved',
    text: 'room on it is kept for somebody',
    when: ({ node, herd }) => herd.reserved.has(node.name),
  },
  {
    code: 'Gang',
    text: 'a replica on it is one of a gang, which would have to restart',
    when: ({ assignment, herd }) =>
      assignment?.replicas.some((own) => herd.gangs.has(own.uid)) ?? false,
  },
  {
    code: 'Untold',
    text: 'nobody can tell it anything',
    when: ({ assignment }) => assignment === undefined,
  },
  {
    code: 'Unready',
    text: 'a replica on it is coming up or stopping',
    when: ({ assignment }) =>
      assignment?.replicas.some((own) => own.order === 'stop' || own.readySinceMs === undefined) ??
      false,
  },
  {
    code: 'NotWhole',
    text: 'a workload on it lacks something, or is between two versions',
    when: ({ assignment, herd }) =>
      assignment?.replicas.some((own) => herd.unsettled.has(own.uid)) ?? false,
  },
]

/** Why the node must not be emptied now; undefined when it may. */
export function holdOn(node: Node, herd: Herd): Hold | undefined {
  const asked = askedOf(node, herd)
  const row = rows.find((own) => own.when(asked))
  return row === undefined ? undefined : { reason: { code: row.code, text: row.text } }
}

/** What carries nothing goes as empty, by itself, unless it is kept for something. */
const carries = (assignment: Assignment | undefined): boolean =>
  assignment?.replicas.some((own) => own.order === 'run') ?? false

/** The same, before anything is begun: also what has just come to rest is left alone. */
export function holdBefore(node: Node, reason: RepackReason, herd: Herd): Hold | undefined {
  const { pool, assignment } = askedOf(node, herd)
  const { nowMs } = herd.snapshot
  if (node.repack !== undefined) {
    return { reason: { code: 'Moving', text: 'it is part of a repack already' } }
  }
  const held = holdOn(node, herd)
  if (held !== undefined) return held
  if (isForMoney(reason) && pool?.spec.repack.when !== 'cheaper') {
    const text = `its pool says repack.when: ${String(pool?.spec.repack.when)}`
    return { reason: { code: 'RepackOff', text } }
  }
  const youngUntilMs = node.phaseSinceMs + (pool?.spec.repack.afterSeconds ?? 0) * 1000
  if (nowMs < youngUntilMs) {
    return { reason: { code: 'Young', text: 'it is new' }, untilMs: youngUntilMs }
  }
  const placedMs = Math.max(0, ...(assignment?.replicas ?? []).map((own) => own.assignedAtMs))
  if (nowMs < placedMs + LIMITS.repackRestMs) {
    const text = 'something was placed on it a short while ago'
    return { reason: { code: 'JustPlaced', text }, untilMs: placedMs + LIMITS.repackRestMs }
  }
  if (isForMoney(reason) && !carries(assignment)) {
    return { reason: { code: 'Empty', text: 'it carries nothing: it goes when nothing needs it' } }
  }
  return undefined
}

export function isForMoney(reason: RepackReason): boolean {
  return reason === 'Cheaper' || reason === 'Underused'
}

function askedOf(node: Node, herd: Herd): Asked {
  const pool = poolsByName(herd.snapshot.pools).get(node.pool)
  return { node, pool, assignment: herd.draft.assignments.get(node.name), herd }
}

/** Why a node is to be replaced whatever that costs; undefined for most. */
export function dueOf(node: Node, { snapshot }: Herd): RepackReason | undefined {
  const { machine, capacityType } = node
  const spec = poolsByName(snapshot.pools).get(node.pool)?.spec
  if (machine === undefined || spec === undefined) return undefined
  const { expireAfterSeconds = Infinity } = spec
  if (snapshot.nowMs - machine.launchedAtMs >= expireAfterSeconds * 1000) return 'Expired'
  const type = typesByName(snapshot.catalog).get(machine.instanceType)
  const isSold =
    (type === undefined || poolTakes(spec, type)) &&
    spec.capacityTypes.includes(capacityType) &&
    (spec.zones?.includes(machine.zone) ?? true)
  return isSold ? undefined : 'Drifted'
}

/** How many machines each pool has that are not ending. */
export const poolSizes = remembered((draft: Draft): ReadonlyMap<string, number> => {
  const sizes = new Map<string, number>()
  for (const { pool, phase, machine } of draft.nodes.values()) {
    if (machine !== undefined && phase !== 'terminating')
      sizes.set(pool, (sizes.get(pool) ?? 0) + 1)
  }
  return sizes
})

/** Nodes of the pool that may be on the move at once: the least of its budgets, rounded up. */
export function budgetOf(
  pool: string,
  { snapshot, draft }: Pick<Herd, 'snapshot' | 'draft'>,
): number {
  const budgets = poolsByName(snapshot.pools).get(pool)?.spec.repack.budgets ?? []
  const total = poolSizes(draft).get(pool) ?? 0
  return Math.min(...budgets.map(({ nodes }) => countOf(nodes, { total, round: 'up' })))
}
