import { describe, expect, it } from 'vitest'
import { herd, workload, type Hand } from './hand-made.ts'

function calm(): Hand {
  const hand = herd()
  hand.over({ ...hand.call('reconcile'), label: 'reconcile#1' })
  hand.quiet()
  hand.wait(120_000)
  return hand
}

const wish = (hand: Hand) => hand.put('admin-api', workload({ replicas: 3 }, { generation: 2 }))
const someAct = (hand: Hand) => hand.see({ kind: 'begun', by: hand.call('wake') })

describe('10 seen in time', () => {
  const RULE = '10 seen in time'

  it('accepts a pass that begins within five seconds', () => {
    const hand = calm()
    wish(hand)
    hand.wait(4_000)
    const by = hand.pass()
    hand.wait(20_000)
    expect(hand.over(by)).toBeUndefined()
    expect(someAct(hand)).toBeUndefined()
  })

  it('accepts one that begins within five seconds of the end of a running pass', () => {
    const hand = calm()
    const running = hand.pass()
    wish(hand)
    hand.wait(20_000)
    expect(hand.over(running)).toBeUndefined()
    hand.wait(4_000)
    expect(someAct(hand)).toBeUndefined()
  })

  it('catches a wish that waits', () => {
    const hand = calm()
    wish(hand)
    hand.wait(6_000)
    expect(someAct(hand)).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/spec#workload \/ web/),
    })
  })

  it('catches a pass that begins late', () => {
    const hand = calm()
    wish(hand)
    hand.wait(6_000)
    const by = hand.call('reconcile', { label: 'reconcile#99' })
    expect(hand.see({ kind: 'begun', by })).toMatchObject({ rule: RULE })
  })

  it('says nothing of a change of dates, nor while something has just gone wrong', () => {
    const hand = calm()
    hand.put('admin-api', workload({}, { updatedAtMs: 5 }))
    hand.wait(6_000)
    expect(someAct(hand)).toBeUndefined()
    hand.world.lastTroubleMs = hand.world.nowMs - 30_000
    wish(hand)
    hand.wait(6_000)
    expect(someAct(hand)).toBeUndefined()
  })

  it('wants ten quiet minutes while faults are on', () => {
    const late = (troubleBeforeMs: number) => {
      const hand = calm()
      hand.world.faults = true
      hand.world.lastTroubleMs = hand.world.nowMs - troubleBeforeMs
      wish(hand)
      hand.wait(6_000)
      return someAct(hand)
    }
    expect(late(300_000)).toBeUndefined()
    expect(late(700_000)).toMatchObject({ rule: RULE })
  })
})

describe('11 a pass failed', () => {
  it('catches a pass that throws without a fault', () => {
    const hand = calm()
    expect(hand.over(hand.pass(), 'threw')).toMatchObject({ rule: '11 a pass failed' })
  })

  it('accepts one that ended, and one that was disturbed', () => {
    const hand = calm()
    expect(hand.over(hand.pass())).toBeUndefined()
    const by = hand.pass()
    hand.world.lastTroubleMs = hand.world.nowMs
    expect(hand.over(by, 'threw')).toBeUndefined()
  })
})
