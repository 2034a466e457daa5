import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sum } from '#shared/base/sum.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { changedItems, draftOf } from '#shared/planner/fold.ts'
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import { plan } from '#shared/planner/plan.ts'
import { searchGroups, type Found } from '#shared/planner/repack/search.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { newWorld, tell, type World } from '#test/scenarios/world.ts'

const solver = await loadSolver()
const TYPES = ['m7a.large', 'm7a.xlarge', 'c7a.xlarge', 'r7a.xlarge', 'm7a.2xlarge']
const ZONES = ['us-east-1a', 'us-east-1b']

type NodeDraw = { type: number; zone: number; isSpot: boolean; replicas: number[] }

const herds = fc.array(
  fc.record<NodeDraw>({
    type: fc.nat(TYPES.length - 1),
    zone: fc.nat(ZONES.length - 1),
    isSpot: fc.boolean(),
    replicas: fc.array(fc.nat(2), { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 8 },
)

/** Up to three replicas a node, of three workloads; the smallest node holds three of any. */
const WORKLOADS = [
  { name: 'small', cpu: '250m', placement: '' },
  { name: 'spread', cpu: '400m', placement: 'placement.spread=zone' },
  { name: 'mid', cpu: '500m', placement: 'capacity.onDemandBase=1' },
]

/** A herd that has stood for a quarter of an hour. */
function worldOf(draws: readonly NodeDraw[]): World {
  const world = newWorld()
  const types = TYPES.join()
  tell(world, `pool general instances.types=[${types}] repack.budgets=[{nodes:100%}]`)
  const all = draws.flatMap((own) => own.replicas)
  WORKLOADS.forEach(({ name, cpu, placement }, i) => {
    const count = all.filter((own) => own === i).length
    const what = `replicas=${String(count)} resources.cpu=${cpu} resources.memory=512Mi`
    tell(world, `workload ${name} ${what} ${placement}`.trim())
  })
  draws.forEach(({ type, zone, isSpot, replicas }, i) => {
    const node = `n${String(i)}`
    const where = `${TYPES[type] ?? ''} ${ZONES[zone] ?? ''} ${isSpot ? 'spot' : 'on-demand'}`
    tell(world, `node ${node} general ${where} ready`)
    for (const own of replicas) tell(world, `replica ${WORKLOADS[own]?.name ?? ''} ${node} ready`)
  })
  rest(world)
  tell(world, 'pass +15m')
  return world
}

function look(world: World): Found {
  const { proposal: _, ...snapshot } = world
  const budget = { ...BUDGETS['5s'], trialNodesMax: 2_000, guessesMax: 2_000 }
  const found = searchGroups({ snapshot, ...plan(snapshot) }, solver, budget)
  const cost = { boundUsdPerHour: found.boundUsdPerHour, fleetUsdPerHour: 0 }
  const [groups, refused] = [[...found.groups], [...found.refused]]
  world.proposal = { kind: 'proposal', atMs: world.nowMs, cost, groups, refused }
  return found
}

/** One pass, and then everybody does what they were told; false once nothing is decided. */
function step(world: World): boolean {
  const made = plan(world)
  const { nodes, assignments, removed } = changedItems(draftOf(world), made.draft)
  const gone = new Set(removed.map(({ node }) => node.name))
  const fresh = new Set(nodes.map((own) => own.name))
  world.nodes = [...world.nodes.filter((own) => !gone.has(own.name) && !fresh.has(own.name))]
  world.nodes = [...world.nodes, ...nodes].sort((a, b) => (a.name < b.name ? -1 : 1))
  const told = new Set(assignments.map((own) => own.node))
  const kept = world.assignments.filter((own) => !gone.has(own.node) && !told.has(own.node))
  world.assignments = [...kept, ...assignments]
  world.workloadStatuses = [...made.plan.workloadStatuses]
  world.poolStatuses = [...made.plan.poolStatuses]
  for (const brake of made.plan.brakes) {
    world.brakes = [...world.brakes.filter((own) => own.pool !== brake.pool), brake]
  }
  for (const action of made.plan.actions) {
    if (action.kind === 'launch') tell(world, `deal ${action.launch.id}`)
    else if (action.kind === 'terminate') tell(world, `ended ${action.node}`)
  }
  for (const { name, phase } of world.nodes)
    if (phase !== 'terminating') tell(world, `obey ${name}`)
  tell(world, 'pass +5s')
  return made.plan.actions.length > 0
}

function rest(world: World): void {
  for (let i = 0; i < 200; i += 1) if (!step(world)) return
  expect.fail('it does not come to rest')
}

const costOf = ({ nodes }: World): number =>
  sum(nodes.map((own) => own.machine?.priceUsdPerHour ?? 0))

describe('a repack', () => {
  it('leaves every workload whole, costs less for each group, and leaves no mark behind', () => {
    let groups = 0
    fc.assert(
      fc.property(herds, (draws) => {
        const world = worldOf(draws)
        const before = costOf(world)
        const found = look(world)
        groups += found.groups.length
        rest(world)
        for (const { desired, ready, name } of world.workloadStatuses) {
          expect(ready, name).toBe(desired)
        }
        expect(world.nodes.filter((own) => own.repack !== undefined)).toEqual([])
        const isBegun = found.groups.length > 0 && costOf(world) < before
        expect(isBegun || found.groups.length === 0).toBe(true)
        expect(costOf(world)).toBeLessThanOrEqual(
          before - (isBegun ? LIMITS.repackLeastUsdPerHour : 0) + 1e-9,
        )
      }),
      { numRuns: 14, seed: 7 },
    )
    expect(groups).toBeGreaterThan(5)
  })

  it('buys what was proposed, for whom it was, and nothing that it would find itself', () => {
    const world = newWorld()
    tell(world, 'pool general instances.types=[m7a.large,c7a.xlarge,m7a.2xlarge]')
    tell(world, 'workload web replicas=2 resources.cpu=1500m resources.memory=2Gi')
    tell(world, 'node n1 general m7a.2xlarge us-east-1a spot ready')
    tell(world, 'replica web n1 ready')
    tell(world, 'replica web n1 ready')
    tell(world, 'pass +15m')
    const [uid = ''] = world.workloads.map((own) => own.uid)
    const launch = ['m7a.large/us-east-1a', 'c7a.xlarge/us-east-1a'].map((place) => ({
      ...{ pool: 'general', capacityType: 'spot' as const, places: [place], usdPerHour: 0.1 },
      boughtFor: [{ uid, count: 1 }],
    }))
    const sides = { retire: ['n1'], shift: [], launch }
    const group = { id: 'n1', reason: 'Cheaper' as const, ...sides, moves: 2 }
    world.proposal = {
      ...{ kind: 'proposal', atMs: world.nowMs, refused: [] },
      ...{ cost: { boundUsdPerHour: 0, fleetUsdPerHour: 0 } },
      groups: [{ ...group, savingUsdPerHour: 0.05 }],
    }
    const claims = plan(world).plan.actions.flatMap((own) =>
      own.kind === 'launch' ? own.launch.claims.map(({ claim }) => claim) : [],
    )
    expect(claims.map(({ places, boughtFor }) => [places[0], boughtFor])).toEqual(
      launch.map(({ places, boughtFor }) => [places[0], boughtFor]),
    )
  })

  it('proposes nothing that saves less than it must', () => {
    fc.assert(
      fc.property(herds, (draws) => {
        for (const { savingUsdPerHour, moves } of look(worldOf(draws)).groups) {
          const net = savingUsdPerHour - moves * LIMITS.repackMoveUsdPerHour
          expect(net).toBeGreaterThanOrEqual(LIMITS.repackLeastUsdPerHour - 1e-6)
        }
      }),
      { numRuns: 8, seed: 7 },
    )
  })
})
