/**
 * Column generation: the patterns of a cheapest packing, what a replica of each shape is worth in
 * it, and a cost that no packing can fall below.
 *
 * The linear program over the patterns known so far says what covering one more replica would cost.
 * Machine by machine, a knapsack then looks for fillings that are worth more at these prices than
 * the machine costs; those found are new patterns. Prices are held back towards the best ones so
 * far, which keeps them from swinging. Whatever the prices are, no fleet is cheaper than all
 * replicas at their price, divided by the most that any machine is worth beyond its cost: the bound
 * holds whenever the search is stopped. Far from the end only fillings worth a good deal more than
 * their machine matter, and to prove that there are none is quick; so what is looked for follows
 * the gap between the program's cost and the bound.
 *
 * Source: Gilmore and Gomory (1961); Farley, A note on bounding a class of linear programming
 * problems (1990); Wentges, Weighted Dantzig–Wolfe decomposition (1997).
 */
import { makeCloseFiller } from './fill-closely.ts'
import { makeMachineFiller, type MachineFiller } from './fill-machine.ts'
import type { Cover, Solver } from './linear-program.ts'
import { cheapestAlone, type PackingProblem, type Pattern } from './problem.ts'
import { makeSharesBook } from './shares.ts'

export type GenerateBudget = {
  /** Rounds of one linear program and one look or two at every machine. */
  readonly roundsMax: number
  /** Unfinished fillings looked at, in all. */
  readonly nodesMax: number
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
const HOLD_BACK = 0.6
/** Fillings that go on at a time when a machine is looked at. */
const FIRST_WIDTH = 64
/** The same of a closer look, once the first ones leave a doubt; more as long as those do. */
const CLOSE_WIDTH = 1_024
const WIDTH_GROWTH = 4
const WIDTH_MAX = 262_144
/** More patterns of each machine from one look: the program chooses, and fewer looks are needed. */
const OTHERS = 8
const CLOSE_OTHERS = 32
/** Cells of the tables that bound fillings, for each shape. */
const CELLS = 2_000
/** A pattern must be worth this share of its price beyond it to count as news. */
const LEAST_SLACK = 1e-6
/** Of the gap between the program's cost and the bound, what a filling must be worth beyond. */
const SLACK = 0.25
/** Closer than this the bound and the cost are the same. */
const CLOSE = 2e-4

/** Every shape must fit on some machine. */
export function generate(
  problem: PackingProblem,
  solver: Solver,
  budget: GenerateBudget,
): Generated {
  const cover = solver.openCover(problem.shapes.map((own) => own.count))
  try {
    return search(problem, openPatterns(problem, cover), { cover, budget })
  } finally {
    cover.close()
  }
}

type Means = { readonly cover: Cover; readonly budget: GenerateBudget }

function search(
  problem: PackingProblem,
  patterns: PatternBook,
  { cover, budget: { roundsMax, nodesMax } }: Means,
): Generated {
  const lookAround = makeLookAround(problem)
  let solved = cover.solve()
  let best: Priced = { boundUsdPerHour: 0, fair: solved.duals }
  let [width, nodes] = [0, 0]
  const gap = (): number => Math.min(1, solved.cost / best.boundUsdPerHour - 1)
  const look = (worth: Float64Array, slack = SLACK * Math.max(CLOSE, gap())): number => {
    const looked = lookAround(worth, { width, slack })
    nodes += looked.nodes
    if (looked.boundUsdPerHour > best.boundUsdPerHour) best = looked
    return looked.fillings.filter((own) => patterns.add(own, solved.duals)).length
  }
  for (let round = 0; round < roundsMax && nodes < nodesMax; round += 1) {
    let added = look(between(best.fair, solved.duals))
    const { boundUsdPerHour } = best
    if (added === 0) added = look(solved.duals)
    if (added > 0) solved = cover.solve()
    else if (best.boundUsdPerHour === boundUsdPerHour) width = wider(width)
    if (width > WIDTH_MAX || gap() < CLOSE) break
  }
  if (gap() < CLOSE) look(solved.duals, LEAST_SLACK)
  const { uses, duals } = solved
  return { patterns: patterns.all, uses, worth: duals, boundUsdPerHour: best.boundUsdPerHour }
}

const wider = (width: number): number => (width === 0 ? CLOSE_WIDTH : width * WIDTH_GROWTH)

type Priced = {
  readonly boundUsdPerHour: number
  /** Prices at which no machine is known to be worth more than it costs. */
  readonly fair: Float64Array
}

type Looked = Priced & { readonly fillings: readonly Pattern[]; readonly nodes: number }

type Look = {
  /** Unfinished fillings that go on in a closer look; none: there is no closer look. */
  readonly width: number
  /** The share of its price that a machine must be worth beyond it. */
  readonly slack: number
}

/** Fills every machine at these prices. */
function makeLookAround(problem: PackingProblem): (worth: Float64Array, look: Look) => Looked {
  const { shapes, machines } = problem
  const fillers = makeFillers(problem)
  const counts = Int32Array.from(shapes, (own) => own.count)
  return (worth: Float64Array, { width, slack }: Look): Looked => {
    const fillings: Pattern[] = []
    let [nodes, dearest] = [0, 1]
    machines.forEach(({ priceUsdPerHour }, machine) => {
      const above = priceUsdPerHour * (1 + slack)
      const { first, closely } = fillers[machine] as Fillers
      let found = first({ worth, counts }, { ...FIRST_LOOK, above })
      let { bound } = found
      nodes += found.nodes
      if (width > 0 && bound > above) {
        found = closely({ worth, counts }, { ...CLOSE_LOOK, width, above })
        bound = Math.min(bound, found.bound)
        nodes += found.nodes
      }
      if (found.counts !== undefined) fillings.push({ machine, counts: found.counts })
      for (const other of found.others) fillings.push({ machine, counts: other })
      dearest = Math.max(dearest, bound / priceUsdPerHour)
    })
    const total = shapes.reduce((sum, { count }, i) => sum + count * (worth[i] ?? 0), 0)
    const fair = worth.map((own) => own / dearest)
    return { fillings, nodes, boundUsdPerHour: total / dearest, fair }
  }
}

const FIRST_LOOK = { width: FIRST_WIDTH, others: OTHERS, cells: CELLS }
const CLOSE_LOOK = { others: CLOSE_OTHERS, cells: CELLS }

type Fillers = { readonly first: MachineFiller; readonly closely: MachineFiller }

function makeFillers({ shapes, machines }: PackingProblem): readonly Fillers[] {
  const book = makeSharesBook()
  return machines.map((own) => ({
    first: makeMachineFiller(shapes, own, book),
    closely: makeCloseFiller(shapes, own),
  }))
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
      return worth > cost * (1 + LEAST_SLACK) && put(pattern, cost)
    },
  }
}
