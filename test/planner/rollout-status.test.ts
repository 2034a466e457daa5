import { describe, expect, it } from 'vitest'
import type { RolloutStatus } from '#shared/model/status.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell, type World } from '../scenarios/world.ts'

/** A world, each `plan` of which leaves its status; what the roll-out's status was after each. */
function story(lines: readonly string[]): readonly RolloutStatus[] {
  const world: World = newWorld()
  const told: RolloutStatus[] = []
  for (const line of [
    'pool general instances.types=[m7a.2xlarge]',
    'node n1 general m7a.2xlarge us-east-1a spot',
    ...lines,
  ]) {
    if (line !== 'plan') {
      tell(world, line)
      continue
    }
    world.workloadStatuses = [...plan(world).plan.workloadStatuses]
    const [first] = world.workloadStatuses
    if (first?.rollout !== undefined) told.push(first.rollout)
  }
  return told
}

const START_MS = newWorld().nowMs

describe('the roll-out part of a status', () => {
  it('counts a crash loop as no progress', () => {
    const told = story([
      'workload web replicas=3 resources.cpu=7',
      'replica web n1 ready',
      'plan',
      'pass +1s',
      'unwell web/n1-1',
      'plan',
      'pass +1s',
      'well web/n1-1',
      'plan',
    ])
    expect(told.map((own) => [own.ready, own.mostReady, own.lastProgressAtMs])).toEqual([
      [1, 1, START_MS],
      [0, 1, START_MS],
      [1, 1, START_MS],
    ])
  })

  it('calls nothing stable that nobody wants', () => {
    const [first] = story(['workload web replicas=0', 'plan'])
    expect(first).toMatchObject({ completedAtMs: START_MS })
    expect(first).not.toHaveProperty('stable')
  })

  it('calls stable what is available whole, and has been watched for its time', () => {
    const [fresh, soaked, baked] = story([
      'workload web replicas=1 rollout.minReadySeconds=10 rollout.bakeSeconds=60',
      'replica web n1 ready',
      'plan',
      'pass +10s',
      'plan',
      'pass +50s',
      'plan',
    ])
    expect(fresh).toMatchObject({ completedAtMs: START_MS })
    expect(fresh).not.toHaveProperty('stable')
    expect(soaked).not.toHaveProperty('stable')
    expect(baked).toMatchObject({ stable: fresh?.active, completedAtMs: START_MS })
  })

  it('starts the clock anew where a whole workload is whole no longer', () => {
    const [whole, lost] = story([
      'workload web replicas=1',
      'replica web n1 ready',
      'plan',
      'pass +1s',
      'unwell web/n1-1',
      'plan',
    ])
    expect(whole).toMatchObject({ completedAtMs: START_MS })
    expect(lost).toMatchObject({
      ...{ stable: whole?.stable, startedAtMs: START_MS, lastProgressAtMs: START_MS + 1_000 },
    })
    expect(lost).not.toHaveProperty('completedAtMs')
  })

  it('says in a plan that changes nothing what it said before', () => {
    const [before, after] = story([
      'workload web replicas=1',
      'replica web n1 ready',
      'plan',
      'pass +60s',
      'plan',
    ])
    expect(before).toMatchObject({ stable: before?.active, ready: 1, old: 0 })
    expect(after).toBe(before)
  })
})
