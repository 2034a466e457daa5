import { describe, expect, it } from 'vitest'
import { workloadSpecSchema } from '#shared/model/workload.ts'
import type { BoundReplica } from '#shared/model/assignment.ts'
import { floorOf } from './available.ts'
import {
  addNode,
  assignment,
  herd,
  node,
  ready,
  replica,
  report,
  START_MS,
  stopped,
  workload,
  type Hand,
} from './hand-made.ts'

const RULE = '3 ledger'
const IDS = ['web/1-1', 'web/1-2', 'web/1-3', 'web/1-4']

/** `n1` and `n2` carry two of four replicas each, all ready. */
function four(spec: object = {}, replicas: readonly BoundReplica[] = IDS.map(ready)): Hand {
  const small = { resources: { cpu: '500m', memory: '256Mi' } }
  const hand = herd({ workload: { replicas: 4, ...small, ...spec } })
  addNode(hand, 'n2', 'i-2')
  const by = hand.pass()
  bind(hand, by, { n1: replicas.slice(0, 2), n2: replicas.slice(2), generation: 2 })
  hand.over(by)
  return hand
}

type Bound = { n1?: readonly BoundReplica[]; n2?: readonly BoundReplica[]; generation: number }

function bind(hand: Hand, by: ReturnType<Hand['pass']>, { n1, n2, generation }: Bound) {
  const items = [
    ...(n1 === undefined ? [] : assignment({ generation, replicas: [...n1] })),
    ...(n2 === undefined
      ? []
      : assignment({ name: 'n2', instanceId: 'i-2', generation, replicas: [...n2] })),
  ]
  return hand.commit(by, ...items)
}

/** A pass that stops the first two for this reason, having read four ready ones. */
function stopTwo(hand: Hand, code: string) {
  const by = hand.pass()
  const n1 = IDS.slice(0, 2).map((id) => stopped(id, code))
  return bind(hand, by, { n1, generation: 3 })
}

describe('floorOf', () => {
  const cases: [object, number, number][] = [
    [{}, 4, 3],
    [{ rollout: { maxUnavailable: '30%' } }, 4, 3],
    [{ rollout: { maxUnavailable: '50%' } }, 5, 3],
    [{ rollout: { maxUnavailable: 0, maxSurge: 0 } }, 4, 3],
    [{ rollout: { maxUnavailable: 0 } }, 4, 4],
    [{ rollout: { maxUnavailable: 4 }, availability: { minAvailable: '51%' } }, 4, 3],
    [{ availability: { minAvailable: 9 } }, 4, 4],
    [{}, 1, 1],
  ]
  it.each(cases)('%j of %i is %i', (spec, desired, floor) => {
    expect(floorOf(workloadSpecSchema.parse({ command: ['x'], ...spec }), desired)).toBe(floor)
  })
})

