import { describe, expect, it } from 'vitest'
import type { WorkloadStatus } from '#shared/model/status.ts'
import { rolloutStatusOf, type RolloutCounts } from '#shared/planner/status/rollout-status.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell } from '../scenarios/world.ts'

const counts = (more: Partial<RolloutCounts>): RolloutCounts => ({
  ...{ active: 'a', desired: 3, progressed: 0, old: 0, isDone: false },
  ...more,
})

/** What each pass leaves, a second after the one before. */
function passes(steps: readonly Partial<RolloutCounts>[]): readonly unknown[] {
  let status: WorkloadStatus | undefined
  return steps.map((step, second) => {
    const rollout = rolloutStatusOf(counts(step), status, second * 1_000)
    status = { rollout } as WorkloadStatus
    return rollout
  })
}

describe('the roll-out part of a status', () => {
  it('counts a crash loop as no progress', () => {
    const told = passes([{}, { progressed: 1 }, { progressed: 0 }, { progressed: 1 }])
    expect(told.at(-1)).toEqual({
      ...{ active: 'a', startedAtMs: 0, lastProgressAtMs: 1_000, ready: 1, mostReady: 1, old: 0 },
    })
  })

  it('keeps the version that was whole as the stable one until the next is whole', () => {
    const told = passes([
      { progressed: 3, isDone: true },
      { active: 'b', old: 3 },
      { active: 'b', progressed: 2, old: 1 },
      { active: 'b', progressed: 3, old: 1 },
      { active: 'b', progressed: 3, isDone: true },
    ])
    expect(told).toMatchObject([
      { stable: 'a', completedAtMs: 0 },
      { active: 'b', stable: 'a', startedAtMs: 1_000, lastProgressAtMs: 1_000, old: 3 },
      { stable: 'a', lastProgressAtMs: 2_000 },
      { stable: 'b', lastProgressAtMs: 3_000 },
      { stable: 'b', startedAtMs: 1_000, completedAtMs: 4_000 },
    ])
  })

  it('calls nothing stable that nobody wants', () => {
    expect(passes([{ desired: 0, isDone: true }])[0]).not.toHaveProperty('stable')
  })

  it('starts the clock anew where a whole workload is whole no longer', () => {
    const [, lost] = passes([{ progressed: 3, isDone: true }, { progressed: 2 }])
    expect(lost).toMatchObject({ stable: 'a', startedAtMs: 0, lastProgressAtMs: 1_000 })
    expect(lost).not.toHaveProperty('completedAtMs')
  })

  it('says in a plan that changes nothing what it said before', () => {
    const world = newWorld()
    for (const line of [
      'pool general instances.types=[m7a.large]',
      'workload web replicas=1',
      'node n1 general m7a.large us-east-1a spot ready',
      'replica web n1 ready',
    ])
      tell(world, line)
    world.workloadStatuses = [...plan(world).plan.workloadStatuses]
    tell(world, 'pass +60s')
    const [first] = world.workloadStatuses
    expect(first?.rollout).toMatchObject({ stable: first?.version, ready: 1, old: 0 })
    expect(plan(world).plan.workloadStatuses).toEqual(world.workloadStatuses)
  })
})
