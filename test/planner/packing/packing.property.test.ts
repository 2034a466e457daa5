import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeMachineFiller } from '#shared/planner/packing/fill-machine.ts'
import type { Solver } from '#shared/planner/packing/linear-program.ts'
import { BUDGETS, pack, packAtOnce } from '#shared/planner/packing/pack.ts'
import {
  undominated,
  type MachineType,
  type Packing,
  type PackingProblem,
  type Shape,
} from '#shared/planner/packing/problem.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { cheapestByTrying, mostByTrying, fits } from './dumb.ts'

let solver: Solver
beforeAll(async () => {
  solver = await loadSolver()
})

const gpuMilli = fc.constantFrom(0, 0, 250, 500, 700, 1000, 2000)
const shape: fc.Arbitrary<Shape> = fc.record(
  {
    cpuMilli: fc.integer({ min: 1, max: 8 }).map((own) => own * 500),
    memoryMib: fc.integer({ min: 0, max: 8 }).map((own) => own * 512),
    gpuMilli,
    count: fc.integer({ min: 1, max: 3 }),
    mostPerMachine: fc.integer({ min: 1, max: 2 }),
    takes: fc.subarray(['a', 'b', 'c']).map((own) => new Set([...own, 'largest'])),
  },
  { requiredKeys: ['cpuMilli', 'memoryMib', 'gpuMilli', 'count'] },
)
const machine: fc.Arbitrary<MachineType> = fc.record({
  name: fc.constant('a'),
  cpuMilli: fc.integer({ min: 1, max: 12 }).map((own) => own * 1000),
  memoryMib: fc.integer({ min: 1, max: 12 }).map((own) => own * 1024),
  gpus: fc.integer({ min: 0, max: 3 }),
  priceUsdPerHour: fc.integer({ min: 1, max: 40 }).map((own) => own / 10),
})
const NAMES = ['a', 'b', 'c']
/** Takes and holds one of every shape there is. */
const LARGEST: MachineType = {
  ...{ name: 'largest', cpuMilli: 4_000, memoryMib: 4_096, gpus: 2, priceUsdPerHour: 5 },
}
const problem: fc.Arbitrary<PackingProblem> = fc.record({
  shapes: fc.array(shape, { minLength: 1, maxLength: 4 }),
  machines: fc
    .array(machine, { maxLength: 3 })
    .map((own) => [...own.map((one, i) => ({ ...one, name: NAMES[i] ?? '' })), LARGEST]),
})

/** Every replica once, and no machine fuller than it can be. */
function checkPacking(
  { machines, costUsdPerHour }: Packing,
  { shapes, machines: types }: PackingProblem,
): void {
  const placed = shapes.map((_, i) =>
    machines.reduce((sum, { pattern, times }) => sum + (pattern.counts[i] ?? 0) * times, 0),
  )
  expect(placed).toEqual(shapes.map((own) => own.count))
  let cost = 0
  for (const { pattern, times } of machines) {
    const type = types[pattern.machine]
    expect(type !== undefined && fits(pattern.counts, shapes, type)).toBe(true)
    cost += times * (type?.priceUsdPerHour ?? 0)
  }
  expect(costUsdPerHour).toBeCloseTo(cost, 6)
}

