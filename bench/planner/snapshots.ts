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
import { machineUp, standUp, type Risen } from './machines.ts'
import { catalog, offerings } from './market.ts'
import { poolItem } from './specs.ts'

const START_MS = Date.UTC(2026, 10, 22, 12)

export type Made = ReturnType<typeof plan>

/** An empty herd that is to carry the workloads. */
export function firstSnapshot(workloads: readonly WorkloadItem[]): Snapshot {
  const snapshot: Snapshot = {
    nowMs: START_MS,
    pass: {
      kind: 'pass',
      tableUid: 'bench',
      createdAtMs: START_MS - 86_400_000,
      epoch: 1,
      startedAtMs: START_MS,
      coveredSinceMs: START_MS - 3_600_000,
      suspects: {},
    },
    settings: { lostAfterMs: LIMITS.lostAfterMs, bootDeadlineMs: LIMITS.bootDeadlineMs },
    workloads,
    pools: [poolItem()],
    ...{ teams: [], orders: [], nodes: [], launches: [], assignments: [], reports: [], beats: [] },
    ...{ verdicts: [], signals: [], workloadStatuses: [], poolStatuses: [], teamStatuses: [] },
    ...{ shortages: [], brakes: [], catalog, offerings, invalid: [] },
  }
  return frozen(snapshot)
}

/** So many milliseconds later; whoever beats has beaten again. */
export function later(snapshot: Snapshot, byMs: number): Snapshot {
  const { pass, beats } = snapshot
  const nowMs = snapshot.nowMs + byMs
  return frozen({
    ...snapshot,
    nowMs,
    pass: { ...pass, epoch: pass.epoch + 1, startedAtMs: nowMs },
    beats: beats.map((own) => ({ ...own, atMs: nowMs })),
  })
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
