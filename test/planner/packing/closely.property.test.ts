import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeCloseFiller } from '#shared/planner/packing/fill-closely.ts'
import type { Filling, FillLimits } from '#shared/planner/packing/fill-machine.ts'
import { generate } from '#shared/planner/packing/generate.ts'
import type { Solver } from '#shared/planner/packing/linear-program.ts'
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import type { MachineType, PackingProblem, Shape } from '#shared/planner/packing/problem.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { cheapestByTrying, fits, mostByTrying } from './dumb.ts'

let solver: Solver
beforeAll(async () => {
  solver = await loadSolver()
})

/** Mostly parts that fit in sum and not device by device; some of no round size. */
const gpuMilli = fc.constantFrom(0, 110, 250, 333, 334, 470, 500, 501, 650, 810, 1000, 2000)
const shape: fc.Arbitrary<Shape> = fc.record(
  {
    cpuMilli: fc.integer({ min: 0, max: 8 }).map((own) => own * 500),
    memoryMib: fc.integer({ min: 0, max: 8 }).map((own) => own * 512),
    gpuMilli,
    count: fc.integer({ min: 1, max: 4 }),
    mostPerMachine: fc.integer({ min: 1, max: 2 }),
  },
  { requiredKeys: ['cpuMilli', 'memoryMib', 'gpuMilli', 'count'] },
)
const machine: fc.Arbitrary<MachineType> = fc.record({
  name: fc.constant('own'),
  cpuMilli: fc.integer({ min: 4, max: 16 }).map((own) => own * 1000),
  memoryMib: fc.integer({ min: 4, max: 16 }).map((own) => own * 1024),
  gpus: fc.integer({ min: 0, max: 3 }),
  priceUsdPerHour: fc.integer({ min: 10, max: 40 }).map((own) => own / 10),
})
const shapes = fc.array(shape, { minLength: 1, maxLength: 4 })
const worths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 4, maxLength: 4 })
const WIDE: FillLimits = { width: 100_000, above: 0, others: 8, cells: 200 }

type Asked = { readonly all: readonly Shape[]; readonly own: MachineType; readonly worth: Worth }
type Worth = Float64Array

function fill({ all, own, worth }: Asked, limits: FillLimits): Filling {
  const counts = Int32Array.from(all, ({ count }) => count)
  return makeCloseFiller(all, own)({ worth, counts }, limits)
}

const asked: fc.Arbitrary<Asked> = fc.tuple(shapes, machine, worths).map(([all, own, list]) => {
  return { all, own, worth: Float64Array.from(all, (_, i) => (list[i] ?? 1) / 10) }
})

describe('the closest filling of a machine', () => {
  it('is worth most where nothing had to be dropped', () => {
    fc.assert(
      fc.property(asked, (given) => {
        const most = mostByTrying(given.all, given.own, given.worth)
        const found = fill(given, WIDE)
        expect(found.worth).toBeCloseTo(most, 6)
        expect(found.bound).toBeCloseTo(most, 6)
        for (const counts of [found.counts ?? [], ...found.others]) {
          expect(fits(counts, given.all, given.own)).toBe(true)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('is bounded however little is looked at, and however roughly', () => {
    fc.assert(
      fc.property(asked, fc.constantFrom(1, 7, 50, 400), (given, cells) => {
        const most = mostByTrying(given.all, given.own, given.worth)
        for (const width of [1, 2, 5]) {
          const found = fill(given, { ...WIDE, width, cells })
          expect(found.bound).toBeGreaterThanOrEqual(most - 1e-6)
          expect(found.worth).toBeLessThanOrEqual(most + 1e-6)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('is told only where it is worth more than what is asked for', () => {
    fc.assert(
      fc.property(asked, (given) => {
        const above = mostByTrying(given.all, given.own, given.worth)
        const found = fill(given, { ...WIDE, above })
        expect(found.counts).toBeUndefined()
        expect(found.bound).toBeCloseTo(above, 6)
        const less = fill(given, { ...WIDE, above: above * 0.9 })
        expect(less.worth).toBeCloseTo(above, 6)
      }),
      { numRuns: 200 },
    )
  })

  it('is right again and again, as worth and counts change', () => {
    fc.assert(
      fc.property(asked, fc.array(worths, { maxLength: 5 }), ({ all, own }, lists) => {
        const filler = makeCloseFiller(all, own)
        for (const [n, list] of lists.entries()) {
          const left = all.map((one) => ({ ...one, count: Math.max(0, one.count - n) }))
          const worth = Float64Array.from(all, (_, i) => (list[i] ?? 1) / 10)
          const counts = Int32Array.from(left, ({ count }) => count)
          const found = filler({ worth, counts }, WIDE)
          expect(found.worth).toBeCloseTo(mostByTrying(left, own, worth), 6)
        }
      }),
      { numRuns: 100 },
    )
  })
})

/** Holds two of every shape there is. */
const LARGEST: MachineType = {
  ...{ name: 'largest', cpuMilli: 8_000, memoryMib: 8_192, gpus: 4, priceUsdPerHour: 9 },
}
const problem: fc.Arbitrary<PackingProblem> = fc.record({
  shapes,
  machines: fc
    .array(machine, { maxLength: 2 })
    .map((own) => [...own.map((one, i) => ({ ...one, name: `own-${String(i)}` })), LARGEST]),
})

describe('the bound of a packing with parts of devices', () => {
  it('is no more than the cheapest there is, wherever the search stops', () => {
    fc.assert(
      fc.property(problem, fc.integer({ min: 1, max: 12 }), (given, roundsMax) => {
        const cheapest = cheapestByTrying(given)
        for (const budget of [{ ...BUDGETS['60s'], roundsMax }, BUDGETS['60s']]) {
          const { boundUsdPerHour } = generate(given, solver, budget)
          expect(boundUsdPerHour).toBeLessThanOrEqual(cheapest + 1e-6)
        }
      }),
      { numRuns: 100 },
    )
  })
})
