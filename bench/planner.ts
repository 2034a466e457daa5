/**
 * `npm run bench:planner`: how long a plan takes, and how that grows.
 *
 *   npm run bench:planner                          all cases
 *   npm run bench:planner -- --case burst          one of them: burst, wide, steady or scaling
 *   npm run bench:planner -- --replicas 1000       other sizes, separated by commas
 *   npm run -s bench:planner -- --json > FILE      saves what `--compare FILE` sets others against
 *
 * `burst` is Karpenter's scheduling benchmark: everything arrives at once and the herd is empty.
 * `wide` is the same with a shape for each workload, at growing sizes.
 * `steady` is a herd that has lost 1 % of its replicas; `scaling` is the same at growing sizes and
 * with a shape for each workload. A figure is the median of a few runs on a warm engine, or that of
 * one long run; `cpu ms` is the least processor time, all threads together, which is what a quiet
 * core needs and what growth is told by. A size that would keep everybody waiting is left out, and
 * a line says so. What the plans came to is judged outside the clock; exits 1 when a rule is broken
 * or a replica has no place.
 */
import { parseArgs } from 'node:util'
import { describeError } from '#shared/base/errors.ts'
import { CASES, type Case } from './planner/cases.ts'
import { exponentOf } from './planner/measure.ts'
import { compared, makeTable, readRows, type Exponents, type Row } from './planner/report.ts'

/** After a size that took so long no larger one is tried. */
const SIZE_MAX_MS = 60_000
/** Nor is one that would take so long if time grew with the square of the replicas. */
const GUESS_MAX_MS = 600_000
const FAULTS_TOLD = 5

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const note = (line: string): void => void process.stderr.write(`${line}\n`)

type Options = {
  readonly cases: readonly Case[]
  readonly json: boolean
  readonly earlier: readonly Row[] | undefined
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      case: { type: 'string' },
      replicas: { type: 'string' },
      compare: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const cases = CASES.filter(({ name }) => values.case === undefined || name === values.case)
  if (cases.length === 0) {
    throw new Error(`--case is one of ${CASES.map(({ name }) => name).join(', ')}`)
  }
  const sizes = values.replicas?.split(',').map(Number)
  if (sizes?.every((own) => Number.isInteger(own) && own >= 100) === false) {
    throw new Error('--replicas is a whole number of at least 100, or several with commas between')
  }
  return {
    cases: sizes === undefined ? cases : cases.map((own) => ({ ...own, sizes })),
    json: values.json,
    earlier: values.compare === undefined ? undefined : readRows(values.compare),
  }
}

/** Every size of the case that nobody has to wait too long for. */
function measureCase({ name, sizes, measure }: Case, take: (row: Row) => void): readonly Row[] {
  const rows: Row[] = []
  for (const replicas of sizes.toSorted((a, b) => a - b)) {
    const last = rows.at(-1)
    if (last !== undefined && isTooLong(last, replicas)) {
      const seconds = (last.planMs / 1000).toFixed(0)
      note(`${name} ${String(replicas)}: left out, ${String(last.replicas)} took ${seconds} s`)
      continue
    }
    const row = measure(replicas, (text) => {
      note(`${name} ${String(replicas)}: ${text}`)
    })
    rows.push(row)
    take(row)
  }
  return rows
}

function isTooLong(last: Row, replicas: number): boolean {
  const guessMs = last.planMs * (replicas / last.replicas) ** 2
  return last.planMs > SIZE_MAX_MS || guessMs > GUESS_MAX_MS
}

/** The exponents of a case; undefined where there are too few sizes, or nothing ever rests. */
function exponentsOf(rows: readonly Row[]): Exponents | undefined {
  const of = (key: keyof Exponents): Exponents => {
    const points = rows.flatMap((own) => {
      const ms = own[key]
      return ms === undefined ? [] : [{ replicas: own.replicas, ms }]
    })
    if (points.length < 4) return {}
    return { [key]: { all: exponentOf(points), largest: exponentOf(points.slice(-2)) } }
  }
  const found = { ...of('planCpuMs'), ...of('restCpuMs'), ...of('coldCpuMs') }
  return Object.keys(found).length === 0 ? undefined : found
}

const MEASURED = { planCpuMs: 'plan', restCpuMs: 'rest', coldCpuMs: 'cold' } as const

function tellExponents(name: string, exponents: Exponents): void {
  const told = Object.entries(exponents).map(([key, { all, largest }]) => {
    const what = MEASURED[key as keyof Exponents]
    return `${what} as replicas^${all.toFixed(2)} (^${largest.toFixed(2)} over the largest two)`
  })
  say(`${name} grows, in processor time: ${told.join(', ')}`)
}

function complain({ case: name, replicas, broken, placed, sought }: Row): boolean {
  const faults = broken.slice(0, FAULTS_TOLD)
  if (broken.length > faults.length) faults.push(`and ${String(broken.length)} faults in all`)
  if (placed < sought) faults.push(`${String(sought - placed)} replicas have no place`)
  for (const fault of faults) note(`${name} ${String(replicas)}: BROKEN, ${fault}`)
  return faults.length > 0
}

function run({ cases, json, earlier }: Options): void {
  const table = makeTable(earlier !== undefined)
  if (!json) say(table.head)
  const rows = cases.flatMap((own) => {
    const found = measureCase(own, (row) => {
      if (complain(row)) process.exitCode = 1
      if (!json) say(table.line(compared(row, earlier ?? [])))
    })
    const exponents = exponentsOf(found)
    if (exponents === undefined) return found
    if (!json) tellExponents(own.name, exponents)
    return found.map((row) => ({ ...row, exponents }))
  })
  if (json) say(JSON.stringify({ rows: rows.map((own) => compared(own, earlier ?? [])) }))
}

function prepare(): Options {
  try {
    return readOptions()
  } catch (error) {
    note(describeError(error))
    process.exit(2)
  }
}

run(prepare())
