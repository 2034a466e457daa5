import { describe, expect, it } from 'vitest'
import { keys } from '#shared/store/keys.ts'
import { addNode, beat, herd, node, START_MS, type Hand } from './hand-made.ts'

const names = (count: number) => Array.from({ length: count }, (_, i) => String(i + 1))

/** Nodes `n1`… on `i-1`…, all of them beating at `START_MS`. */
function many(count: number): Hand {
  const hand = herd()
  for (const n of names(count).slice(1)) addNode(hand, `n${n}`, `i-${n}`)
  for (const n of names(count)) hand.report(`i-${n}`, beat(`i-${n}`, START_MS))
  return hand
}

/** Ten minutes later all but those listed have beaten. */
function fallSilent(hand: Hand, count: number, silent: readonly string[]): void {
  hand.wait(600_000)
  for (const n of names(count)) {
    if (!silent.includes(n)) hand.report(`i-${n}`, beat(`i-${n}`, hand.world.nowMs))
  }
}

function lose(hand: Hand, by: ReturnType<Hand['pass']>, n: string) {
  const facts = { name: `n${n}`, instanceId: `i-${n}`, lostSinceMs: hand.world.nowMs }
  return hand.commit(by, node(facts))
}

describe('silence is not death', () => {
  const RULE = 'silence is not death'

  it('accepts the loss of one whose neighbours beat', () => {
    const hand = many(4)
    fallSilent(hand, 4, ['1'])
    expect(lose(hand, hand.pass(), '1')).toBeUndefined()
  })

  it('catches the loss of one that has beaten', () => {
    const hand = many(4)
    fallSilent(hand, 4, [])
    expect(lose(hand, hand.pass(), '1')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/silent for/),
    })
  })

  it('catches a loss that counts from before coverage', () => {
    const hand = many(4)
    fallSilent(hand, 4, ['1'])
    const by = hand.pass({ coveredSinceMs: hand.world.nowMs - 60_000 })
    expect(lose(hand, by, '1')).toMatchObject({ rule: RULE })
  })

  it('catches a loss while many are silent at once', () => {
    const hand = many(5)
    fallSilent(hand, 5, ['1', '2'])
    expect(lose(hand, hand.pass(), '1')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/2 of 5 were silent/),
    })
  })

  it('catches a loss that no witness confirms, unless EC2 does', () => {
    const hand = many(2)
    hand.world.nowMs += 100_000
    hand.report('i-2', beat('i-2', hand.world.nowMs))
    hand.commit(hand.pass(), node({ name: 'n2', instanceId: 'i-2', phase: 'quarantined' }))
    expect(lose(hand, hand.pass(), '1')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/alone/),
    })
    hand.commit(hand.pass(), node())
    const by = hand.pass()
    hand.see({ kind: 'impaired', by, instanceIds: ['i-1'] })
    expect(lose(hand, by, '1')).toBeUndefined()
  })

  it('accepts the loss of one that was alone for five times as long', () => {
    const hand = many(1)
    fallSilent(hand, 1, ['1'])
    expect(lose(hand, hand.pass(), '1')).toBeUndefined()
  })
})

describe('brakes', () => {
  const RULE = '12 brakes'

  /** Two of six, one after the other. */
  function loseTwo(hand: Hand, pauseMs = 100_000) {
    fallSilent(hand, 6, ['1'])
    lose(hand, hand.pass(), '1')
    hand.commit(hand.pass(), node({ phase: 'terminating', lostSinceMs: hand.world.nowMs }))
    hand.wait(pauseMs)
    for (const n of ['3', '4', '5', '6']) hand.report(`i-${n}`, beat(`i-${n}`, hand.world.nowMs))
    return lose(hand, hand.pass(), '2')
  }

  it('catches the second of six within ten minutes', () => {
    const found = loseTwo(many(6))
    expect(found).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/of 6 may give up 1 .*n1 \(lost\), n2 \(lost\)/),
    })
  })

  it('accepts it ten minutes later', () => {
    expect(loseTwo(many(6), 600_000)).toBeUndefined()
  })

  it('accepts it where a person has released the brake', () => {
    const hand = many(6)
    const order = { kind: 'order', target: 'pool', name: 'general', verb: 'release-brake' }
    hand.put('admin-api', { ...keys.order('pool', 'general'), ...order, atMs: START_MS + 600_000 })
    expect(loseTwo(hand)).toBeUndefined()
  })

  const endBooting = (hand: Hand, n: string) => {
    const facts = { name: `b${n}`, instanceId: `i-b${n}` }
    if (!hand.instances.has(facts.instanceId)) hand.instance(facts.instanceId)
    const by = hand.pass()
    hand.commit(by, node({ ...facts, phase: 'booting' }))
    return hand.commit(by, node({ ...facts, phase: 'terminating', phaseSinceMs: hand.world.nowMs }))
  }

  it('counts machines that never came up, and not those that EC2 ended', () => {
    const hand = many(2)
    expect(endBooting(hand, '1')).toBeUndefined()
    hand.instance('i-b2', { state: 'shutting-down' })
    expect(endBooting(hand, '2')).toBeUndefined()
    expect(endBooting(hand, '3')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/ended while booting/),
    })
  })
})
