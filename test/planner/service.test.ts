/**
 * Who stands behind a load balancer, where a scenario cannot tell it: a replica that was bound by a
 * release whose templates knew of no service.
 */
import { expect, it } from 'vitest'
import { draftOf } from '#shared/planner/fold.ts'
import { balance } from '#shared/planner/service.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import { targetGroupNamed } from '../scenarios/service-verbs.ts'
import { newWorld, tell } from '../scenarios/world.ts'

const TARGET_GROUP = targetGroupNamed('lb')

/** It listens on port 20002, and was registered with 20001. */
function worldOf(behind: string): Snapshot {
  const world = newWorld()
  tell(world, 'pool general instances.types=[m7a.large]')
  tell(world, `workload web replicas=1 ports=[{name:http}]${behind}`)
  tell(world, 'node n1 general m7a.large us-east-1a spot ready')
  tell(world, 'replica web n1 ready')
  tell(world, 'listens web/n1-1 20002')
  const balanced = { targetGroupArn: TARGET_GROUP, port: 20_001, sinceMs: 0 }
  const assignments = world.assignments.map((own) => ({
    ...own,
    replicas: own.replicas.map((bound) => ({ ...bound, balanced })),
  }))
  const targetGroups = [{ targetGroupArn: TARGET_GROUP, targets: [] }]
  return { ...world, assignments, targetGroups }
}

const kindsOf = (snapshot: Snapshot): readonly string[] =>
  balance(snapshot, draftOf(snapshot)).map((own) => own.kind)

it('leaves who is registered alone where its version says nothing of a service', () => {
  expect(kindsOf(worldOf(''))).toEqual([])
  expect(kindsOf(worldOf(' behind=lb'))).toEqual(['deregister'])
})
