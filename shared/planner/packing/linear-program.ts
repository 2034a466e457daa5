/**
 * What packing asks of a solver of linear programs: a covering problem that grows by columns.
 *
 * Minimise the cost of the columns such that each row is covered as often as it must be. The solver
 * is loaded by whoever needs it and handed in as a plain, synchronous value.
 */
export type Cover = {
  /** A column that may be used any number of times, in part too, as often as rows say. */
  add(column: Column): void
  /** The cheapest cover. Throws SolverError where the solver finds none. */
  solve(): Solved
  /** Frees what the solver holds. */
  close(): void
}

export type Column = {
  readonly cost: number
  readonly rows: readonly number[]
  /** How often one use of the column covers each of `rows`. */
  readonly counts: readonly number[]
}

export type Solved = {
  readonly cost: number
  /** How often each column is used, in the order in which they were added. */
  readonly uses: Float64Array
  /** What covering each row once more would cost. */
  readonly duals: Float64Array
}

export type Solver = {
  /** `least`: how often each row must be covered. */
  openCover(least: readonly number[]): Cover
  /**
   * A cheap cover in whole columns: the best found within so many nodes of the search, or
   * undefined where none was found.
   */
  wholeCover(problem: WholeCover, nodesMax: number): Float64Array | undefined
}

export type WholeCover = {
  readonly least: readonly number[]
  readonly columns: readonly Column[]
}
