import fc from 'fast-check'
import { expect, it } from 'vitest'
import { PROBLEMS } from '#shared/model/health.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Action } from '#shared/planner/actions.ts'
import { changedItems, draftOf } from '#shared/planner/fold.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell, type World } from '../scenarios/world.ts'

const ZONES = ['us-east-1a', 'us-east-1b', 'us-east-1c']
const finds = fc.array(fc.subarray([...PROBLEMS], { maxLength: 3 }), {
  minLength: 1,
  maxLength: 12,
})

/** A herd in which each machine tells of these for ever, and some are a person's. */
function herdThatFinds(found: readonly (readonly string[])[], ordered: readonly number[]): World {
  const world = newWorld()
  tell(world, 'pool general repack.when=never')
  for (const [i, problems] of found.entries()) {
    const name = `n${String(i)}`
    tell(world, `node ${name} general m7a.large ${ZONES[i % 3] ?? ''} spot ready`)
    tell(world, `finds ${name} ${problems.join(' ')}`)
    if (ordered.includes(i)) tell(world, `order cordon ${name}`)
  }
  return world
}

/** One pass; whatever is tested passes, and agents obey. */
function pass(world: World): readonly Action[] {
  const made = plan(world)
  const { nodes, assignments, removed } = changedItems(draftOf(world), made.draft)
  for (const { node } of removed) world.nodes = world.nodes.filter((own) => own.name !== node.name)
  const news = <T>(old: readonly T[], fresh: readonly T[], name: (own: T) => string): T[] =>
    old.map((own) => fresh.find((one) => name(one) === name(own)) ?? own)
  world.nodes = news(world.nodes, nodes, (own) => own.name)
  world.assignments = news(world.assignments, assignments, (own) => own.node)
  for (const brake of made.plan.brakes) {
    world.brakes = [...world.brakes.filter((own) => own.pool !== brake.pool), brake]
  }
  world.verdicts = []
  for (const { name, phase } of world.nodes) {
    if (phase === 'testing') tell(world, `verdict ${name} PASS`)
  }
  tell(world, 'pass +120s')
  return made.plan.actions
}

it('few are out at a time, nobody is tested twice for the same, and a person comes first', () => {
  fc.assert(
    fc.property(finds, fc.uniqueArray(fc.nat(11)), (found, ordered) => {
      const world = herdThatFinds(found, ordered)
      const most = Math.max(1, Math.floor(LIMITS.brakeShare * found.length))
      const tests: string[] = []
      for (let i = 0; i < 60; i += 1) {
        const actions = pass(world)
        const begun = actions.filter(
          (own) => own.kind === 'test' || (own.kind === 'drain' && own.because === 'Impaired'),
        )
        expect(begun.length).toBeLessThanOrEqual(most)
        tests.push(...begun.flatMap((own) => (own.kind === 'test' ? [own.node] : [])))
        for (const own of begun) {
          const { node } = own as Extract<Action, { kind: 'test' }>
          expect(ordered.map((at) => `n${String(at)}`)).not.toContain(node)
        }
      }
      expect(new Set(tests).size).toBe(tests.length)
      expect(pass(world).filter((own) => own.kind !== 'terminate')).toEqual([])
    }),
    { numRuns: 60 },
  )
})

it("a node's report does nothing to a node of another pool", () => {
  fc.assert(
    fc.property(finds, (found) => {
      const world = herdThatFinds(found, [])
      tell(world, 'pool other repack.when=never')
      tell(world, 'node other other m7a.large us-east-1a spot ready')
      const actions = Array.from({ length: 5 }, () => pass(world)).flat()
      const about = actions.filter((own) => 'node' in own && own.node === 'other')
      expect(about.map((own) => own.kind)).toEqual(['note'])
    }),
    { numRuns: 20 },
  )
})
