/** Whoever asks why a gang waits hears what stands in its way, and what would change it. */
import { describe, expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import { explainWaiting } from '#shared/controllers/admin-api/explain.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell, type World } from '../../scenarios/world.ts'

function worldOf(...lines: readonly string[]): World {
  const world = newWorld()
  for (const line of lines) tell(world, line)
  return world
}

const POOL = 'pool general instances.types=[m7a.xlarge] capacityTypes=[on-demand]'

/** A pass, and what is said of the workload's first waiting replica half a minute later. */
function told(world: World, name: string, ...lines: readonly string[]): readonly string[] {
  for (const line of lines) tell(world, line)
  const made = plan(world)
  world.nodes = [...made.draft.nodes.values()]
  world.workloadStatuses = [...made.plan.workloadStatuses]
  const status = must(
    world.workloadStatuses.find((own) => own.name === name),
    `status of ${name}`,
  )
  const [first] = explainWaiting(status, world.nowMs + 30_000)
  return must(first, 'one that waits').reasons.map(({ code, text }) => `${code}: ${text}`)
}

describe('a gang that waits', () => {
  it('is told how many of it find room, and what keeps the others', () => {
    const world = worldOf(`${POOL} limits.cpu=8`)
    const gang = 'workload train replicas=3 gang=true resources.cpu=3'
    const as = 'the gang starts as one, once there is room for the last as well'
    expect(told(world, 'train', gang)).toEqual([
      `GangIncomplete: 2 of 3 find room; ${as} (unschedulable for 30 s)`,
      'PoolLimit: pool general is at its limit (cpu 8) (unschedulable for 30 s)',
    ])
  })

  it('is told when it gives up while it forms, and when it tries again after that', () => {
    const world = worldOf(POOL)
    const gang = 'workload train replicas=2 gang=true gangDeadlineSeconds=600 resources.cpu=3'
    const together = '0 of the 2 that have room could start, and all start together'
    expect(told(world, 'train', gang)).toEqual([
      `GangForming: the gang forms: ${together}; it gives up in 9 min`,
    ])
    const since = 'the gang was not all ready in time and gave up its room'
    expect(told(world, 'train', 'pass +600s')).toEqual([
      `GangHeldOff: ${since}; another version or number is tried at once, the same again in 30 s`,
    ])
  })

  it('is told which gang is ahead of it, and for how long at most', () => {
    const world = worldOf(POOL)
    told(world, 'first', 'workload first replicas=2 gang=true resources.cpu=3')
    const second = 'workload second replicas=2 gang=true resources.cpu=3'
    const lines = ['give-up general-1-1', `${POOL} limits.cpu=4`, 'pass +60s', second]
    const lacks = 'gang first forms and lacks room in a pool that this one would use'
    expect(told(world, 'second', ...lines)).toEqual([
      `GangWaits: ${lacks}; its turn comes when that one starts, or gives up in 28 min`,
    ])
  })
})