describe('a packing', () => {
  it('has a place for every replica, and no machine is overfull', () => {
    fc.assert(
      fc.property(problem, (given) => {
        checkPacking(packAtOnce(given), given)
        checkPacking(pack(given, solver, BUDGETS['5s']), given)
        checkPacking(pack(given, solver, BUDGETS['60s']), given)
      }),
      { numRuns: 60 },
    )
  })

  it('costs no less than its bound, and the bound no more than the cheapest there is', () => {
    fc.assert(
      fc.property(problem, (given) => {
        const cheapest = cheapestByTrying(given)
        for (const budget of [BUDGETS['5s'], BUDGETS['60s']]) {
          const packed = pack(given, solver, budget)
          expect(packed.boundUsdPerHour).toBeLessThanOrEqual(cheapest + 1e-6)
          expect(packed.costUsdPerHour).toBeGreaterThanOrEqual(cheapest - 1e-6)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('is the same each time', () => {
    fc.assert(
      fc.property(problem, (given) => {
        expect(pack(given, solver, BUDGETS['60s'])).toEqual(pack(given, solver, BUDGETS['60s']))
      }),
      { numRuns: 20 },
    )
  })

  it('is no dearer with more work', () => {
    fc.assert(
      fc.property(problem, (given) => {
        const { costUsdPerHour } = pack(given, solver, BUDGETS['5s'])
        expect(costUsdPerHour).toBeLessThanOrEqual(packAtOnce(given).costUsdPerHour + 1e-9)
      }),
      { numRuns: 40 },
    )
  })
})

describe('the filling of a machine', () => {
  const worths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 4, maxLength: 4 })
  const wide = { width: 100_000, above: 0, others: 8, cells: 200 }

  it('is worth most where nothing had to be dropped, and bounds it where something was', () => {
    fc.assert(
      fc.property(problem, machine, worths, ({ shapes }, own, list) => {
        const worth = Float64Array.from(shapes, (_, i) => (list[i] ?? 1) / 10)
        const counts = Int32Array.from(shapes, ({ count }) => count)
        const most = mostByTrying(shapes, own, worth)
        const fill = makeMachineFiller(shapes, own)
        const found = fill({ worth, counts }, wide)
        expect(found.worth).toBeCloseTo(most, 6)
        expect(found.bound).toBeGreaterThanOrEqual(most - 1e-6)
        if (found.counts !== undefined) expect(fits(found.counts, shapes, own)).toBe(true)
        for (const other of found.others) expect(fits(other, shapes, own)).toBe(true)
        for (const cells of [0, 1, 200]) {
          const narrow = fill({ worth, counts }, { width: 1, above: 0, others: 0, cells })
          expect(narrow.bound).toBeGreaterThanOrEqual(most - 1e-6)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('is told only where it is worth more than what is asked for', () => {
    fc.assert(
      fc.property(problem, machine, worths, ({ shapes }, own, list) => {
        const worth = Float64Array.from(shapes, (_, i) => (list[i] ?? 1) / 10)
        const counts = Int32Array.from(shapes, ({ count }) => count)
        const most = mostByTrying(shapes, own, worth)
        const found = makeMachineFiller(shapes, own)({ worth, counts }, { ...wide, above: most })
        expect(found.counts).toBeUndefined()
        expect(found.worth).toBe(most)
      }),
      { numRuns: 100 },
    )
  })
})

describe('machines that can be part of a cheapest packing', () => {
  it('do without those that another one beats, and keep one of equals', () => {
    const small: MachineType = { ...LARGEST, name: 'small', cpuMilli: 1_000, priceUsdPerHour: 5 }
    const twin: MachineType = { ...LARGEST, name: 'twin' }
    const cheap: MachineType = { ...small, name: 'cheap', priceUsdPerHour: 1 }
    const machines = [small, LARGEST, twin, cheap]
    const kept = undominated({ shapes: [], machines }).map((own) => own.name)
    expect(kept).toEqual(['largest', 'cheap'])
  })

  it('keep one that is beaten only by machines which a shape may not run on', () => {
    const picky: Shape = {
      ...{ cpuMilli: 100, memoryMib: 100, gpuMilli: 0, count: 1 },
      takes: new Set(['dear']),
    }
    const dear: MachineType = { ...LARGEST, name: 'dear', priceUsdPerHour: 9 }
    const machines = [dear, LARGEST]
    expect(undominated({ shapes: [picky], machines })).toEqual(machines)
    const anywhere = { ...picky, takes: new Set(['dear', 'largest']) }
    expect(undominated({ shapes: [anywhere], machines })).toEqual([LARGEST])
  })

  it('cost no more to pack onto than all of them', () => {
    fc.assert(
      fc.property(problem, (given) => {
        const pruned = { ...given, machines: undominated(given) }
        expect(cheapestByTrying(pruned)).toBeCloseTo(cheapestByTrying(given), 6)
      }),
      { numRuns: 60 },
    )
  })
})
