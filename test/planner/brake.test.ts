import { expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { openBrakes, UNHEALTHY } from '#shared/planner/brake.ts'
import { newWorld, tell, type World } from '../scenarios/world.ts'

const MINUTE_MS = 60_000

/** Three machines, of which a brake lets one go in ten minutes. */
function three(): World {
  const world = newWorld()
  tell(world, 'pool general')
  for (const name of ['n1', 'n2', 'n3']) {
    tell(world, `node ${name} general m7a.large us-east-1a spot ready`)
  }
  return world
}

/** When the node may go; undefined where it goes at once. */
function giveUp(world: World, name: string): number | undefined {
  const book = openBrakes(world)
  const node = must(
    world.nodes.find((own) => own.name === name),
    `node ${name}`,
  )
  const untilMs = book.condemnAll([node], 'Repacked')
  const written = book.changed()
  if (written.length > 0) world.brakes = [...written]
  return untilMs
}

it('lets one of three go in ten minutes', () => {
  const world = three()
  expect(giveUp(world, 'n1')).toBeUndefined()
  expect(giveUp(world, 'n2')).toBe(world.nowMs + LIMITS.brakeWindowMs)
  world.nowMs += LIMITS.brakeWindowMs
  expect(giveUp(world, 'n2')).toBeUndefined()
})

it('counts one that was kept after all, and is given up again, from the second time', () => {
  const world = three()
  giveUp(world, 'n1')
  world.nowMs += 9 * MINUTE_MS
  expect(giveUp(world, 'n1')).toBeUndefined()
  expect(world.brakes.flatMap((own) => own.condemned)).toHaveLength(1)
  world.nowMs += 2 * MINUTE_MS
  expect(giveUp(world, 'n2')).toBe(world.nowMs + 8 * MINUTE_MS)
})

it('lets one machine of an image go, however many pools have it', () => {
  const world = newWorld()
  const places = ['m7a.large us-east-1a', 'c7a.large us-east-1b', 'r7a.large us-east-1c']
  places.forEach((place, i) => {
    const pool = `pool-${String(i)}`
    tell(world, `pool ${pool} launch.ami=${i === 2 ? 'ami-2' : 'ami-1'}`)
    tell(world, `node n${String(i)} ${pool} ${place} spot ready`)
  })
  expect(giveUp(world, 'n0')).toBeUndefined()
  expect(giveUp(world, 'n1')).toBe(world.nowMs + LIMITS.brakeWindowMs)
  expect(giveUp(world, 'n2')).toBeUndefined()
})

it('counts no stray by its image, of which EC2 knows another name than the herd', () => {
  const world = newWorld()
  tell(world, 'pool one launch.ami=ami-1')
  tell(world, 'pool two launch.ami=ami-1')
  tell(world, 'node n1 one m7a.large us-east-1a spot ready')
  tell(world, 'node n2 two c7a.large us-east-1b spot ready')
  world.nodes = world.nodes.map((own) => ({ ...own, adoptedAtMs: world.nowMs }))
  expect(giveUp(world, 'n1')).toBeUndefined()
  expect(giveUp(world, 'n2')).toBeUndefined()
})

it('counts what goes for its health against health alone', () => {
  const world = three()
  const [first, second] = world.nodes
  const book = openBrakes(world)
  expect(book.condemn(must(first, 'a node'), UNHEALTHY)).toBe(true)
  expect(book.condemn(must(second, 'a node'), UNHEALTHY)).toBe(false)
  expect(book.condemn(must(second, 'a node'), 'Lost')).toBe(true)
})
