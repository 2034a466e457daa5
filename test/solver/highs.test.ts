import { beforeAll, describe, expect, it } from 'vitest'
import type { Solver } from '#shared/planner/packing/linear-program.ts'
import { loadSolver, SolverError } from '#shared/solver/highs.ts'

let solver: Solver
beforeAll(async () => {
  solver = await loadSolver()
})

describe('the solver', () => {
  it('covers rows in parts, tells their duals, and goes on as columns come', () => {
    const cover = solver.openCover([3, 2])
    cover.add({ cost: 1, rows: [0], counts: [1] })
    cover.add({ cost: 1, rows: [1], counts: [1] })
    const apart = cover.solve()
    expect(apart.cost).toBeCloseTo(5)
    expect([...apart.duals]).toEqual([1, 1])
    cover.add({ cost: 1, rows: [0, 1], counts: [2, 1] })
    const together = cover.solve()
    expect(together.cost).toBeCloseTo(2)
    expect([...together.uses]).toEqual([0, 0.5, 1.5])
    cover.close()
  })

  it('throws where a row has no column that covers it', () => {
    const cover = solver.openCover([1])
    expect(() => cover.solve()).toThrow(SolverError)
    cover.close()
  })

  it('covers in whole columns', () => {
    const columns = [
      { cost: 3, rows: [0], counts: [2] },
      { cost: 2, rows: [0], counts: [1] },
    ]
    const uses = solver.wholeCover({ least: [3], columns }, 1_000)
    expect(uses?.map(Math.round)).toEqual(Float64Array.of(1, 1))
    expect(solver.wholeCover({ least: [1], columns: [] }, 1_000)).toBeUndefined()
  })
})
