/**
 * One replay from its files to its report: how long it lasts, when the herd is looked at, and with
 * how much work.
 */
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import { SEARCH_BUDGET } from '#shared/planner/repack/search.ts'
import type { Document } from '#shared/protocol/documents.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { CliError } from '../errors.ts'
import type { SourceFile } from '../files.ts'
import { replay } from './replay.ts'
import { reportPage } from './report-page.ts'
import { factsOf, reportOf } from './report.ts'
import type { Storm } from './storm.ts'
import { summaryOf, type Summary } from './summary.ts'
import { parseTrace, type TraceRow } from './trace.ts'

export type SessionSetup = {
  readonly trace: SourceFile
  /** Pools and teams. */
  readonly documents: readonly Document[]
  readonly seed: number
  readonly storms: readonly Storm[]
  /** From the beginning; undefined: with the trace. */
  readonly endsMs: number | undefined
  readonly onProgress: (hours: number, ofHours: number) => void
}

export type Session = {
  readonly summary: Summary
  readonly facts: readonly (readonly [string, string])[]
  /** HTML. */
  readonly page: string
}

const HOUR_MS = 3_600_000
/** After the last change, so that what it brings about is seen. */
const AFTERMATH_MS = HOUR_MS
/** Points of a plot, and those of them that are worth a bound. */
const SAMPLES = 400
const BOUNDS = 40
const SAMPLE_LEAST_HOURS = 1 / 12
/** So many instances each place sells: a deep market, where storms alone make shortages. */
const CAPACITY = 10_000
/** As the queue's debounce has it at the least; passes are what takes time in a long replay. */
const PASS_EVERY_MS = 15_000

/** Throws CliError for a trace that cannot be replayed. */
export async function replayTrace(setup: SessionSetup): Promise<Session> {
  const { trace, documents, seed, storms, onProgress } = setup
  const rows = parseTrace(trace)
  const hours = hoursOf(rows, setup)
  const late = storms.find(({ atMs }) => atMs >= hours * HOUR_MS)
  if (late !== undefined) {
    const text = `a storm comes after ${String(late.atMs / HOUR_MS)} hours, of ${String(hours)}`
    throw new CliError({ code: 'StormTooLate', text, next: 'let it come before the end' })
  }
  const everyHours = Math.max(SAMPLE_LEAST_HOURS, hours / SAMPLES)
  const samples = Math.max(1, Math.floor(hours / everyHours))
  const boundEvery = Math.max(1, Math.ceil(samples / BOUNDS))
  const sampleHours = Array.from({ length: samples }, (_, i) => (i + 1) * everyHours)
  const done = await replay({
    ...{ rows, documents, hours, storms, seed, sampleHours },
    ...{ capacity: CAPACITY, passEveryMs: PASS_EVERY_MS, solver: await loadSolver() },
    lookBudget: { ...BUDGETS['5s'], ...SEARCH_BUDGET },
    boundBudget: BUDGETS['5s'],
    boundHours: new Set(sampleHours.filter((_, i) => (i + 1) % boundEvery === 0)),
    onProgress: (own) => {
      onProgress(own, hours)
    },
  })
  const arrived = rows.filter((own) => own.arrivesMs < hours * HOUR_MS)
  const summary = summaryOf(done, { hours, workloads: arrived.length })
  const report = reportOf(done, summary, `What ${trace.name} would have cost`)
  return { summary, facts: factsOf(summary), page: reportPage(report) }
}

/** In whole hours. */
function hoursOf(rows: readonly TraceRow[], { endsMs }: Pick<SessionSetup, 'endsMs'>): number {
  const moments = rows.map(({ arrivesMs, leavesMs }) => leavesMs ?? arrivesMs)
  const last = moments.reduce((a, b) => Math.max(a, b), 0)
  return Math.max(1, Math.ceil((endsMs ?? last + AFTERMATH_MS) / HOUR_MS))
}
