/**
 * Snapshots without a store: the first of a world, and the one that the next pass would read.
 *
 * All in them is frozen, as it is when it comes from the table.
 */
import { frozen } from '#shared/base/frozen.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { plan } from '#shared/planner/plan.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import { emptyWorld, nextPass } from '#test/scenarios/empty-world.ts'
import { machineUp, standUp, type Risen } from './machines.ts'
import { catalog, offerings } from './market.ts'
import { poolItem } from './specs.ts'

export type Made = ReturnType<typeof plan>

/** An empty herd that is to carry the workloads. */
export function firstSnapshot(workloads: readonly WorkloadItem[]): Snapshot {
  return frozen({ ...emptyWorld({ catalog, offerings }), workloads, pools: [poolItem()] })
}

/** So many milliseconds later; whoever beats has beaten again. */
export function later(snapshot: Snapshot, byMs: number): Snapshot {
  return frozen({ ...snapshot, ...nextPass(snapshot, byMs) })
}

/** What the next pass reads after EC2 has brought a machine for every claim; they boot. */
export function afterLaunches(snapshot: Snapshot, made: Made): Snapshot {
  return follow(snapshot, made, machineUp)
}

/** The same once they all are ready. */
export function afterBurnIn(snapshot: Snapshot, made: Made): Snapshot {
  return follow(snapshot, made, standUp)
}

function follow(snapshot: Snapshot, { plan: own, draft }: Made, rise: typeof standUp): Snapshot {
  const next = later(snapshot, LIMITS.unfinishedWakeMs)
  const { nowMs } = next
  const risen = [...draft.nodes.values()].map((node): Risen => {
    if (node.phase === 'ready') return { node }
    return rise(node, { nowMs, assignment: draft.assignments.get(node.name) })
  })
  return frozen({
    ...next,
    nodes: risen.map(({ node }) => node),
    assignments: [
      ...draft.assignments.values(),
      ...risen.flatMap(({ assignment }) => assignment ?? []),
    ],
    reports: [...next.reports, ...risen.flatMap(({ report }) => report ?? [])],
    beats: [...next.beats, ...risen.flatMap(({ beat }) => beat ?? [])],
    workloadStatuses: own.workloadStatuses,
    poolStatuses: own.poolStatuses,
  })
}

/** The plan as it is handed on: frozen throughout. */
export function frozenPlan(snapshot: Snapshot): Made {
  const made = plan(snapshot)
  frozen(made.plan)
  return made
}

/** Replicas that the plan finds no place for. */
export function refusedBy({ plan }: Made): number {
  return plan.unschedulable.reduce((sum, own) => sum + own.count, 0)
}
