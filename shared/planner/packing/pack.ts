/**
 * The cheapest packing that can be found with so much work, and how near the best it is.
 *
 * At once: greedily, a replica being worth what it costs alone. With more work: column generation
 * gives patterns and worth; as many whole machines are bought as its program uses of each pattern,
 * and what is left is packed greedily at its prices, or in whole patterns by the solver, whichever
 * is cheaper. Work is counted, never timed, so the same problem is always packed the same way.
 */
import { generate, type GenerateBudget, type Generated } from './generate.ts'
import { packGreedily, worthAlone } from './greedy.ts'
import type { Solver } from './linear-program.ts'
import type { PackingProblem, Packing, Pattern } from './problem.ts'

export type PackBudget = GenerateBudget & {
  /** Nodes of the search for whole patterns; none: it is not asked. */
  readonly wholeNodesMax: number
}

/**
 * Work that takes about as long on one core: what a person waits for, and what a repack may take.
 */
export const BUDGETS = {
  '5s': {
    ...{ roundsMax: 400, nodesMax: 4_000_000, wholeNodesMax: 0 },
  },
  '60s': {
    ...{ roundsMax: 2_000, nodesMax: 30_000_000, wholeNodesMax: 2_000 },
  },
} as const satisfies Readonly<Record<string, PackBudget>>

export type Packed = Packing & {
  /** No packing costs less. */
  readonly boundUsdPerHour: number
}

/** Unfinished fillings that go on at a time when a machine is bought at once. */
const FILL_WIDTH = 8
/** Machines that are filled so before one of them is bought. */
const FINALISTS = 8

/** Every shape must fit on some machine. */
export function packAtOnce(problem: PackingProblem): Packing {
  return packGreedily(problem, {
    worth: worthAlone(problem),
    width: FILL_WIDTH,
    finalists: FINALISTS,
  })
}

/** Every shape must fit on some machine. */
export function pack(problem: PackingProblem, solver: Solver, budget: PackBudget): Packed {
  const generated = generate(problem, solver, budget)
  const whole = wholeMachines(generated, problem)
  const rest = { ...problem, shapes: leftAfter(problem, whole) }
  const fillings = [
    packGreedily(rest, {
      worth: positive(generated.worth, problem),
      width: FILL_WIDTH,
      finalists: FINALISTS,
    }),
    ...wholePatterns(rest, { generated, solver, nodesMax: budget.wholeNodesMax }),
  ]
  const fill = fillings.reduce((a, b) => (b.costUsdPerHour < a.costUsdPerHour ? b : a))
  const found: Packing = {
    machines: [...whole.machines, ...fill.machines],
    costUsdPerHour: whole.costUsdPerHour + fill.costUsdPerHour,
  }
  return { ...cheaper(found, packAtOnce(problem)), boundUsdPerHour: generated.boundUsdPerHour }
}

const cheaper = (a: Packing, b: Packing): Packing => (b.costUsdPerHour < a.costUsdPerHour ? b : a)

/** What the program uses of each pattern, rounded down, no replica twice. */
function wholeMachines(
  { patterns, uses }: Generated,
  { shapes, machines: types }: PackingProblem,
): Packing {
  const left = Int32Array.from(shapes, (own) => own.count)
  const machines: { pattern: Pattern; times: number }[] = []
  let costUsdPerHour = 0
  patterns.forEach((pattern, j) => {
    for (let n = Math.floor((uses[j] ?? 0) + WHOLE); n > 0; n -= 1) {
      const counts = pattern.counts.map((count, i) => Math.min(count, left[i] ?? 0))
      counts.forEach((count, i) => {
        left[i] = (left[i] ?? 0) - count
      })
      machines.push({ pattern: { machine: pattern.machine, counts }, times: 1 })
      costUsdPerHour += types[pattern.machine]?.priceUsdPerHour ?? 0
    }
  })
  return { machines, costUsdPerHour }
}

/** Rounding up from here on is what floating point owes. */
const WHOLE = 1e-7

function leftAfter({ shapes }: PackingProblem, { machines }: Packing): PackingProblem['shapes'] {
  return shapes.map((shape, i) => {
    const placed = machines.reduce(
      (sum, { pattern, times }) => sum + (pattern.counts[i] ?? 0) * times,
      0,
    )
    return { ...shape, count: shape.count - placed }
  })
}

/** A shape that costs nothing more is packed all the same. */
function positive(worth: Float64Array, problem: PackingProblem): Float64Array {
  const alone = worthAlone(problem)
  return worth.map((own, i) => Math.max(own, LEAST_WORTH * (alone[i] ?? 0)))
}

const LEAST_WORTH = 1e-3

type Whole = { readonly generated: Generated; readonly solver: Solver; readonly nodesMax: number }

/** The rest in whole patterns: those that the program could use at little loss. */
function wholePatterns(
  { shapes, machines }: PackingProblem,
  { generated, solver, nodesMax }: Whole,
): readonly Packing[] {
  if (nodesMax === 0) return []
  const priceOf = ({ machine }: Pattern): number => machines[machine]?.priceUsdPerHour ?? 0
  const lossOf = (own: Pattern): number => {
    const worth = own.counts.reduce((sum, n, i) => sum + n * (generated.worth[i] ?? 0), 0)
    return 1 - worth / priceOf(own)
  }
  const losses = new Map(generated.patterns.map((own) => [own, lossOf(own)]))
  const near = [...losses.keys()]
    .filter((own) => (losses.get(own) ?? 1) <= NEAR)
    .sort((a, b) => (losses.get(a) ?? 1) - (losses.get(b) ?? 1))
    .slice(0, WHOLE_COLUMNS_MAX)
  const columns = near.map((own) => {
    const rows = [...own.counts.keys()].filter((i) => (own.counts[i] ?? 0) > 0)
    return { cost: priceOf(own), rows, counts: rows.map((i) => own.counts[i] ?? 0) }
  })
  const uses = solver.wholeCover({ least: shapes.map((own) => own.count), columns }, nodesMax)
  if (uses === undefined) return []
  const generatedRest = { ...generated, patterns: near, uses: uses.map(Math.round) }
  return [wholeMachines(generatedRest, { shapes, machines })]
}

/** A pattern is near if its replicas are worth their machine's price, less this share of it. */
const NEAR = 0.1
/** The nearest; with more of them each node of the search takes too long. */
const WHOLE_COLUMNS_MAX = 800
