/**
 * Crowded nodes, and somebody who has a right to room on them: nobody is sent away in vain.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import { typeByName } from '#shared/catalog/catalog.ts'
import { parseMib, parseMilli } from '#shared/model/quantities.ts'
import type { Plan } from '#shared/planner/actions.ts'
import { changedItems, draftOf } from '#shared/planner/fold.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell, type World } from '../scenarios/world.ts'
import { sentAwayInVain, victimsOf } from './in-vain.ts'

/** What a node is filled with, one after the other: it takes what still has room. */
const SIZES = ['300m', '500m', '700m', '1', '1500m', '2500m']

const sized = fc.record({
  cpu: fc.constantFrom(...SIZES),
  memory: fc.constantFrom('64Mi', '64Mi', '2Gi', '6Gi'),
})

const crowds = fc.record({
  /** For each node the borrowers that are put there, as far as they fit, each a minute later. */
  nodes: fc.array(fc.array(fc.nat(SIZES.length - 1), { minLength: 4, maxLength: 9 }), {
    minLength: 1,
    maxLength: 3,
  }),
  memories: fc.array(fc.constantFrom('64Mi', '64Mi', '1Gi', '3Gi'), {
    minLength: SIZES.length,
    maxLength: SIZES.length,
  }),
  priorities: fc.array(fc.constantFrom(0, 0, 5), {
    minLength: SIZES.length,
    maxLength: SIZES.length,
  }),
  entitled: fc.array(fc.tuple(sized, fc.integer({ min: 1, max: 4 })), {
    minLength: 1,
    maxLength: 2,
  }),
  /** Else they are less important work of the same team. */
  areLoans: fc.boolean(),
})
type Crowd = typeof crowds extends fc.Arbitrary<infer T> ? T : never

const TYPE = 'm7a.xlarge'

function worldOf({ nodes, memories, priorities, entitled, areLoans }: Crowd): World {
  const world = newWorld()
  world.catalog = world.catalog.filter((own) => own.name === TYPE)
  world.offerings = world.offerings.filter((own) => own.instanceType === TYPE)
  const cpus = String(nodes.length * 4)
  tell(world, `pool general instances.types=[${TYPE}] limits.cpu=${cpus} repack.when=never`)
  tell(world, 'team owner quota.cpu=100 quota.memory=400Gi')
  tell(world, 'team guest quota.cpu=0 quota.memory=0')
  const counts = SIZES.map(() => 0)
  const want = (i: number): void => {
    const needs = `resources.cpu=${SIZES[i] ?? ''} resources.memory=${memories[i] ?? ''}`
    const team = areLoans ? 'guest' : 'owner'
    const whose = `team=${team} preemptible=true priority=${String(priorities[i] ?? 0)}`
    const how = `replicas=${String(counts[i] ?? 0)} rollout.maxUnavailable=100%`
    tell(world, `workload b${String(i)} ${how} ${whose} ${needs}`)
  }
  SIZES.forEach((_, i) => {
    want(i)
  })
  nodes.forEach((all, n) => {
    const node = `n${String(n)}`
    tell(world, `node ${node} general ${TYPE} us-east-1a on-demand ready`)
    let { cpuMilli, memoryMib } = must(typeByName.get(TYPE), TYPE).allocatable
    for (const i of all) {
      const cpu = parseMilli(SIZES[i] ?? '') ?? 0
      const memory = parseMib(memories[i] ?? '') ?? 0
      if (cpu > cpuMilli || memory > memoryMib) continue
      cpuMilli -= cpu
      memoryMib -= memory
      counts[i] = (counts[i] ?? 0) + 1
      tell(world, `replica b${String(i)} ${node} ready`)
      tell(world, 'pass +1m')
    }
  })
  SIZES.forEach((_, i) => {
    want(i)
  })
  entitled.forEach(([{ cpu, memory }, count], i) => {
    const needs = `resources.cpu=${cpu} resources.memory=${memory}`
    tell(world, `workload e${String(i)} replicas=${String(count)} team=owner priority=10 ${needs}`)
  })
  return world
}

/** What agents make of the plan is left to whoever asks. */
function pass(world: World): Plan {
  const made = plan(world)
  const { nodes, assignments } = changedItems(draftOf(world), made.draft)
  const fresh = new Map(nodes.map((own) => [own.name, own]))
  const bodies = new Map(assignments.map((own) => [own.node, own]))
  world.nodes = world.nodes.map((own) => fresh.get(own.name) ?? own)
  world.assignments = world.assignments.map((own) => bodies.get(own.node) ?? own)
  world.workloadStatuses = [...made.plan.workloadStatuses]
  return made.plan
}

/** Seated one after the other, one takes the room that is the only one for another. */
const TAKES_THE_ONLY_ROOM: Crowd = {
  nodes: [
    [2, 2, 0, 2, 0],
    [0, 0, 0, 4],
    [1, 0, 1, 0, 4],
  ],
  memories: ['64Mi', '1Gi', '3Gi', '64Mi', '64Mi', '64Mi'],
  priorities: [5, 0, 0, 0, 0, 0],
  entitled: [
    [{ cpu: '1', memory: '6Gi' }, 3],
    [{ cpu: '1', memory: '2Gi' }, 4],
  ],
  areLoans: false,
}

describe('victims', () => {
  it('are none in vain: with any one of them left alive, there is no room', () => {
    let victims = 0
    fc.assert(
      fc.property(crowds, (crowd) => {
        const world = worldOf(crowd)
        pass(world)
        tell(world, 'pass +10s')
        const made = pass(world)
        victims += victimsOf(made).length
        expect(sentAwayInVain(world, made)).toEqual([])
      }),
      { numRuns: 120, examples: [[TAKES_THE_ONLY_ROOM]] },
    )
    expect(victims).toBeGreaterThan(120)
  })
})
