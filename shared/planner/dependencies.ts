/**
 * Who waits for whom: a workload's first start waits until those it names are available.
 *
 * Only the first: what has run once comes back without asking anybody, so that one workload that is
 * down takes no other along. Who waits asks no quota for anything. Those that depend on each other
 * in a circle would wait for ever, so within a circle nobody does, and its members are told.
 */
import type { WorkloadItem } from '../model/spec-item.ts'
import type { Reason, WorkloadStatus } from '../model/status.ts'
import type { Refusal } from './actions.ts'
import { statusesByUid } from './facts.ts'
import { enoughOf } from './ledger.ts'
import { availableOf, desiredOf, NO_REPLICAS, replicasByUid, runningOf } from './replicas.ts'
import type { Target, TargetContext } from './target.ts'

export type Dependents = {
  /** Those that may start. */
  readonly free: readonly Target[]
  readonly refused: readonly Refusal[]
  /** By workload name: who is in a circle with it, itself among them; in the order of names. */
  readonly circles: ReadonlyMap<string, readonly string[]>
}

type Context = Pick<TargetContext, 'snapshot' | 'draft'> & { readonly targets: readonly Target[] }

export function holdDependents(context: Context): Dependents {
  const { snapshot, targets } = context
  const live = new Map(
    snapshot.workloads.filter((own) => own.deletedAtMs === undefined).map((own) => [own.name, own]),
  )
  const circles = circlesOf(live)
  const statuses = statusesByUid(snapshot.workloadStatuses)
  const free: Target[] = []
  const refused: Refusal[] = []
  for (const target of targets) {
    const { workload, version, start } = target
    const circle = circles.get(workload.name) ?? []
    const named = hasStarted(workload, { context, status: statuses.get(workload.uid) })
      ? []
      : dependenciesOf(workload).filter((own) => !circle.includes(own))
    const reasons = named.flatMap((name) => whyNotReady(name, { context, live, statuses }))
    if (reasons.length === 0) free.push(target)
    else if (start > 0) refused.push({ workload: workload.name, version, count: start, reasons })
  }
  return { free, refused, circles }
}

export const dependenciesOf = ({ spec }: WorkloadItem): readonly string[] => spec.dependsOn ?? []

type Known = { readonly context: Context; readonly status: WorkloadStatus | undefined }

function hasStarted({ uid }: WorkloadItem, { context, status }: Known): boolean {
  return status?.firstStartedAtMs !== undefined || replicasByUid(context.draft).has(uid)
}

type Herd = {
  readonly context: Context
  readonly live: ReadonlyMap<string, WorkloadItem>
  readonly statuses: ReadonlyMap<string, WorkloadStatus>
}

/** What is missing of the workload that is named; nothing when it is available. */
function whyNotReady(name: string, { context, live, statuses }: Herd): readonly Reason[] {
  const workload = live.get(name)
  if (workload === undefined) {
    return [{ code: 'DependencyMissing', text: `waits for ${name}: there is no such workload` }]
  }
  const desired = desiredOf(workload)
  const running = runningOf(replicasByUid(context.draft).get(workload.uid) ?? NO_REPLICAS)
  const available = availableOf(running, workload.spec, context.snapshot.nowMs)
  const allowed = Math.min(desired, statuses.get(workload.uid)?.allowed ?? desired)
  // Who may lose its only replica in a roll-out has none to lose before it runs.
  const needed = Math.max(enoughOf(workload, allowed), Math.min(1, desired))
  if (available >= needed) return []
  const numbers = `${String(available)} available, ${String(needed)} needed`
  return [{ code: 'DependencyNotReady', text: `waits for ${name}: ${numbers}` }]
}

const NO_CIRCLES: ReadonlyMap<string, readonly string[]> = new Map()

function circlesOf(
  live: ReadonlyMap<string, WorkloadItem>,
): ReadonlyMap<string, readonly string[]> {
  const edges = new Map<string, readonly string[]>()
  for (const [name, workload] of live) {
    const named = dependenciesOf(workload)
    if (named.length > 0) edges.set(name, named)
  }
  withoutEnds(edges)
  if (edges.size === 0) return NO_CIRCLES
  const reached = new Map([...edges.keys()].map((name) => [name, reachedFrom(name, edges)]))
  const circles = new Map<string, readonly string[]>()
  for (const [name, own] of reached) {
    const circle = [...own].filter((other) => reached.get(other)?.has(name) === true)
    if (circle.length > 0) circles.set(name, circle.toSorted())
  }
  return circles
}

/** Leaves those that lead into a circle or are in one: the others are taken out again and again. */
function withoutEnds(edges: Map<string, readonly string[]>): void {
  let before: number
  do {
    before = edges.size
    for (const [name, named] of edges) {
      if (!named.some((own) => edges.has(own))) edges.delete(name)
    }
  } while (edges.size < before)
}

/** All that it depends on, by whatever way; itself where it is in a circle. */
function reachedFrom(
  start: string,
  edges: ReadonlyMap<string, readonly string[]>,
): ReadonlySet<string> {
  const reached = new Set<string>()
  const open = [start]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const next of edges.get(name) ?? []) {
      if (reached.has(next) || !edges.has(next)) continue
      reached.add(next)
      open.push(next)
    }
  }
  return reached
}
