/**
 * What a pass asks of load balancers and tells them, and what their failures do to it.
 */
import { describe, expect, it } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import type { Target } from '#shared/model/service.ts'
import { BalancerError } from '#shared/cloud/balancer-error.ts'
import { makeMemoryBalancer, type BalancerFault } from '#shared/cloud/memory-balancer.ts'
import { askBalancers, tellBalancers } from '#shared/controllers/reconcile/balancing.ts'
import type { ReconcilePorts } from '#shared/controllers/reconcile/settings.ts'
import type { Action } from '#shared/planner/actions.ts'
import { draftOf } from '#shared/planner/fold.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import { targetGroupNamed } from '../../scenarios/service-verbs.ts'
import { newWorld, tell } from '../../scenarios/world.ts'

const GROUP = targetGroupNamed('lb')
const DONE = { again: false, events: [] }

/** A replica on `n1`, as reconcile has written that it is registered, or is leaving. */
function worldOf(leavingSinceMs?: number): Snapshot {
  const world = newWorld()
  tell(world, 'pool general instances.types=[m7a.large]')
  tell(world, 'workload web replicas=1 behind=lb ports=[{name:http}]')
  tell(world, 'node n1 general m7a.large us-east-1a spot ready')
  tell(world, 'replica web n1 ready')
  const balanced = {
    ...{ targetGroupArn: GROUP, port: 20_001, sinceMs: 0 },
    ...(leavingSinceMs === undefined ? {} : { leavingSinceMs }),
  }
  const [first] = world.assignments
  const replicas = (first?.replicas ?? []).map((own) => ({ ...own, balanced }))
  return { ...world, assignments: first === undefined ? [] : [{ ...first, replicas }] }
}

function setUp(snapshot: Snapshot) {
  const faults: BalancerFault[] = []
  const balancer = makeMemoryBalancer({
    clock: { now: () => 0 },
    targetGroups: [GROUP],
    fault: () => faults.shift(),
  })
  const ports = { balancer, log: silentLogger } as unknown as ReconcilePorts
  const fence = { isLate: () => false } as unknown as Parameters<typeof tellBalancers>[0]['fence']
  const draft = draftOf(snapshot)
  return {
    faults,
    balancer,
    ask: () => askBalancers(ports, snapshot),
    tell: (seen: Snapshot, actions: readonly Action[] = []) =>
      tellBalancers({ ports, fence, snapshot: seen, plan: { actions }, draft }),
    target: (): Target => ({
      instanceId: snapshot.nodes[0]?.machine?.instanceId ?? '',
      port: 20_001,
    }),
  }
}

describe('load balancers in a pass', () => {
  it('are told who is to be registered, once', async () => {
    const { ask, tell: say, balancer, target } = setUp(worldOf())
    expect(await say(await ask())).toEqual(DONE)
    expect(await balancer.health(GROUP)).toMatchObject([target()])
    const seen = await ask()
    expect(seen.targetGroups).toMatchObject([{ targets: [{ state: 'initial' }] }])
    let calls = 0
    balancer.register = () => Promise.resolve((calls += 1)).then(() => undefined)
    expect(await say(seen)).toEqual(DONE)
    expect(calls).toBe(0)
  })

  it('are told again where an answer was lost', async () => {
    const { ask, tell: say, faults, balancer, target } = setUp(worldOf())
    const seen = await ask()
    faults.push('unreachable')
    expect(await say(seen)).toEqual({ again: true, events: [] })
    expect(await balancer.health(GROUP)).toEqual([])
    expect(await say(await ask())).toEqual(DONE)
    expect(await balancer.health(GROUP)).toMatchObject([target()])
  })

  it('are not pressed where only a person can mend it, and that person is told once', async () => {
    const { ask, tell: say, balancer } = setUp(worldOf())
    balancer.register = () =>
      Promise.reject(new BalancerError({ code: 'TooManyTargets', text: '1000', next: 'ask' }))
    const seen = await ask()
    const balanced = { targetGroupArn: GROUP, port: 20_001, sinceMs: 0 }
    const reason = { code: 'Registered', text: '' }
    const fresh: Action = { kind: 'register', node: 'n1', replica: 'web/1', balanced, reason }
    expect(await say(seen, [fresh])).toMatchObject({
      again: false,
      events: [{ object: 'workload/web', type: 'Warning', reason: 'TooManyTargets' }],
    })
    expect(await say(seen)).toEqual(DONE)
  })

  it('that cannot be asked say nothing, and are told all the same who leaves', async () => {
    const { ask, tell: say, faults, balancer, target } = setUp(worldOf(1))
    await balancer.register(GROUP, [target()])
    faults.push('throttled')
    const seen = await ask()
    expect(seen.targetGroups).toMatchObject([{ error: { code: 'Throttled' } }])
    expect(await say(seen)).toEqual(DONE)
    expect(await balancer.health(GROUP)).toMatchObject([{ state: 'draining' }])
  })

  it('are left alone where no workload has one', async () => {
    const world = newWorld()
    tell(world, 'workload web replicas=1')
    const { ask } = setUp(world)
    expect(await ask()).not.toHaveProperty('targetGroups')
  })

  it('lose what is on a machine of drover’s and nobody wants, and nothing of others', async () => {
    const { ask, tell: say, balancer, target } = setUp(worldOf())
    const [stray, other] = [
      { ...target(), port: 20_009 },
      { instanceId: 'i-other', port: 80 },
    ]
    await balancer.register(GROUP, [stray, other])
    await say(await ask())
    const listed = await balancer.health(GROUP)
    expect(listed.find((own) => own.port === 20_009)).toMatchObject({ state: 'draining' })
    expect(listed.find((own) => own.port === 80)).toMatchObject({ state: 'initial' })
  })
})
