/**
 * A run's rows: for people as a table, for machines as JSON, and beside those of an earlier run.
 */
import { readFileSync } from 'node:fs'

export type Row = {
  readonly case: string
  readonly replicas: number
  readonly nodes: number
  /** All that was planned until each had its place; the median of `runs`. */
  readonly planMs: number
  /** The same in processor time; the least of `runs`, as others on the machine only add to it. */
  readonly planCpuMs: number
  /** Replicas that got a place, by `planMs`. */
  readonly replicasPerSecond: number
  /** All that is alive while the snapshot and its plan are held. */
  readonly heapMiB: number
  /** The fullest that the heap was while planning, garbage and all. */
  readonly peakHeapMiB: number
  readonly runs: number
  readonly workloads: number
  /** Replicas that had no place before. */
  readonly sought: number
  /** Those of them that are bound, or have a place on a machine that the plans buy. */
  readonly placed: number
  /** What the audit found, one line each. */
  readonly broken: readonly string[]
  /** Burst: as a pass buys no more than so much, it may take several. */
  readonly passes?: number
  readonly firstPassMs?: number
  readonly firstPassPlaced?: number
  readonly usdPerHour?: number
  readonly nodeSpreadMost?: number
  /** Herds: a pass that finds nothing to do, and the first pass of somebody who knows nothing. */
  readonly restMs?: number
  readonly restCpuMs?: number
  readonly coldMs?: number
  readonly coldCpuMs?: number
  /** The same on every row of a case that was measured at three sizes or more. */
  readonly exponents?: Exponents
  /** Over the same row of the run that it is compared with. */
  readonly ratios?: Ratios
}

/** By what power of the replicas processor time grows: over all sizes, and the largest two. */
export type Exponents = Readonly<Partial<Record<'planCpuMs' | 'restCpuMs' | 'coldCpuMs', Power>>>
type Power = { readonly all: number; readonly largest: number }

type Ratios = Readonly<Record<'planMs' | 'planCpuMs' | 'heapMiB', number>>

/** The rows of a file that `--json` has written. */
export function readRows(path: string): readonly Row[] {
  const { rows } = JSON.parse(readFileSync(path, 'utf8')) as { rows?: readonly Row[] }
  if (!Array.isArray(rows)) throw new Error(`${path} has no rows; save one with --json`)
  return rows
}

/** The row with its ratios, where the earlier run has the same case at the same size. */
export function compared(row: Row, earlier: readonly Row[]): Row {
  const old = earlier.find((own) => own.case === row.case && own.replicas === row.replicas)
  if (old === undefined) return row
  const ratioOf = (key: keyof Ratios): number => row[key] / old[key]
  const [planMs, planCpuMs] = [ratioOf('planMs'), ratioOf('planCpuMs')]
  return { ...row, ratios: { planMs, planCpuMs, heapMiB: ratioOf('heapMiB') } }
}

type Column = {
  readonly title: string
  readonly width: number
  readonly cell: (row: Row) => string
}

const figure = (value: number | undefined, digits = 0): string => value?.toFixed(digits) ?? '-'

const COLUMNS: readonly Column[] = [
  { title: 'case', width: -8, cell: (row) => row.case },
  { title: 'replicas', width: 8, cell: (row) => figure(row.replicas) },
  { title: 'workloads', width: 9, cell: (row) => figure(row.workloads) },
  { title: 'nodes', width: 6, cell: (row) => figure(row.nodes) },
  { title: 'placed/of', width: 13, cell: (row) => `${figure(row.placed)}/${figure(row.sought)}` },
  { title: 'passes', width: 6, cell: (row) => figure(row.passes ?? 1) },
  { title: 'plan ms', width: 9, cell: (row) => figure(row.planMs) },
  { title: 'cpu ms', width: 7, cell: (row) => figure(row.planCpuMs) },
  { title: 'placed/s', width: 8, cell: (row) => figure(row.replicasPerSecond) },
  {
    title: 'by cpu',
    width: 8,
    cell: (row) => figure((row.placed / row.planCpuMs) * 1000),
  },
  { title: '1st pass', width: 8, cell: (row) => figure(row.firstPassMs) },
  { title: 'rest ms', width: 8, cell: (row) => figure(row.restMs, 1) },
  { title: 'cold ms', width: 8, cell: (row) => figure(row.coldMs) },
  { title: 'live MiB', width: 8, cell: (row) => figure(row.heapMiB) },
  { title: 'peak MiB', width: 8, cell: (row) => figure(row.peakHeapMiB) },
  { title: 'USD/h', width: 8, cell: (row) => figure(row.usdPerHour, 2) },
  { title: 'runs', width: 4, cell: (row) => figure(row.runs) },
]

const RATIO_COLUMNS: readonly Column[] = [
  { title: '× plan', width: 7, cell: (row) => figure(row.ratios?.planMs, 2) },
  { title: '× cpu', width: 7, cell: (row) => figure(row.ratios?.planCpuMs, 2) },
  { title: '× live', width: 7, cell: (row) => figure(row.ratios?.heapMiB, 2) },
]

export type Table = {
  readonly head: string
  line(row: Row): string
}

/** With ratios where rows are compared with others. */
export function makeTable(isCompared: boolean): Table {
  const columns = isCompared ? [...COLUMNS, ...RATIO_COLUMNS] : COLUMNS
  const lineOf = (text: (column: Column) => string): string =>
    columns.map((own) => padded(text(own), own.width)).join(' ')
  return {
    head: lineOf((own) => own.title),
    line: (row) => lineOf((own) => own.cell(row)),
  }
}

/** To the right in so many columns, or to the left where they are negative. */
function padded(text: string, width: number): string {
  return width < 0 ? text.padEnd(-width) : text.padStart(width)
}
