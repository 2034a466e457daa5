import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import { plan } from '#shared/planner/plan.ts'
import { newWorld, tell, type World } from '../scenarios/world.ts'

/** Nodes full of borrowers, and so many who are entitled to the room and have waited for it. */
function crowd(setup: { nodes: number; borrowersANode: number; entitled: number }): World {
  const { nodes, borrowersANode, entitled } = setup
  const world = newWorld()
  tell(world, `pool general instances.types=[m7a.4xlarge] limits.cpu=${String(16 * nodes)}`)
  tell(world, 'team search quota.cpu=1000')
  tell(world, 'team batch quota.cpu=0')
  const each = 'resources.cpu=10m resources.memory=16Mi'
  const count = String(nodes * borrowersANode)
  tell(world, `workload crawl replicas=${count} team=batch preemptible=true ${each}`)
  for (let n = 1; n <= nodes; n += 1) {
    tell(world, `node n${String(n)} general m7a.4xlarge us-east-1a on-demand ready`)
    for (let i = 0; i < borrowersANode; i += 1) tell(world, `replica crawl n${String(n)} ready`)
  }
  tell(world, `workload index replicas=${String(entitled)} team=search ${each}`)
  tell(world, 'pass +60s')
  world.workloadStatuses = [...plan(world).plan.workloadStatuses]
  tell(world, 'pass +10s')
  return world
}

const stopsOf = (world: World): number =>
  plan(world).plan.actions.filter((own) => own.kind === 'stop').length

describe('room that others make', () => {
  it('is made where a node is short of nothing but places', () => {
    const most = LIMITS.replicasPerNodeMax
    expect(stopsOf(crowd({ nodes: 1, borrowersANode: most, entitled: 1 }))).toBe(1)
  })

  it('is made for so many a pass and no more', () => {
    const most = LIMITS.replicasPerNodeMax
    const entitled = LIMITS.reclaimsPerPass + 10
    expect(stopsOf(crowd({ nodes: 1, borrowersANode: most, entitled }))).toBe(
      LIMITS.reclaimsPerPass,
    )
  })
})
