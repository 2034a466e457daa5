import { describe, expect, it } from 'vitest'
import type { Node } from '#shared/model/node.ts'
import { keys } from '#shared/store/keys.ts'
import { assignment, herd, node, replica, report, START_MS, type Hand } from './hand-made.ts'

const INTENT = 'intent before effect'

const ending: Partial<Node> = {
  phase: 'terminating',
  terminating: { reason: 'x', sinceMs: START_MS },
}

const end = (hand: Hand, by: ReturnType<Hand['pass']>, id = 'i-1') =>
  hand.see({ kind: 'terminate', by, instanceIds: [id] })

const list = (hand: Hand, by: ReturnType<Hand['pass']>) =>
  hand.see({
    ...{ kind: 'list', by },
    instances: [...hand.instances.values()].map((own) => ({ ...own })),
  })

describe('intent before effect', () => {
  it('accepts the end of a node that is terminating', () => {
    const hand = herd()
    const by = hand.pass()
    hand.commit(by, node(ending))
    expect(end(hand, by)).toBeUndefined()
  })

  it('catches the end of a node that is not', () => {
    const hand = herd()
    expect(end(hand, hand.pass())).toMatchObject({
      rule: INTENT,
      text: expect.stringMatching(/n1, which is ready/),
    })
  })

  it('catches an end by anybody else', () => {
    const hand = herd()
    const by = hand.call('admin-api')
    expect(end(hand, by)).toMatchObject({
      rule: INTENT,
      text: expect.stringMatching(/reconcile alone/),
    })
  })

  it('accepts a late call for a machine that is over', () => {
    const hand = herd()
    hand.instance('i-1', { state: 'terminated' })
    expect(end(hand, hand.pass())).toBeUndefined()
  })

  it('catches the end of an instance that was never listed without a node', () => {
    const hand = herd()
    hand.instance('i-stray')
    hand.wait(400_000)
    const by = hand.pass()
    list(hand, by)
    expect(end(hand, by, 'i-stray')).toMatchObject({
      rule: INTENT,
      text: expect.stringMatching(/no node names/),
    })
  })

  it('accepts the sweep of an orphan that two listings showed', () => {
    const hand = herd()
    hand.instance('i-stray')
    hand.wait(400_000)
    list(hand, hand.pass())
    hand.wait(60_000)
    const by = hand.pass()
    list(hand, by)
    expect(end(hand, by, 'i-stray')).toBeUndefined()
  })

  it('catches the sweep of an orphan that is too young', () => {
    const hand = herd()
    hand.instance('i-stray')
    list(hand, hand.pass())
    hand.wait(60_000)
    const by = hand.pass()
    list(hand, by)
    expect(end(hand, by, 'i-stray')).toMatchObject({ rule: INTENT })
  })
})

describe('terminating is never taken back', () => {
  it('accepts its removal, and catches every other phase', () => {
    const hand = herd()
    const by = hand.pass()
    hand.commit(by, node(ending))
    expect(hand.commit(by, node())).toMatchObject({ rule: 'terminating is never taken back' })
    hand.commit(by, node(ending))
    hand.instance('i-1', { state: 'terminated' })
    expect(hand.commit(by, keys.node('n1'))).toBeUndefined()
  })
})

describe('a node goes when its machine is over', () => {
  it('catches the removal of one whose machine lives', () => {
    const hand = herd()
    const found = hand.commit(hand.pass(), keys.node('n1'))
    expect(found).toMatchObject({ rule: 'gone', text: expect.stringMatching(/i-1 is running/) })
  })

  it('accepts it when EC2 twice knew of none', () => {
    const hand = herd()
    hand.commit(hand.pass(), node({ missingSinceMs: START_MS }))
    hand.wait(70_000)
    const by = hand.pass()
    hand.see({ kind: 'list', by, instances: [] })
    expect(hand.commit(by, keys.node('n1'))).toBeUndefined()
  })
})

describe('empty before the end', () => {
  const RULE = 'empty before the end'
  const drain: NonNullable<Node['drain']> = {
    reason: 'OperatorDrain',
    ...{ text: '', sinceMs: START_MS, deadlineMs: START_MS + 60_000, generation: 2 },
  }

  function drained(): Hand {
    const hand = herd()
    hand.commit(hand.pass(), ...assignment({ generation: 2, replicas: [replica('web/1-1')] }))
    hand.process('i-1')
    return hand
  }

  it('catches the end of a drained node with a process on it', () => {
    const hand = drained()
    const by = hand.pass()
    hand.commit(by, node({ ...ending, drain }))
    expect(end(hand, by)).toMatchObject({ rule: RULE, text: expect.stringMatching(/web\/1-1/) })
  })

  it('accepts it once the drain is overdue', () => {
    const hand = drained()
    hand.wait(60_000 + 30_000 + 60_000)
    const by = hand.pass()
    hand.commit(by, node({ ...ending, drain }))
    expect(end(hand, by)).toBeUndefined()
  })

  it('accepts it where EC2 is in a hurry, or the agent has denied the process', () => {
    const hurried = drained()
    const by = hurried.pass()
    hurried.commit(by, node({ ...ending, drain: { ...drain, reason: 'Interrupted' } }))
    expect(end(hurried, by)).toBeUndefined()
    const denied = drained()
    denied.report('i-1', report('i-1', { observedGeneration: 2 }))
    const other = denied.pass()
    denied.commit(other, node({ ...ending, drain }))
    expect(end(denied, other)).toBeUndefined()
  })
})
