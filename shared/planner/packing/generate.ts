/**
 * Column generation: the patterns of a cheapest packing, what a replica of each shape is worth in
 * it, and a cost that no packing can fall below.
 *
 * The linear program over the patterns known so far says what covering one more replica would cost.
 * Machine by machine, a knapsack then looks for a filling that is worth more at these prices than
 * the machine costs; every one found is a new pattern. Prices are held back towards the best ones
 * so far, which keeps them from swinging. Whatever the prices are, no fleet is cheaper than all
 * replicas at their price, divided by the most that any machine is worth beyond its cost: the bound
 * holds whenever the search is stopped.
 *
 * Source: Gilmore and Gomory (1961); Farley, A note on bounding a class of linear programming
 * problems (1990); Wentges, Weighted Dantzig–Wolfe decomposition (1997).
 */
import { makeMachineFiller, type Filling, type MachineFiller } from './fill-machine.ts'
import type { Cover, Solver } from './linear-program.ts'
import {
  cheapestAlone,
  mostAlone,
  RESOURCES,
  type PackingProblem,
  type Pattern,
} from './problem.ts'

export type GenerateBudget = {
  /** Rounds of one linear program and one look at every machine. */
  readonly roundsMax: number
  /** Unfinished fillings looked at, in all. */
  readonly nodesMax: number
  /** Times that the solver itself fills the machines that are still in doubt, and its nodes. */
  readonly exactRoundsMax: number
  readonly exactNodesMax: number
}

export type Generated = {
  readonly patterns: readonly Pattern[]
  /** How often the linear program uses each pattern; in part too. */
  readonly uses: Float64Array
  /** By shape: USD an hour. */
  readonly worth: Float64Array
  /** No packing, in whole machines or in parts, costs less. */
  readonly boundUsdPerHour: number
}

/** The share of the best prices so far in those that are tried. */
const HOLD_BACK = 0.3
/** Fillings that go on at a time in the first rounds; more once nothing is found with so few. */
const FIRST_WIDTH = 16
const WIDTH_GROWTH = 4
const WIDTH_MAX = 4_096
/** From here on the solver is asked instead, where it may be. */
const WIDTH_IN_DOUBT = 64
/** A filling must be worth so much more than its machine to count as news. */
const GAIN = 1 + 1e-6
/** Closer than this the bound and the cost are the same. */
const CLOSE = 1e-4

/** Every shape must fit on some machine. */
export function generate(
  problem: PackingProblem,
  solver: Solver,
  budget: GenerateBudget,
): Generated {
  const cover = solver.openCover(problem.shapes.map((own) => own.count))
  try {
    return search(problem, openPatterns(problem, cover), { cover, budget, solver })
  } finally {
    cover.close()
  }
}

type Means = {
  readonly cover: Cover
  readonly budget: GenerateBudget
  readonly solver: Solver
}

function search(
  problem: PackingProblem,
  patterns: PatternBook,
  { cover, budget, solver }: Means,
): Generated {
  const fillers = problem.machines.map((own) => makeMachineFiller(problem.shapes, own))
  const ask = askSolver(problem, solver, budget.exactNodesMax)
  const widest = budget.exactRoundsMax > 0 ? WIDTH_IN_DOUBT : WIDTH_MAX
  let solved = cover.solve()
  let best: Priced | undefined
  let [width, nodes, exactRounds] = [FIRST_WIDTH, 0, 0]
  const look = (worth: Float64Array, exact?: Exact): number => {
    const looked = lookAround(problem, fillers, { worth, width, exact })
    nodes += looked.nodes
    if (best === undefined || looked.boundUsdPerHour > best.boundUsdPerHour) best = looked
    return looked.fillings.filter((own) => patterns.add(own, solved.duals)).length
  }
  for (let round = 0; round < budget.roundsMax && nodes < budget.nodesMax; round += 1) {
    let added = best === undefined ? 0 : look(between(best.fair, solved.duals))
    if (added === 0) added = look(solved.duals)
    if (added === 0 && width < widest) {
      width *= WIDTH_GROWTH
      continue
    }
    if (added === 0 && exactRounds < budget.exactRoundsMax) {
      exactRounds += 1
      added = look(solved.duals, ask)
    }
    if (added === 0) break
    solved = cover.solve()
    if (solved.cost - (best?.boundUsdPerHour ?? 0) < CLOSE * solved.cost) break
  }
  const { uses, duals } = solved
  const boundUsdPerHour = best?.boundUsdPerHour ?? 0
  return { patterns: patterns.all, uses, worth: duals, boundUsdPerHour }
}

