/**
 * A trace of work as a CSV file: a row for each workload that arrives, and what it asks for.
 *
 * Columns go by name. `arrival_s` is needed; `departure_s` or `lifetime_s` says when it leaves, and
 * without either it stays. All else is what a workload's spec says, in a spec's own words, and is
 * held against the very schema that the server uses. All faults are told at once, with their lines.
 */
import { CsvError, parse } from 'csv-parse/sync'
import { LIMITS } from '#shared/model/limits.ts'
import type { ProblemFault } from '#shared/protocol/api.ts'
import { parseDocument, type Document } from '#shared/protocol/documents.ts'
import { CliError } from '../errors.ts'
import type { SourceFile } from '../files.ts'
import { listOr } from '../suggest.ts'

export type TraceRow = {
  readonly name: string
  /** From the beginning of the trace. */
  readonly arrivesMs: number
  /** Undefined: it stays. */
  readonly leavesMs: number | undefined
  readonly replicas: number
  readonly document: Document
}

const TIMES = ['arrival_s', 'departure_s', 'lifetime_s'] as const
const FIELDS = ['name', 'replicas', 'cpu', 'memory', 'gpu'] as const
const MORE_FIELDS = ['team', 'priority', 'preemptible', 'spot'] as const
const COLUMNS: readonly string[] = [...TIMES, ...FIELDS, ...MORE_FIELDS]

type Cells = Readonly<Record<string, string>>
type Line = { readonly cells: Cells; readonly line: number }
type Fault = { readonly line: number; readonly text: string }
type Read = { readonly row: TraceRow } | { readonly faults: readonly Fault[] }

/** In order of arrival. Throws CliError with every fault, up to so many. */
export function parseTrace(file: SourceFile): readonly TraceRow[] {
  const lines = linesOf(file)
  const read = lines.map(readLine)
  const faults = [
    ...read.flatMap((own) => ('faults' in own ? own.faults : [])),
    ...doublesOf(lines),
  ]
  if (faults.length > 0) throw refused(file, faults)
  const rows = read.flatMap((own) => ('row' in own ? [own.row] : []))
  return rows.toSorted((a, b) => a.arrivesMs - b.arrivesMs)
}

function linesOf(file: SourceFile): readonly Line[] {
  let parsed: readonly { record: Cells; info: { lines: number } }[]
  try {
    parsed = parse(file.text, { columns: headOf, info: true, skip_empty_lines: true, trim: true })
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause
    throw new CliError({
      ...{ code: 'BadTrace', text: `${file.name} is no CSV: ${cause.message}`, cause },
      next: 'write a head line with the names of the columns, and a line for each workload',
    })
  }
  const lines = parsed.map(({ record, info }) => ({ cells: record, line: info.lines }))
  const [first] = lines
  const head = Object.keys(first?.cells ?? {})
  const unknown = head.filter((own) => !COLUMNS.includes(own))
  if (first === undefined) throw bad(file, 'has no row')
  if (unknown.length > 0) throw bad(file, `has a column that nobody knows: ${unknown.join(', ')}`)
  if (!head.includes('arrival_s')) throw bad(file, 'has no column arrival_s')
  if (lines.length <= LIMITS.traceRowsMax) return lines
  throw bad(file, `has ${String(lines.length)} rows, of at most ${String(LIMITS.traceRowsMax)}`)
}

const headOf = (head: readonly string[]): string[] => head.map((own) => own.toLowerCase())

function bad(file: SourceFile, text: string): CliError {
  return new CliError({
    ...{ code: 'BadTrace', text: `${file.name} ${text}` },
    next: `the columns are ${listOr(COLUMNS)}`,
  })
}

