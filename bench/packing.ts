/**
 * `npm run bench:packing`: what the packing costs over the proven bound, and how long it takes.
 *
 *   npm run bench:packing                        the public sets, each with every budget
 *   npm run bench:packing -- --set openb1000     one of them
 *   npm run bench:packing -- --budget 5s         one budget: instant, 5s or 60s
 *   npm run bench:packing -- --replicas F [--types F]   another set
 *
 *   npm run -s bench:packing -- --json > FILE    saves what `--compare FILE` sets others against
 *
 * `--data DIR` is where the public files lie (`openb-pods.csv`, `instance-types-wide.csv`,
 * `bounds.json`); without them a synthetic set is packed. `--placements DIR` writes who went where.
 * Budgets are counted in work and were chosen so that they take as long on one idle core here.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Solver } from '#shared/planner/packing/linear-program.ts'
import { BUDGETS, pack, packAtOnce, type Packed } from '#shared/planner/packing/pack.ts'
import type { Packing } from '#shared/planner/packing/problem.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { cpuMsNow } from './measure/processor.ts'
import type { NamedProblem } from './packing/data.ts'
import { checkPlacements, placementsOf, writePlacements } from './packing/placements.ts'
import { firstFitDecreasing } from './packing/reference.ts'
import { openSets } from './packing/sets.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: join('..', 'shared', 'data') },
    replicas: { type: 'string' },
    types: { type: 'string' },
    set: { type: 'string' },
    budget: { type: 'string' },
    placements: { type: 'string' },
    compare: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

type Budget = 'instant' | keyof typeof BUDGETS

type Row = {
  readonly set: string
  readonly budget: Budget | 'first fit decreasing'
  readonly replicas: number
  readonly costUsdPerHour: number
  /** The best bound that the same budget found; null where it looks for none. */
  readonly boundUsdPerHour: number | null
  /** Over the proven bound, or the own one where nobody has proven one. */
  readonly overBound: number | null
  /** The own bound over the proven one. */
  readonly boundOverProven: number | null
  /** Of one core; the machine may be busy with other things, which only `ms` counts. */
  readonly cpuMs: number
  readonly ms: number
  /** Over the same row of the run that it is compared with; null where that has none. */
  readonly costOverEarlier: number | null
}

type Time = Pick<Row, 'cpuMs' | 'ms'>

/** Tells how long it has been since. */
function stopwatch(): () => Time {
  const [beforeMs, startMs] = [cpuMsNow(), performance.now()]
  return () => ({ cpuMs: cpuMsNow() - beforeMs, ms: performance.now() - startMs })
}

const earlier: readonly Row[] =
  values.compare === undefined
    ? []
    : (JSON.parse(readFileSync(values.compare, 'utf8')) as { rows: readonly Row[] }).rows

function overEarlier({ set, budget, costUsdPerHour }: Omit<Row, 'costOverEarlier'>): number | null {
  const before = earlier.find((own) => own.set === set && own.budget === budget)
  return before === undefined ? null : costUsdPerHour / before.costUsdPerHour
}

const compared = (row: Omit<Row, 'costOverEarlier'>): Row => {
  return { ...row, costOverEarlier: overEarlier(row) }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const ALL: readonly Budget[] = ['instant', '5s', '60s']

/** Those that were asked for by name, or all of them; ends the command where there is none such. */
function namedBy<T>(
  option: 'set' | 'budget',
  all: readonly T[],
  nameOf: (one: T) => string,
): readonly T[] {
  const wanted = values[option]
  const asked = all.filter((own) => wanted === undefined || nameOf(own) === wanted)
  if (asked.length > 0) return asked
  process.stderr.write(`--${option} is one of ${all.map(nameOf).join(', ')}\n`)
  process.exit(2)
}

function measure(named: NamedProblem, budget: Budget, solver: Solver): Row {
  const { set, problem, workload, provenUsdPerHour } = named
  const read = stopwatch()
  const packed: Packing & Partial<Packed> =
    budget === 'instant' ? packAtOnce(problem) : pack(problem, solver, BUDGETS[budget])
  const time = read()
  const placements = placementsOf(packed, named)
  checkPlacements(placements, named)
  if (values.placements !== undefined) {
    mkdirSync(values.placements, { recursive: true })
    writePlacements(values.placements, `${set}-${budget}`, placements)
  }
  const own = packed.boundUsdPerHour ?? null
  const bound = provenUsdPerHour ?? own
  return compared({
    ...{ set, budget, replicas: workload.replicasOf.flat().length },
    costUsdPerHour: packed.costUsdPerHour,
    boundUsdPerHour: own,
    overBound: bound === null ? null : packed.costUsdPerHour / bound,
    boundOverProven: own === null || provenUsdPerHour === undefined ? null : own / provenUsdPerHour,
    ...time,
  })
}

function reference({ set, problem, workload, provenUsdPerHour }: NamedProblem): Row {
  const read = stopwatch()
  const costUsdPerHour = firstFitDecreasing(problem)
  return compared({
    ...{ set, budget: 'first fit decreasing', replicas: workload.replicasOf.flat().length },
    costUsdPerHour,
    ...{ boundUsdPerHour: null, boundOverProven: null },
    overBound: provenUsdPerHour === undefined ? null : costUsdPerHour / provenUsdPerHour,
    ...read(),
  })
}

const COLUMNS = [14, 22, 9, 11, 11, 8, 8, 8, 9]

function tell(cells: readonly string[]): void {
  say(
    cells
      .map((own, i) => (i < 2 ? own.padEnd(COLUMNS[i] ?? 0) : own.padStart(COLUMNS[i] ?? 0)))
      .join(' '),
  )
}

const figure = (value: number | null, digits: number): string =>
  value === null ? '-' : value.toFixed(digits)

function tellRow(row: Row): void {
  tell([
    ...[row.set, row.budget, String(row.replicas), figure(row.costUsdPerHour, 2)],
    ...[figure(row.boundUsdPerHour, 2), figure(row.overBound, 4)],
    ...[figure(row.boundOverProven, 4), figure(row.cpuMs, 0)],
    ...(values.compare === undefined ? [] : [figure(row.costOverEarlier, 4)]),
  ])
}

const solver = await loadSolver()
const sets = openSets({ data: values.data, replicas: values.replicas, types: values.types })
const asked = namedBy('set', sets, (own) => own.set)
const budgets = namedBy('budget', ALL, (own) => own)
const rows: Row[] = []
const take = (row: Row): void => {
  rows.push(row)
  if (!values.json) tellRow(row)
}
if (!values.json) {
  tell([
    ...['set', 'budget', 'replicas', 'USD/h', 'bound', 'over', 'proven', 'cpu ms'],
    ...(values.compare === undefined ? [] : ['earlier']),
  ])
}
for (const named of asked) {
  if (values.budget === undefined) take(reference(named))
  for (const budget of budgets) take(measure(named, budget, solver))
}
if (values.json)
  say(JSON.stringify({ rows: rows.filter((own) => own.budget !== 'first fit decreasing') }))
