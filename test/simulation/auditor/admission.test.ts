import { describe, expect, it } from 'vitest'
import {
  addNode,
  assignment,
  herd,
  node,
  pool,
  replica,
  report,
  verdict,
  workload,
  type Hand,
} from './hand-made.ts'

const RULE = '1 bound after burn-in'

/** Binds one replica of `web` to `n1` in a pass of its own. */
function bind(hand: Hand, id = 'web/1-1') {
  const by = hand.pass()
  return hand.commit(by, ...assignment({ generation: 2, replicas: [replica(id)] }))
}

describe('a replica is bound only to a node that passed its burn-in', () => {
  it('accepts a binding to a node that passed', () => {
    expect(bind(herd())).toBeUndefined()
  })

  it('catches a node that is made ready without a verdict', () => {
    const hand = herd()
    const facts = { name: 'n2', instanceId: 'i-2' }
    hand.instance('i-2')
    const by = hand.pass()
    hand.commit(by, node({ ...facts, phase: 'testing' }), ...assignment(facts))
    expect(hand.commit(by, node(facts))).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/no verdict/),
    })
  })

  it('catches a check that passed though no finished report told of it', () => {
    const check = { name: 'cpu', verdict: 'PASS' as const, measures: {}, text: '' }
    const run = { attempt: 1, suite: 'cpu', checks: [check] }
    const judged = verdict({ name: 'n2', instanceId: 'i-2', checks: [check] })
    const hand = herd()
    hand.put('agent', report('i-2', { burnIn: { ...run, state: 'running' } }))
    expect(hand.put('burn-in', judged)).toMatchObject({ rule: RULE })
    const told = herd()
    told.put('agent', report('i-2', { burnIn: { ...run, state: 'finished' } }))
    expect(told.put('burn-in', judged)).toBeUndefined()
    const other = herd()
    other.put('agent', report('i-2', { bootId: 'b-0', burnIn: { ...run, state: 'finished' } }))
    expect(other.put('burn-in', judged)).toMatchObject({ rule: RULE })
  })

  it.each([
    ['of another boot', { bootId: 'b-0' }],
    ['of another attempt', { attempt: 2 }],
    ['of another suite', { suite: 'disk' }],
    ['that failed', { verdict: 'FAIL' as const }],
    ['that could not say', { verdict: 'INFRA' as const }],
  ])('catches a node that is made ready by a verdict %s', (_, facts) => {
    const hand = herd()
    const own = { name: 'n2', instanceId: 'i-2' }
    hand.instance('i-2')
    const by = hand.pass()
    hand.commit(by, node({ ...own, phase: 'testing' }), ...assignment(own))
    hand.put('burn-in', verdict({ ...own, ...facts }))
    expect(hand.commit(by, node(own))).toMatchObject({ rule: RULE })
  })

  it.each([
    ['that is testing', { phase: 'testing' as const }],
    ['that is cordoned', { cordoned: true }],
    ['that is lost', { lostSinceMs: 1 }],
    ['in another run of its burn-in', { burnIn: { attempt: 2, suite: 'cpu' } as never }],
  ])('catches a binding to a node %s', (_, facts) => {
    const hand = herd()
    const by = hand.pass()
    hand.commit(by, node(facts))
    const bound = assignment({ generation: 2, replicas: [replica('web/1-1')] })
    expect(hand.commit(by, ...bound)).toMatchObject({ rule: RULE })
  })

  it('catches a binding after the machine has failed the test of its present boot', () => {
    const hand = herd()
    const by = hand.pass()
    hand.commit(by, node({ bootId: 'b-2' }))
    hand.put('burn-in', verdict({ bootId: 'b-2', verdict: 'FAIL' }))
    expect(bind(hand)).toMatchObject({ rule: RULE, text: expect.stringMatching(/newest verdict/) })
  })
})

describe('a replica goes only where its spec and the pool let it', () => {
  const tainted = { taints: [{ key: 'gpu', value: 'yes' }] }

  it.each([
    ['a taint that is tolerated', { tolerations: [{ key: 'gpu' }] }, tainted],
    ["a team's own pool", { team: 'vision' }, { team: 'vision' }],
  ])('accepts %s', (_, ofWorkload, ofPool) => {
    expect(bind(herd({ workload: ofWorkload, pool: ofPool }))).toBeUndefined()
  })

  it.each([
    ['a taint that is not tolerated', {}, tainted],
    ["another team's pool", { team: 'search' }, { team: 'vision' }],
    ['a pool that is not asked for', { placement: { pools: ['gpus'] } }, {}],
    ['a zone', { placement: { zones: ['us-east-1b'] } }, {}],
    ['an architecture', { placement: { architectures: ['arm64'] } }, {}],
    ['spot for one that takes none', { capacity: { spot: 'never' } }, {}],
  ])('catches %s', (_, ofWorkload, ofPool) => {
    expect(bind(herd({ workload: ofWorkload, pool: ofPool }))).toMatchObject({ rule: RULE })
  })

  it('reads the specs as the binding pass did', () => {
    const hand = herd()
    const by = hand.pass()
    hand.put('admin-api', pool({ taints: [{ key: 'new' }] }), workload({}, { deletedAtMs: 1 }))
    const bound = assignment({ generation: 2, replicas: [replica('web/1-1')] })
    expect(hand.commit(by, ...bound)).toBeUndefined()
  })
})

describe('what runs, runs where it was bound, on hardware that passed', () => {
  it('accepts a process of a replica that is bound there', () => {
    const hand = herd()
    bind(hand)
    expect(hand.process('i-1')).toBeUndefined()
  })

  it('catches a process of a replica that was bound elsewhere', () => {
    const hand = herd()
    addNode(hand, 'n2', 'i-2')
    bind(hand)
    expect(hand.process('i-2')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/never bound/),
    })
  })

  const failing = {
    ...{ attempt: 1, suite: 'cpu', state: 'finished' as const },
    checks: [{ name: 'cpu', verdict: 'FAIL' as const, measures: {}, text: '' }],
  }

  it('catches a process on hardware that failed its test', () => {
    const hand = herd()
    const facts = { name: 'n2', instanceId: 'i-2' }
    hand.instance('i-2')
    hand.badHardware.add('i-2')
    const by = hand.pass()
    hand.commit(by, node({ ...facts, phase: 'testing' }), ...assignment(facts))
    hand.report('i-2', report('i-2', { burnIn: failing }))
    // A burn-in function that does not listen.
    hand.put('burn-in', verdict(facts))
    hand.commit(by, node(facts))
    hand.commit(by, ...assignment({ ...facts, generation: 2, replicas: [replica('web/1-1')] }))
    expect(hand.process('i-2')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/hardware/),
    })
  })

  it('accepts a process on hardware that broke after its test', () => {
    const hand = herd()
    hand.badHardware.add('i-1')
    hand.report('i-1', report('i-1', { burnIn: failing }))
    bind(hand)
    expect(hand.process('i-1')).toBeUndefined()
  })
})
