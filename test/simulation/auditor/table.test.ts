import { describe, expect, it } from 'vitest'
import { keys } from '#shared/store/keys.ts'
import { equal } from '#shared/store/store.ts'
import {
  addNode,
  assignment,
  beat,
  herd,
  node,
  passItem,
  replica,
  report,
  START_MS,
  stopped,
  verdict,
  workload,
} from './hand-made.ts'

describe('one writer', () => {
  it('accepts each kind from its writer', () => {
    const hand = herd()
    expect(hand.put('admin-api', workload({ replicas: 3 }))).toBeUndefined()
    expect(hand.report('i-1', report('i-1'))).toBeUndefined()
    expect(hand.report('i-1', beat('i-1', START_MS))).toBeUndefined()
  })

  it.each([
    ['a spec from burn-in', 'burn-in', workload({ replicas: 3 })],
    ['a verdict from the admin API', 'admin-api', verdict({ verdict: 'WARN' })],
    ['a node from the market', 'market', node({ cordoned: true })],
    ['an item of no known kind', 'reconcile', { pk: 'odd#1', sk: 'odd', text: 'x' }],
  ] as const)('catches %s', (_, role, item) => {
    const found = herd().put(role, item)
    expect(['one writer', 'fence']).toContain(found?.rule)
  })

  it("catches an agent that writes another's report", () => {
    const hand = herd()
    addNode(hand, 'n2', 'i-2')
    expect(hand.report('i-2', report('i-1'))).toMatchObject({
      rule: 'one writer',
      text: expect.stringMatching(/runs on i-2/),
    })
  })
})

describe('verdicts never become milder', () => {
  it('accepts one that becomes worse, and one on another boot', () => {
    const hand = herd()
    expect(hand.put('burn-in', verdict({ verdict: 'FAIL' }))).toBeUndefined()
    expect(hand.put('burn-in', verdict({ bootId: 'b-2' }))).toBeUndefined()
  })

  it('catches one that becomes milder', () => {
    const hand = herd()
    hand.put('burn-in', verdict({ verdict: 'FAIL' }))
    expect(hand.put('burn-in', verdict())).toMatchObject({
      rule: 'verdicts',
      text: expect.stringMatching(/FAIL became/),
    })
  })
})

describe('the fence', () => {
  const RULE = 'fence'
  const change = node({ cordoned: true })

  it('accepts writes under the newest epoch, and the end of a pass', () => {
    const hand = herd()
    const by = hand.pass()
    expect(hand.commit(by, change)).toBeUndefined()
    const epoch = Number(hand.table.get('pass pass')?.['epoch'])
    const item = passItem(epoch, { lastGoodStartedAtMs: START_MS })
    const put = { kind: 'put', item, when: [equal('epoch', epoch)] } as const
    expect(hand.write(by, [put])).toBeUndefined()
  })

  it('catches a write without a check', () => {
    const hand = herd()
    const by = hand.pass()
    const found = hand.write(by, [{ kind: 'put', item: change }])
    expect(found).toMatchObject({ rule: RULE, text: expect.stringMatching(/without a check/) })
  })

  it('catches a write of a pass that was overtaken', () => {
    const hand = herd()
    const old = hand.pass()
    const epoch = Number(hand.table.get('pass pass')?.['epoch'])
    hand.pass()
    const check = { kind: 'check', key: keys.pass(), when: [equal('epoch', epoch)] } as const
    const found = hand.write(old, [check, { kind: 'put', item: change }])
    expect(found).toMatchObject({ rule: RULE, text: expect.stringMatching(/was taken/) })
    expect(hand.commit(old, node())).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/had taken/),
    })
  })

  it('catches an epoch that falls, and one taken without a condition', () => {
    const hand = herd()
    const by = hand.pass()
    const unguarded = hand.write(by, [{ kind: 'put', item: passItem(99) }])
    expect(unguarded).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/without a condition/),
    })
    expect(hand.write(by, [{ kind: 'put', item: passItem(1) }])).toMatchObject({ rule: RULE })
  })
})

describe('generations', () => {
  const RULE = 'generations'
  const bound = { generation: 2, replicas: [replica('web/1-1')] }

  it('accepts new orders under a new generation, and a stamp under the same', () => {
    const hand = herd()
    const by = hand.pass()
    expect(hand.commit(by, ...assignment(bound))).toBeUndefined()
    const replicas = [replica('web/1-1', { readySinceMs: START_MS })]
    expect(hand.commit(by, ...assignment({ generation: 2, replicas }))).toBeUndefined()
  })

  it('catches new orders under the same generation', () => {
    const hand = herd()
    const found = hand.commit(hand.pass(), ...assignment({ ...bound, generation: 1 }))
    expect(found).toMatchObject({ rule: RULE, text: expect.stringMatching(/same number/) })
    const drain = { deadlineMs: 1, reason: 'Empty' }
    const other = herd()
    expect(other.commit(other.pass(), ...assignment({ drain }))).toMatchObject({ rule: RULE })
  })

  it('catches a generation that falls', () => {
    const hand = herd()
    const by = hand.pass()
    hand.commit(by, ...assignment({ generation: 5 }))
    expect(hand.commit(by, ...assignment({ generation: 4 }))).toMatchObject({ rule: RULE })
  })

  it('catches a head that lags behind its body', () => {
    const hand = herd()
    const [body] = assignment(bound)
    expect(hand.commit(hand.pass(), body)).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/the head says/),
    })
    expect(hand.auditor.full()).toMatchObject({ rule: RULE })
  })

  it('catches a stop that is taken back', () => {
    const hand = herd()
    hand.commit(hand.pass(), ...assignment(bound))
    const told = { generation: 3, replicas: [stopped('web/1-1', 'PoolLimit')] }
    hand.commit(hand.pass(), ...assignment(told))
    const found = hand.commit(hand.pass(), ...assignment({ ...bound, generation: 4 }))
    expect(found).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/told to stop, and now to run/),
    })
  })

  it('catches a replica that becomes another', () => {
    const hand = herd()
    hand.commit(hand.pass(), ...assignment(bound))
    const replicas = [replica('web/1-1', { uid: 'u-other' })]
    const found = hand.commit(hand.pass(), ...assignment({ generation: 3, replicas }))
    expect([RULE, '2 room']).toContain(found?.rule)
  })
})

describe('the books', () => {
  it('catches a write that was not told', () => {
    const hand = herd()
    expect(hand.auditor.full()).toBeUndefined()
    hand.table.set('node n9', node({ name: 'n9' }))
    expect(hand.auditor.full()).toMatchObject({ rule: 'books', text: expect.stringMatching(/n9/) })
  })
})