function readLine({ cells, line }: Line): Read {
  const times = timesOf(cells)
  const body = bodyOf(cells, line)
  const parsed = parseDocument(body, { noun: 'workload' })
  const faults = [
    ...('fault' in times ? [times.fault] : []),
    ...(parsed.ok ? [] : parsed.faults.map(textOf)),
  ]
  if (!parsed.ok || 'fault' in times) return { faults: faults.map((text) => ({ line, text })) }
  const { document } = parsed
  const replicas = document.noun === 'workload' ? (document.spec.replicas ?? 0) : 0
  return { row: { name: document.name, ...times, replicas, document } }
}

type Times = Pick<TraceRow, 'arrivesMs' | 'leavesMs'>

function timesOf(cells: Cells): Times | { readonly fault: string } {
  const seconds = TIMES.map((name) => [name, Number(cells[name] ?? '')] as const)
  const wrong = seconds.find(([, own]) => !(own >= 0 && own <= LIMITS.traceSecondsMax))
  if (wrong !== undefined) {
    const [name] = wrong
    const most = `seconds from 0 to ${String(LIMITS.traceSecondsMax)}`
    return { fault: `${name}: "${cells[name] ?? ''}" is not in ${most}` }
  }
  if (isEmpty(cells['arrival_s'])) return { fault: 'arrival_s: is needed' }
  const [arrives, departs, lives] = seconds.map(([, own]) => own * 1000) as [number, number, number]
  const leavesMs = !isEmpty(cells['departure_s'])
    ? departs
    : isEmpty(cells['lifetime_s'])
      ? undefined
      : arrives + lives
  if (leavesMs !== undefined && leavesMs < arrives) return { fault: 'it leaves before it arrives' }
  return { arrivesMs: arrives, leavesMs }
}

const isEmpty = (cell: string | undefined): boolean => cell === undefined || cell === ''

/** The row as a person would write it in YAML: numbers and truths as such, the rest as text. */
function bodyOf(cells: Cells, line: number): object {
  const given = (name: string): string | undefined =>
    isEmpty(cells[name]) ? undefined : cells[name]
  const { cpu, memory, gpu, team, priority, preemptible, spot } = Object.fromEntries(
    [...FIELDS, ...MORE_FIELDS].map((name) => [name, given(name)]),
  )
  const resources = { cpu, memory, gpu }
  return withoutEmpty({
    ...{ kind: 'Workload', name: given('name') ?? `line-${String(line)}`, command: ['replayed'] },
    ...{ replicas: numberOr(given('replicas')) ?? 1, resources: withoutEmpty(resources), team },
    ...{ priority: numberOr(priority), preemptible: truthOr(preemptible) },
    capacity: spot === undefined ? undefined : { spot },
  })
}

function withoutEmpty(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** What is no number is left as it is, for the schema to refuse. */
function numberOr(text: string | undefined): number | string | undefined {
  const value = Number(text)
  return text === undefined || Number.isNaN(value) ? text : value
}

function truthOr(text: string | undefined): boolean | string | undefined {
  return text === 'true' ? true : text === 'false' ? false : text
}

const textOf = ({ path, message }: ProblemFault): string =>
  path === '' ? message : `${path}: ${message}`

function doublesOf(lines: readonly Line[]): readonly Fault[] {
  const first = new Map<string, number>()
  return lines.flatMap(({ cells, line }): readonly Fault[] => {
    const { name } = cells
    if (name === undefined || name === '') return []
    const before = first.get(name)
    first.set(name, before ?? line)
    return before === undefined
      ? []
      : [{ line, text: `name: ${name} stands in line ${String(before)} already` }]
  })
}

function refused(file: SourceFile, faults: readonly Fault[]): CliError {
  const shown = faults.slice(0, LIMITS.traceFaultsShown)
  const left = faults.length - shown.length
  const count = faults.length === 1 ? 'a fault' : `${String(faults.length)} faults`
  return new CliError({
    ...{ code: 'BadTrace', text: `${count} in ${file.name}` },
    faults: shown.map(({ line, text }) => ({
      path: `${file.name}:${String(line)}`,
      message: text,
    })),
    next:
      left === 0 ? 'mend them and run the command again' : `and ${String(left)} more like these`,
  })
}
