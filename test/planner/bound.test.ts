import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { boundOf, carriedProblem, type Bound, type Planned } from '#shared/planner/bound.ts'
import type { Solver } from '#shared/planner/packing/linear-program.ts'
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import { plan } from '#shared/planner/plan.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { newWorld, tell } from '../scenarios/world.ts'

let solver: Solver
beforeAll(async () => {
  solver = await loadSolver()
})

const FAMILIES = ['m7a', 'c7a', 'g4dn']
const POOLS = [
  'pool general instances.families=[m7a,c7a] instances.maxVcpu=16',
  'pool gpu instances.families=[g4dn] taints=[{key:gpu}]',
]

function planned(...lines: readonly string[]): Planned {
  const world = newWorld()
  world.catalog = world.catalog.filter((own) => FAMILIES.includes(own.family))
  const names = new Set(world.catalog.map((own) => own.name))
  world.offerings = world.offerings.filter((own) => names.has(own.instanceType))
  for (const line of [...POOLS, ...lines]) tell(world, line)
  return { snapshot: world, ...plan(world) }
}

const boundFor = (...lines: readonly string[]): Bound =>
  boundOf(planned(...lines), solver, BUDGETS['5s'])

/** USD an hour of the cheapest offering there is. */
function cheapest(of: { family?: string; capacityType: string }): number {
  const { snapshot } = planned()
  const prices = snapshot.offerings
    .filter((own) => own.capacityType === of.capacityType)
    .filter((own) => own.instanceType.startsWith(of.family ?? ''))
    .map((own) => own.priceUsdPerHour)
  return Math.min(...prices)
}

describe('the bound', () => {
  it('is what one small replica costs on the cheapest machine', () => {
    const { boundUsdPerHour, fleetUsdPerHour } = boundFor('workload web replicas=1')
    expect(boundUsdPerHour).toBeCloseTo(cheapest({ capacityType: 'spot' }), 5)
    expect(fleetUsdPerHour).toBeCloseTo(boundUsdPerHour, 5)
  })

  it('is nothing where nothing is to be carried', () => {
    expect(boundFor()).toMatchObject({ boundUsdPerHour: 0, fleetUsdPerHour: 0 })
    const huge = 'workload web replicas=3 resources.gpu=99'
    expect(boundFor(huge)).toMatchObject({ boundUsdPerHour: 0, fleetUsdPerHour: 0 })
  })

  it('counts a machine for each replica that shuns its like', () => {
    const { boundUsdPerHour } = boundFor('workload web replicas=3 placement.antiAffinity=node')
    expect(boundUsdPerHour).toBeCloseTo(3 * cheapest({ capacityType: 'spot' }), 5)
  })

  it('keeps to the pools and the families that a workload asks for', () => {
    const asks = 'tolerations=[{key:gpu}] placement.pools=[gpu]'
    const { boundUsdPerHour } = boundFor(`workload web replicas=1 ${asks}`)
    expect(boundUsdPerHour).toBeCloseTo(cheapest({ family: 'g4dn', capacityType: 'spot' }), 5)
    const { shapes } = carriedProblem(planned('workload web replicas=1'))
    const machines = shapes.flatMap(({ takes }) => [...(takes ?? [])])
    expect(machines.filter((name) => name.startsWith('gpu/'))).toEqual([])
  })

  it('pays for on-demand machines where the base asks for them', () => {
    const { boundUsdPerHour } = boundFor('workload web replicas=1 capacity.onDemandBase=1')
    expect(boundUsdPerHour).toBeCloseTo(cheapest({ capacityType: 'on-demand' }), 5)
  })

  it('takes alike workloads for one shape, and keeps apart those of different groups', () => {
    const alike = ['workload a replicas=2', 'workload b replicas=3']
    expect(carriedProblem(planned(...alike)).shapes.map((own) => own.count)).toEqual([5])
    const apart = alike.map((line) => `${line} placement.antiAffinity=node`)
    expect(carriedProblem(planned(...apart)).shapes.map((own) => own.count)).toEqual([2, 3])
  })

  it('is never more than the fleet costs that drover buys', () => {
    const workload = fc.record({
      replicas: fc.integer({ min: 0, max: 9 }),
      cpu: fc.constantFrom('100m', '500m', '1', '3'),
      memory: fc.constantFrom('128Mi', '1Gi', '6Gi'),
      gpu: fc.constantFrom('0', '0', '500m', '1'),
      spot: fc.constantFrom('allowed', 'never', 'required'),
      base: fc.integer({ min: 0, max: 2 }),
      rule: fc.constantFrom('', 'placement.spread=zone', 'placement.antiAffinity=node'),
    })
    fc.assert(
      fc.property(fc.array(workload, { minLength: 1, maxLength: 4 }), (workloads) => {
        const lines = workloads.map(
          (own, i) =>
            `workload w${String(i)} replicas=${String(own.replicas)} resources.cpu=${own.cpu} ` +
            `resources.memory=${own.memory} resources.gpu=${own.gpu} capacity.spot=${own.spot} ` +
            `capacity.onDemandBase=${String(own.base)} ${own.rule} tolerations=[{key:gpu}]`,
        )
        const { boundUsdPerHour, fleetUsdPerHour } = boundFor(...lines)
        expect(boundUsdPerHour).toBeLessThanOrEqual(fleetUsdPerHour + 1e-6)
      }),
      { numRuns: 40 },
    )
  })
})
