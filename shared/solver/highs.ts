/**
 * The solver: HiGHS, compiled to WebAssembly.
 *
 * It is loaded once, which takes a moment and is asynchronous; after that every call is plain and
 * synchronous. What it allocates is not JavaScript's to collect, so each model is closed.
 */
import highsModule, { type Highs, type Model } from 'highs'
import { DroverError } from '../base/errors.ts'
import type { Column, Cover, Solver } from '../planner/packing/linear-program.ts'

export class SolverError extends DroverError {
  constructor(seen: unknown) {
    super({
      code: 'SolverFailed',
      text: 'the solver found no cover',
      seen,
      next: 'every row needs a column that covers it; otherwise this is a bug',
    })
  }
}

/** The package's types describe how CommonJS sees it; what is imported is the function itself. */
const loadHighs = highsModule as unknown as typeof highsModule.default

let loading: Promise<Solver> | undefined

/** The solver, loaded once; throws where WebAssembly is not to be had, and tries anew then. */
export function loadSolver(): Promise<Solver> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined
    throw error
  })
  return loading
}

async function load(): Promise<Solver> {
  const highs = await loadHighs()
  return {
    openCover: (least) => openCover(highs, least),
    wholeCover: ({ least, columns }, nodesMax) => {
      const model = makeModel(highs, least)
      try {
        for (const [i, column] of columns.entries()) {
          addColumn(highs, model, column)
          model.changeColIntegrality(i, highs.constants.variableType.integer)
        }
        model.options.set({ mip_max_nodes: nodesMax, mip_rel_gap: WHOLE_GAP })
        const colValue = solutionOf(highs, model)
        return covers(colValue, { least, columns }) ? colValue : undefined
      } finally {
        model.dispose()
      }
    },
  }
}

/** Whole covers are not searched further once they are proven to be this near the best. */
const WHOLE_GAP = 2e-4
const EPSILON = 1e-6

function openCover(highs: Highs, least: readonly number[]): Cover {
  const model = makeModel(highs, least)
  // Columns come after every solution, so the basis stays a good start and presolve would undo it.
  model.options.set({ solver: 'simplex', presolve: 'off' })
  return {
    add: (column) => {
      addColumn(highs, model, column)
    },
    solve: () => {
      model.run()
      const status = model.getModelStatus()
      if (status !== highs.constants.modelStatus.optimal) throw new SolverError(status)
      const { colValue, rowDual } = model.getSolution()
      return { cost: model.getObjectiveValue(), uses: colValue, duals: rowDual }
    },
    close: () => {
      model.dispose()
    },
  }
}

function makeModel(highs: Highs, least: readonly number[]): Model {
  const model = highs.createModel()
  model.options.set({ output_flag: false })
  for (const own of least) model.addRow(own, highs.infinity, { indices: [], values: [] })
  return model
}

function addColumn(highs: Highs, model: Model, { cost, rows, counts }: Column): void {
  model.addCol(cost, 0, highs.infinity, { indices: rows, values: counts })
}

/** The best that was found before the search ended; empty where nothing was. */
function solutionOf(highs: Highs, model: Model): Float64Array {
  model.run()
  const isFound =
    model.info.get('primal_solution_status') === highs.constants.solutionStatus.feasible
  return isFound ? model.getSolution().colValue : new Float64Array()
}

function covers(
  uses: Float64Array,
  { least, columns }: { least: readonly number[]; columns: readonly Column[] },
): boolean {
  if (uses.length !== columns.length) return false
  const covered = new Float64Array(least.length)
  for (const [j, { rows, counts }] of columns.entries()) {
    const times = Math.round(uses[j] ?? 0)
    rows.forEach((row, k) => {
      covered[row] = (covered[row] ?? 0) + times * (counts[k] ?? 0)
    })
  }
  return least.every((own, row) => (covered[row] ?? 0) >= own - EPSILON)
}
