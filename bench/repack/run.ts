/**
 * One herd over some virtual days, and how far its cost is from the bound.
 */
import { sum } from '#shared/base/sum.ts'
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import { SEARCH_BUDGET } from '#shared/planner/repack/search.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { replay, type Replay } from '#cli/simulate/replay.ts'
import type { Sample } from '#cli/simulate/sample.ts'
import { costOf } from '#cli/simulate/summary.ts'
import { threadCpuMsNow } from '../measure/processor.ts'
import type { Replica } from '../packing/data.ts'
import { documentOf, workOf } from './work.ts'

export type Job = {
  readonly seed: number
  readonly replicas: number
  readonly days: number
  readonly repack: 'cheaper' | 'never'
  /** Nodes that may be on the move at once; undefined as the product has it. */
  readonly budget: string | undefined
}

export type Row = Job & {
  readonly nodes: number
  /**
   * What an hour costs over the bound at its beginning, less one; prices stand still within it.
   * Means outside and inside the hours after a storm, and the worst outside; null where none is.
   */
  readonly meanGap: number | null
  readonly stormGap: number | null
  readonly worstGap: number | null
  readonly movesPerReplicaDay: number
  readonly interruptedPerReplicaDay: number
  readonly costUsd: number
  readonly cpuMs: number
}

const STORM_HOURS = [48, 120, 192]
const STORM_SHARE = 0.3
const AFTER_STORM_HOURS = 3
const BOUND_EVERY_HOURS = 6
/** So many instances each place sells: storms alone make shortages. */
const CAPACITY = 20_000
/** As on AWS a pass comes seconds after what it answers; every few seconds would take too long. */
const PASS_EVERY_MS = 15_000
const HOUR_MS = 3_600_000

export type Progress = (hours: number, row: Row | undefined) => void

export async function runHerd(
  job: Job,
  shapes: readonly Replica[],
  onHour: Progress,
): Promise<Row> {
  const { seed, replicas, days } = job
  const hours = days * 24
  const storms = STORM_HOURS.filter((own) => own < hours)
  const boundHours = new Set([
    ...every(BOUND_EVERY_HOURS, hours),
    ...storms.flatMap((own) => every(1, AFTER_STORM_HOURS).map((after) => own + after)),
  ])
  const startedMs = threadCpuMsNow()
  const done = await replay({
    ...{ seed, hours, rows: workOf({ seed, replicas, hours, shapes }), documents: [poolOf(job)] },
    ...{ capacity: CAPACITY, passEveryMs: PASS_EVERY_MS, solver: await loadSolver() },
    lookBudget: { ...BUDGETS['60s'], ...SEARCH_BUDGET },
    boundBudget: BUDGETS['5s'],
    storms: storms.map((own) => ({ atMs: own * HOUR_MS, share: STORM_SHARE })),
    sampleHours: every(1, hours),
    boundHours,
    onProgress: (hour, samples) => {
      const isBound = samples.at(-2)?.bound !== undefined
      onHour(hour, isBound ? rowOf(job, { samples, replay: undefined, startedMs }) : undefined)
    },
  })
  return rowOf(job, { samples: done.samples, replay: done, startedMs })
}

const every = (step: number, hours: number): readonly number[] =>
  Array.from({ length: Math.floor(hours / step) }, (_, i) => (i + 1) * step)

function poolOf({ repack, budget }: Job): ReturnType<typeof documentOf> {
  const budgets = budget === undefined ? {} : { budgets: [{ nodes: budget }] }
  return documentOf('pool', { kind: 'Pool', name: 'general', repack: { when: repack, ...budgets } })
}

type Seen = {
  readonly samples: readonly Sample[]
  readonly replay: Replay | undefined
  readonly startedMs: number
}

function rowOf(job: Job, { samples, replay: done, startedMs }: Seen): Row {
  const bounded = samples.flatMap((own, i) => {
    const next = samples[i + 1]
    if (next === undefined || own.bound === undefined) return []
    const usd = costOf({ cost: next.billed }) - costOf({ cost: own.billed })
    const hours = (next.atMs - own.atMs) / HOUR_MS
    const gap = usd / hours / own.bound.boundUsdPerHour - 1
    return [{ gap, isStorm: isAfterStorm(i + 1) }]
  })
  const [calm, stormy] = [false, true].map((isStorm) =>
    bounded.filter((own) => own.isStorm === isStorm).map(({ gap }) => gap),
  ) as [number[], number[]]
  const last = samples.at(-1)
  const replicaDays = done?.replicaDays ?? sum(samples.map((own) => own.wanted)) / 24
  const counts = last?.counts ?? { repackMoves: 0, interrupted: 0 }
  return {
    ...job,
    nodes: Math.round(mean(samples.map((own) => own.nodes))),
    meanGap: calm.length === 0 ? null : mean(calm),
    stormGap: stormy.length === 0 ? null : mean(stormy),
    worstGap: calm.length === 0 ? null : Math.max(...calm),
    movesPerReplicaDay: counts.repackMoves / replicaDays,
    interruptedPerReplicaDay: counts.interrupted / replicaDays,
    costUsd: done === undefined ? sum(samples.map(costOf)) : costOf({ cost: done.bill }),
    cpuMs: threadCpuMsNow() - startedMs,
  }
}

/** A storm strikes just before the sample of its hour is taken. */
const isAfterStorm = (hour: number): boolean =>
  STORM_HOURS.some((own) => hour >= own && hour <= own + AFTER_STORM_HOURS)

const mean = (values: readonly number[]): number => sum(values) / Math.max(1, values.length)
