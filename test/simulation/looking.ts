/**
 * The solver as a world's functions get it, and the little work that they may take there.
 */
import type { GenerateBudget } from '#shared/planner/packing/generate.ts'
import type { SearchBudget } from '#shared/planner/repack/search.ts'
import type { Solver } from '#shared/planner/packing/linear-program.ts'
import { loadSolver } from '#shared/solver/highs.ts'

/** Loaded before any world begins: in a world nothing is awaited but ports. */
const loaded = await loadSolver()

export const LOOKING: {
  readonly solver: () => Promise<Solver>
  readonly budget: GenerateBudget & SearchBudget
} = {
  solver: () => Promise.resolve(loaded),
  budget: { roundsMax: 2, nodesMax: 300, trialNodesMax: 200, guessesMax: 100 },
}
