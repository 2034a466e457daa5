/**
 * A snapshot in which nobody has asked for anything yet, and the pass after one: what scenarios and
 * benches begin with and go on by.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import type { World } from './world.ts'

export const START_MS = Date.UTC(2026, 10, 22, 12)

type Market = Pick<Snapshot, 'catalog' | 'offerings'>

export function emptyWorld<M extends Market>(market: M): Omit<World, keyof Market> & M {
  return {
    nowMs: START_MS,
    pass: {
      kind: 'pass',
      tableUid: 'test',
      createdAtMs: START_MS - 86_400_000,
      epoch: 1,
      startedAtMs: START_MS,
      coveredSinceMs: START_MS - 3_600_000,
      suspects: {},
    },
    settings: { lostAfterMs: LIMITS.lostAfterMs, bootDeadlineMs: LIMITS.bootDeadlineMs },
    ...{ workloads: [], revisions: [], pools: [], teams: [], orders: [], nodes: [], launches: [] },
    ...{ assignments: [], reports: [], beats: [], verdicts: [], signals: [] },
    ...{ workloadStatuses: [], poolStatuses: [], teamStatuses: [], shortages: [], brakes: [] },
    targets: [],
    ...market,
    invalid: [],
  }
}

/** So many milliseconds later, where whoever beats has beaten again. */
export function nextPass(
  { nowMs: beforeMs, pass, beats }: Snapshot,
  byMs: number,
): Pick<World, 'nowMs' | 'pass' | 'beats'> {
  const nowMs = beforeMs + byMs
  return {
    nowMs,
    pass: { ...pass, epoch: pass.epoch + 1, startedAtMs: nowMs },
    beats: beats.map((own) => ({ ...own, atMs: nowMs })),
  }
}
