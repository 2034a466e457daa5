import { describe, expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { capOn, type Failed } from '#shared/planner/brake/failed.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell, type World } from '../scenarios/world.ts'

const MINUTE_MS = 60_000

/** A pool with so many machines in their burn-in, each of which fails. */
function failing(count: number, more = ''): World {
  const world = newWorld()
  tell(world, `pool general launch.ami=ami-1 ${more}`)
  for (let i = 1; i <= count; i += 1) fail(world, `n${String(i)}`)
  return world
}

function fail(world: World, name: string): void {
  tell(world, `node ${name} general m7a.large us-east-1a spot testing`)
  tell(world, `verdict ${name} FAIL sums-differ`)
}

/** What the plan leaves of the pool's brake, which the next plan reads. */
function brakeAfter(world: World) {
  const made = plan(world).plan
  if (made.brakes.length > 0) world.brakes = [...made.brakes]
  return must(world.brakes[0], 'a brake')
}

function set(world: World, name: string, words: string): void {
  tell(world, `set ${name} ${words}`)
}

describe('a make in doubt', () => {
  it('shows as a condition of its pool, with image, suite and counts', () => {
    const made = plan(failing(3)).plan
    expect(made.poolStatuses[0]?.conditions).toMatchObject([
      {
        type: 'BrakeApplied',
        reason: 'BrakeApplied',
        text: expect.stringMatching(
          /^3 of the last 3 machines with image ami-1 and suite basic#\w+ failed their burn-in/,
        ),
      },
    ])
    expect(made.notices).toMatchObject([
      { object: 'pool/general', reason: { code: 'BrakeTripped' } },
    ])
  })

  it('is told of once, and looked at again when its brake ends', () => {
    const world = failing(3)
    brakeAfter(world)
    world.nodes = []
    const next = plan(world).plan
    expect(next.notices).toEqual([])
    expect(next.brakes).toEqual([])
    expect(next.nextAtMs).toBe(world.nowMs + LIMITS.brakeWindowMs)
    world.nowMs += LIMITS.brakeWindowMs
    const last = plan(world).plan
    expect(last.notices).toMatchObject([{ reason: { code: 'BrakeEnded' } }])
    expect(last.poolStatuses[0]?.conditions).toEqual([])
    expect(last.brakes[0]?.makes).toBeUndefined()
  })

  it('needs three instances: one that fails again and again is one', () => {
    const world = failing(1)
    for (let i = 0; i < 4; i += 1) {
      brakeAfter(world)
      world.nowMs += MINUTE_MS
    }
    fail(world, 'n2')
    const { makes } = brakeAfter(world)
    expect(makes?.[0]?.outcomes).toHaveLength(2)
    expect(makes?.[0]?.trippedAtMs).toBeUndefined()
  })

  it('is in doubt after a release only for what failed since', () => {
    const world = failing(3)
    brakeAfter(world)
    tell(world, 'order release-brake general')
    world.nodes = []
    brakeAfter(world)
    for (const name of ['n4', 'n5', 'n6']) fail(world, name)
    const released = brakeAfter(world)
    expect(released.makes?.[0]?.trippedAtMs).toBeUndefined()
    world.nodes = []
    const endsMs = world.nowMs + LIMITS.brakeWindowMs
    world.nowMs += 5 * MINUTE_MS
    fail(world, 'n7')
    brakeAfter(world)
    world.nodes = []
    expect(plan(world).plan.nextAtMs).toBe(endsMs)
    world.nowMs = endsMs
    expect(brakeAfter(world).makes?.[0]?.trippedAtMs).toBe(endsMs)
  })

  it('remembers ten outcomes for a day, and twenty makes', () => {
    const world = failing(15)
    expect(brakeAfter(world).makes?.[0]?.outcomes).toHaveLength(LIMITS.makeOutcomesKept)
    world.nodes = []
    for (let i = 0; i < 30; i += 1) {
      fail(world, `o${String(i)}`)
      set(
        world,
        `o${String(i)}`,
        `burnIn={attempt:1,suite:s${String(i)},startedAtMs:0,deadlineMs:1}`,
      )
      must(world.verdicts.at(-1), 'a verdict').suite = `s${String(i)}`
    }
    const { makes = [] } = brakeAfter(world)
    expect(makes).toHaveLength(LIMITS.makesKept)
    expect(makes.every(({ suite }) => /^s\d+$/.test(suite))).toBe(true)
    world.nodes = []
    world.nowMs += LIMITS.makeMemoryMs
    expect(brakeAfter(world)).not.toHaveProperty('makes')
  })
})

describe('what may be replaced in an hour', () => {
  const nodesOf = (count: number) => failing(count).nodes
  const failed = (count: number, usdPerHour = 0.01): Failed =>
    Array.from({ length: count }, (_, i) => ({ instanceId: `i-${String(i)}`, atMs: i, usdPerHour }))
  const cap = (some: Failed, nodes = nodesOf(10), more = '') => {
    const [pool] = failing(0, more).pools
    return capOn(some, { name: 'general', pool, nodes })
  }

  it('is twenty machines, or a fifth of a large pool', () => {
    expect(cap(failed(20))).toBeUndefined()
    expect(cap(failed(21))).toMatchObject({ code: 'ReplacementLimit', atMs: 3_600_000 })
    expect(cap(failed(23))).toMatchObject({ atMs: 3_600_002 })
    const large = nodesOf(200)
    expect(cap(failed(40), large)).toBeUndefined()
    expect(cap(failed(41), large)).toMatchObject({
      text: expect.stringMatching(/^41 machines of pool general, \$0.41\/h, .* at most 40 and/),
    })
  })

  it('is ten dollars an hour, or a fifth of what the pool costs, and three machines', () => {
    expect(cap(failed(3, 100))).toBeUndefined()
    expect(cap(failed(4, 3))).toMatchObject({ text: expect.stringMatching(/\$12.00.*\$10.00/) })
    expect(cap(failed(4, 3), undefined, 'limits.costPerHour=100')).toBeUndefined()
    expect(cap(failed(4, 6), undefined, 'limits.costPerHour=100')).toMatchObject({
      atMs: 3_600_000,
    })
    const dear = nodesOf(10).map((own) => {
      const machine = must(own.machine, 'a machine')
      return { ...own, machine: { ...machine, priceUsdPerHour: 30 } }
    })
    expect(cap(failed(4, 14), dear)).toBeUndefined()
    expect(cap(failed(5, 14), dear)).toBeDefined()
  })
})
