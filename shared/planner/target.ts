/**
 * How many replicas of which version each workload should have, and which of them a person no
 * longer wants.
 *
 * Counts are fixed for now (autoscaling comes later), and a change of version is a bounded
 * replacement: new replicas within the surge, old ones leave as the ledger allows (`drain.ts`).
 * Replicas on nodes that must go are counted as gone already here, which is what makes every drain
 * *replacement first*.
 */
import { byKey, byNumber, descending, inOrder, type Compare } from '../base/order.ts'
import { rememberedPair } from '../base/remembered.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import type { Template } from '../model/version.ts'
import type { Action } from './actions.ts'
import type { Draft } from './fold.ts'
import {
  desiredOf,
  NO_REPLICAS,
  onDemandTarget,
  replicasByUid,
  rollRoom,
  runningOf,
  type Replica,
  type Running,
} from './replicas.ts'
import { revisionOf } from './revision.ts'
import type { Snapshot } from './snapshot.ts'

export type Target = {
  readonly workload: WorkloadItem
  readonly version: string
  readonly template: Template
  readonly desired: number
  /** New replicas of `version` to find a place for. */
  readonly start: number
  /** How many of those must come up on on-demand machines. */
  readonly startOnDemand: number
  /** Some of its replicas, on nodes that stay, are of another version. */
  readonly rolling: boolean
}

export type Targets = { readonly targets: readonly Target[]; readonly actions: readonly Action[] }

export function target(snapshot: Snapshot, draft: Draft): Targets {
  const replicas = replicasByUid(draft)
  const actions: Action[] = [...stopUnwanted(snapshot, replicas)]
  const targets: Target[] = []
  for (const workload of snapshot.workloads) {
    if (workload.deletedAtMs !== undefined) continue
    const running = runningOf(replicas.get(workload.uid) ?? NO_REPLICAS)
    targets.push(targetOf(workload, running))
    actions.push(...scaleIn(workload, running))
  }
  return { targets, actions }
}

const targetOf = rememberedPair((workload: WorkloadItem, { staying }: Running): Target => {
  const { template, version } = revisionOf(workload.spec)
  const desired = desiredOf(workload)
  const current = staying.filter((own) => own.bound.version === version).length
  const rolling = current < staying.length
  const missing = desired - current
  const most = desired + (rolling ? rollRoom(workload.spec, desired).surge : 0)
  const start = rolling ? Math.min(missing, most - staying.length) : missing
  const lasting = rolling ? staying.filter((own) => own.bound.version === version) : staying
  const onDemand = lasting.filter((own) => own.node.capacityType === 'on-demand').length
  const shortOfBase = onDemandTarget(workload.spec, desired) - onDemand
  return {
    workload,
    version,
    template,
    desired,
    start: Math.max(0, start),
    startOnDemand: Math.max(0, Math.min(start, shortOfBase)),
    rolling,
  }
})

/** Replicas whose workload is deleted, or was replaced by another of the same name. */
function* stopUnwanted(
  snapshot: Snapshot,
  replicas: ReadonlyMap<string, readonly Replica[]>,
): Iterable<Action> {
  const wanted = new Set(
    snapshot.workloads.filter((own) => own.deletedAtMs === undefined).map((own) => own.uid),
  )
  // A spec that could not be read is no reason to stop its replicas.
  const unreadable = new Set(snapshot.invalid.map((own) => own.key))
  for (const [uid, group] of replicas) {
    if (wanted.has(uid)) continue
    for (const { bound, node } of group) {
      if (bound.order === 'stop' || unreadable.has(`spec#workload/${bound.workload}`)) continue
      const reason = { code: 'WorkloadDeleted', text: `workload ${bound.workload} is deleted` }
      yield { kind: 'stop', node: node.name, replica: bound.id, reason }
    }
  }
}

/** Stops what is beyond the desired count: a person's order, so the ledger does not bind it. */
function scaleIn(workload: WorkloadItem, { all, staying }: Running): readonly Action[] {
  const desired = desiredOf(workload)
  if (all.length <= desired) return []
  const { version } = revisionOf(workload.spec)
  const rolling = all.some((own) => own.bound.version !== version)
  const { surge } = rollRoom(workload.spec, desired)
  const excess = staying.length - desired - (rolling ? surge : 0)
  if (excess <= 0) return []
  const reason = { code: 'ScaledIn', text: `${String(desired)} replicas are wanted` }
  return inOrderOfLoss(workload, staying)
    .slice(0, excess)
    .map(({ bound, node }) => ({ kind: 'stop', node: node.name, replica: bound.id, reason }))
}

/** Whom to stop first: the unready, then what keeps base and spread intact, then the youngest. */
function inOrderOfLoss(workload: WorkloadItem, staying: readonly Replica[]): readonly Replica[] {
  const onDemand = staying.filter((own) => own.node.capacityType === 'on-demand')
  const base = new Set(
    [...onDemand]
      .sort(byAge)
      .slice(0, onDemandTarget(workload.spec, desiredOf(workload)))
      .map((own) => own.bound.id),
  )
  const rankInZone = new Map<string, number>()
  const seen = new Map<string, number>()
  for (const own of [...staying].sort(byAge)) {
    const zone = own.node.machine?.zone ?? ''
    const rank = seen.get(zone) ?? 0
    seen.set(zone, rank + 1)
    rankInZone.set(own.bound.id, rank)
  }
  return [...staying].sort(
    inOrder(
      byKey((own) => (own.bound.readySinceMs === undefined ? 0 : 1)),
      byKey((own) => (base.has(own.bound.id) ? 1 : 0)),
      descending(byKey((own) => rankInZone.get(own.bound.id) ?? 0)),
      descending(byAge),
    ),
  )
}

const byAge: Compare<Replica> = inOrder(
  (a, b) => byNumber(a.bound.assignedAtMs, b.bound.assignedAtMs),
  byKey((own) => own.bound.id),
)