describe('the ledger', () => {
  it('accepts a roll-out within the floor', () => {
    const hand = four({ rollout: { maxUnavailable: 2 } })
    expect(stopTwo(hand, 'Replaced')).toBeUndefined()
  })

  it.each(['Replaced', 'PoolLimit', 'SomethingNew'])('catches %s below the floor', (code) => {
    expect(stopTwo(four(), code)).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/2 are left, the floor is 3/),
    })
  })

  it('catches a roll-out that leaves too few on on-demand nodes', () => {
    const reliable = (minReliable: number): Hand => {
      const hand = four({ rollout: { maxUnavailable: 2 }, availability: { minReliable } })
      hand.commit(hand.pass(), node({ capacityType: 'on-demand' }))
      return hand
    }
    expect(stopTwo(reliable(1), 'Replaced')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/0 of 2 available ones on on-demand nodes are left/),
    })
    expect(stopTwo(reliable(0), 'Replaced')).toBeUndefined()
  })

  it('catches a move before its replacement is there', () => {
    const hand = four({ rollout: { maxUnavailable: 4 } })
    expect(stopTwo(hand, 'Moved')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/before a replacement/),
    })
  })

  it('accepts a move once there is a full count without it', () => {
    const hand = four()
    hand.put('admin-api', workload({ replicas: 2 }, { generation: 2 }))
    expect(stopTwo(hand, 'Moved')).toBeUndefined()
  })

  it('accepts the move of replicas that are not ready', () => {
    const hand = four({}, [
      replica('web/1-1'),
      replica('web/1-2'),
      ready('web/1-3'),
      ready('web/1-4'),
    ])
    expect(stopTwo(hand, 'Moved')).toBeUndefined()
  })

  it('counts a replica out that its report calls unready', () => {
    const hand = four({ replicas: 3 })
    const told = { id: 'web/1-4', version: 'v', phase: 'running', ready: false } as const
    const fine = { ...told, id: 'web/1-3', phase: 'ready', ready: true } as const
    const replicas = [told, fine].map((own) => ({ ...own, restarts: 0, addresses: {}, gpus: [] }))
    hand.report('i-2', report('i-2', { replicas, observedGeneration: 2 }))
    const n1 = [stopped('web/1-1', 'Moved'), ready('web/1-2')]
    expect(bind(hand, hand.pass(), { n1, generation: 3 })).toMatchObject({ rule: RULE })
  })

  it('counts a replica in only once it has soaked', () => {
    const hand = four({ replicas: 3, rollout: { minReadySeconds: 60 } })
    const n1 = [stopped('web/1-1', 'Moved'), ready('web/1-2')]
    expect(bind(hand, hand.pass(), { n1, generation: 3 })).toBeUndefined()
    hand.wait(61_000)
    const n2 = [stopped('web/1-3', 'Moved'), ready('web/1-4')]
    expect(bind(hand, hand.pass(), { n2, generation: 3 })).toMatchObject({ rule: RULE })
  })

  it('counts the stops of all its writes together', () => {
    const hand = four()
    const by = hand.pass()
    const n1 = [stopped('web/1-1', 'Replaced'), ready('web/1-2')]
    const n2 = [stopped('web/1-3', 'Replaced'), ready('web/1-4')]
    expect(bind(hand, by, { n1, generation: 3 })).toBeUndefined()
    expect(bind(hand, by, { n2, generation: 3 })).toMatchObject({ rule: RULE })
  })

  it('counts a node out that the pass itself has lost, once it is over', () => {
    const hand = four()
    const by = hand.pass()
    const n1 = [stopped('web/1-1', 'Replaced'), ready('web/1-2')]
    expect(bind(hand, by, { n1, generation: 3 })).toBeUndefined()
    hand.commit(by, node({ name: 'n2', instanceId: 'i-2', lostSinceMs: START_MS }))
    expect(hand.over(by)).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/2 of 4 were available/),
    })
  })
})

describe('stops that are charged and not bound have reasons that hold', () => {
  it('accepts a stop at its deadline, less the grace', () => {
    const hand = four()
    const by = hand.pass()
    const drain = { reason: 'Interrupted', text: '', sinceMs: 1, deadlineMs: START_MS + 30_000 }
    hand.commit(by, node({ phase: 'draining', drain: { ...drain, generation: 2 } as never }))
    expect(stopTwo(hand, 'Deadline')).toBeUndefined()
  })

  it('catches one before its deadline', () => {
    const hand = four()
    const by = hand.pass()
    const drain = { reason: 'Interrupted', text: '', sinceMs: 1, deadlineMs: START_MS + 60_000 }
    hand.commit(by, node({ phase: 'draining', drain: { ...drain, generation: 2 } as never }))
    expect(stopTwo(hand, 'Deadline')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/before its deadline/),
    })
  })

  it('catches one without a drain', () => {
    expect(stopTwo(four(), 'Deadline')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/not drained/),
    })
  })

  it('accepts replicas that are scaled in, and catches one too many', () => {
    const hand = four()
    hand.put('admin-api', workload({ replicas: 2 }, { generation: 2 }))
    expect(stopTwo(hand, 'ScaledIn')).toBeUndefined()
    const other = four()
    other.put('admin-api', workload({ replicas: 3 }, { generation: 2 }))
    expect(stopTwo(other, 'ScaledIn')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/3 are wanted/),
    })
  })

  it('accepts stops of a deleted workload, and catches them of one that is there', () => {
    const hand = four()
    hand.put('admin-api', workload({ replicas: 4 }, { deletedAtMs: START_MS }))
    expect(stopTwo(hand, 'WorkloadDeleted')).toBeUndefined()
    expect(stopTwo(four(), 'WorkloadDeleted')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/not deleted/),
    })
  })

  it('catches a stop without a reason', () => {
    const hand = four()
    const { stopReason: _, ...bare } = stopped('web/1-1', '')
    const n1 = [bare, ready('web/1-2')]
    const found = bind(hand, hand.pass(), { n1, generation: 3 })
    expect(found).toMatchObject({ rule: RULE, text: expect.stringMatching(/without a reason/) })
  })
})