type Priced = {
  readonly boundUsdPerHour: number
  /** Prices at which no machine is known to be worth more than it costs. */
  readonly fair: Float64Array
}

type Looked = Priced & { readonly fillings: readonly Pattern[]; readonly nodes: number }

type Look = {
  readonly worth: Float64Array
  readonly width: number
  /** Settles what the machine's own search leaves in doubt. */
  readonly exact: Exact | undefined
}

type Exact = (machine: number, worth: Float64Array) => Pick<Filling, 'counts' | 'bound'>

/** Fills every machine at these prices. */
function lookAround(
  { shapes, machines }: PackingProblem,
  fillers: readonly MachineFiller[],
  { worth, width, exact }: Look,
): Looked {
  const fillings: Pattern[] = []
  let [nodes, dearest] = [0, 1]
  const counts = Int32Array.from(shapes, (own) => own.count)
  const take = (machine: number, found: Pick<Filling, 'counts' | 'bound'>): number => {
    if (found.counts !== undefined) fillings.push({ machine, counts: found.counts })
    return found.bound
  }
  machines.forEach(({ priceUsdPerHour }, machine) => {
    const limits = { width, above: priceUsdPerHour * GAIN }
    const found = fillers[machine]?.({ worth, counts }, limits)
    if (found === undefined) return
    nodes += found.nodes
    let bound = take(machine, found)
    const isInDoubt = bound > Math.max(found.worth, priceUsdPerHour) * (1 + CLOSE)
    if (exact !== undefined && isInDoubt) {
      bound = Math.min(bound, take(machine, exact(machine, worth)))
    }
    dearest = Math.max(dearest, bound / priceUsdPerHour)
  })
  const total = shapes.reduce((sum, { count }, i) => sum + count * (worth[i] ?? 0), 0)
  const fair = worth.map((own) => own / dearest)
  return { fillings, nodes, boundUsdPerHour: total / dearest, fair }
}

/** Has the solver fill a machine, devices counted in all. */
function askSolver({ shapes, machines }: PackingProblem, solver: Solver, nodesMax: number): Exact {
  return (machine, worth) => {
    const own = machines[machine]
    if (own === undefined) return { counts: undefined, bound: 0 }
    const some = shapes.flatMap((shape, i) => (mostAlone(shape, own) > 0 ? [{ shape, i }] : []))
    const items = some.map(({ shape, i }) => ({
      worth: worth[i] ?? 0,
      needs: RESOURCES.map(({ need }) => need(shape)),
      most: mostAlone(shape, own),
    }))
    const room = RESOURCES.map((resource) => resource.room(own))
    const found = solver.bestFilling({ room, items }, nodesMax)
    const isWhole = own.gpus <= 1 || shapes.every(({ gpuMilli }) => gpuMilli % 1000 === 0)
    if (found.counts === undefined || !isWhole) return { counts: undefined, bound: found.bound }
    const counts = new Int32Array(shapes.length)
    some.forEach(({ i }, k) => {
      counts[i] = found.counts?.[k] ?? 0
    })
    return { counts, bound: found.bound }
  }
}

function between(held: Float64Array, duals: Float64Array): Float64Array {
  return duals.map((own, i) => HOLD_BACK * (held[i] ?? 0) + (1 - HOLD_BACK) * own)
}

type PatternBook = {
  readonly all: readonly Pattern[]
  /** True where the pattern is new and lowers the linear program's cost at these duals. */
  add(pattern: Pattern, duals: Float64Array): boolean
}

/** Begins with each shape alone, on the machine on which one replica of it costs least. */
function openPatterns({ shapes, machines }: PackingProblem, cover: Cover): PatternBook {
  const all: Pattern[] = []
  const known = new Set<string>()
  const put = (pattern: Pattern, cost: number): boolean => {
    const name = `${String(pattern.machine)}:${pattern.counts.join()}`
    if (known.has(name)) return false
    known.add(name)
    all.push(pattern)
    const rows = [...pattern.counts.keys()].filter((i) => (pattern.counts[i] ?? 0) > 0)
    cover.add({ cost, rows, counts: rows.map((i) => pattern.counts[i] ?? 0) })
    return true
  }
  shapes.forEach((shape, i) => {
    const { machine, most, cost } = cheapestAlone(shape, machines)
    const counts = new Int32Array(shapes.length)
    counts[i] = most
    put({ machine, counts }, cost)
  })
  return {
    all,
    add: (pattern, duals) => {
      const cost = machines[pattern.machine]?.priceUsdPerHour ?? Infinity
      const worth = pattern.counts.reduce((sum, n, i) => sum + n * (duals[i] ?? 0), 0)
      return worth > cost * GAIN && put(pattern, cost)
    },
  }
}
