import { expect, it } from 'vitest'
import type { Violation } from '../traffic.ts'
import { addNode, assignment, herd, node, ready, replica, type Hand } from './hand-made.ts'

const RULE = 'placement'
const said = (text: RegExp) => ({ rule: RULE, text: expect.stringMatching(text) as string })

/** Two nodes in one zone; a pass has bound one replica to the first. */
function begun(placement: object): Hand {
  const hand = herd({ workload: { placement } })
  addNode(hand, 'n2', 'i-2')
  expect(bound(hand, assignment({ generation: 2, replicas: [ready('web/1-1')] }))).toBeUndefined()
  return hand
}

function bound(hand: Hand, items: ReturnType<typeof assignment>): Violation | undefined {
  const by = hand.pass()
  return hand.commit(by, ...items) ?? hand.over(by)
}

const second = (name: string, instanceId: string, generation: number) =>
  assignment({
    ...{ name, instanceId, generation },
    replicas: [...(name === 'n1' ? [ready('web/1-1')] : []), replica('web/2-1')],
  })

it('is caught when two that are to be apart are in one place', () => {
  const onNodes = begun({ antiAffinity: 'node' })
  expect(bound(onNodes, second('n1', 'i-1', 3))).toMatchObject(said(/node n1 holds web\/1-1, web/))
  const inZones = begun({ antiAffinity: 'zone' })
  expect(bound(inZones, second('n2', 'i-2', 2))).toMatchObject(said(/zone us-east-1a holds/))
  expect(bound(begun({ antiAffinity: 'node' }), second('n2', 'i-2', 2))).toBeUndefined()
})

it('is caught when one is away from the others', () => {
  const hand = begun({ affinity: 'node' })
  expect(bound(hand, second('n2', 'i-2', 2))).toMatchObject(
    said(/in node n2, and the others in n1/),
  )
  expect(bound(begun({ affinity: 'zone' }), second('n2', 'i-2', 2))).toBeUndefined()
})

it('counts nobody whose work a repack moves', () => {
  const hand = begun({ affinity: 'node' })
  const by = hand.pass()
  const group = { group: 'n1', side: 'retire', reason: 'Cheaper', offerings: [] }
  const repack = { ...group, sinceMs: 0, untilMs: 0, launch: [], retire: ['n1'], shift: [] }
  hand.commit(by, node({ name: 'n1', repack } as never))
  hand.over(by)
  expect(bound(hand, second('n2', 'i-2', 2))).toBeUndefined()
})

it('counts nobody who is about to leave', () => {
  const hand = begun({ affinity: 'node' })
  const by = hand.pass()
  const drain = { reason: 'OperatorDrain', text: 'a person said so', sinceMs: 0, deadlineMs: 1 }
  hand.commit(by, node({ name: 'n1', phase: 'draining', drain } as never))
  hand.over(by)
  expect(bound(hand, second('n2', 'i-2', 2))).toBeUndefined()
})
