import { describe, expect, it } from 'vitest'
import type { BoundReplica, ReplicaFailures } from '#shared/model/assignment.ts'
import type { ReportedReplica } from '#shared/model/report.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import { assignment, herd, replica, report, START_MS, type Hand } from './hand-made.ts'

const RULE = 'failures'
const said = (text: RegExp): object => ({ rule: RULE, text: expect.stringMatching(text) })

const told = (more: Partial<ReportedReplica>): ReportedReplica => ({
  ...{ id: 'web/1-1', version: 'v', phase: 'ready', ready: true, restarts: 0 },
  ...{ addresses: {}, gpus: [] },
  ...more,
})

const failed = (more: Partial<ReplicaFailures> = {}): BoundReplica =>
  replica('web/1-1', {
    failures: { crashes: 2, count: 2, sinceMs: START_MS, lastMs: START_MS, ...more },
  })

/** `web/1-1` is bound to `n1`, and its agent has told these things one after the other. */
function herdThatTold(...all: readonly Partial<ReportedReplica>[]): Hand {
  const hand = herd()
  hand.commit(hand.pass(), ...assignment({ generation: 2, replicas: [replica('web/1-1')] }))
  for (const own of all) {
    const more = { observedGeneration: 2, replicas: [told(own)] }
    expect(hand.report('i-1', report('i-1', more))).toBeUndefined()
  }
  return hand
}

const stamped = (own: BoundReplica): readonly [Item, Item] =>
  assignment({ generation: 2, replicas: [own] })

function status(count: number, rows = 1): Item {
  const row = { version: 'v', node: 'n1', count, sinceMs: START_MS, lastMs: START_MS }
  return {
    ...keys.status('workload', 'web'),
    ...{ kind: 'status', noun: 'workload', name: 'web', uid: 'u-web', observedGeneration: 1 },
    ...{ version: 'v', desired: 2, assigned: 2, running: 2, ready: 2, updated: 2 },
    ...{ waiting: [], conditions: [] },
    failures: Array.from({ length: rows }, () => ({ replica: 'web/1-1', ...row })),
  }
}

const CRASHED = { phase: 'failed', ready: false, restarts: 1 } as const

describe('failures', () => {
  it('may be counted as told, by an agent that lost its memory too', () => {
    const hand = herdThatTold(CRASHED, { restarts: 0 }, { restarts: 1 })
    expect(hand.commit(hand.pass(), ...stamped(failed({ crashes: 1, count: 3 })))).toBeUndefined()
    const other = herdThatTold({}, { phase: 'running', ready: false })
    const once = failed({ crashes: 0, count: 1 })
    expect(other.commit(other.pass(), ...stamped(once))).toBeUndefined()
  })

  it('catches one that is counted twice', () => {
    const hand = herdThatTold(CRASHED)
    const twice = failed({ count: 4 })
    expect(hand.commit(hand.pass(), ...stamped(twice))).toMatchObject(said(/said .* 4 times/))
    const other = herdThatTold(CRASHED)
    expect(other.commit(other.pass(), status(9))).toMatchObject(said(/said .* 9 times/))
  })

  it('catches a status that remembers too much', () => {
    const hand = herdThatTold(CRASHED)
    expect(hand.commit(hand.pass(), status(1, 201))).toMatchObject(said(/remembers 201/))
  })

  it('must be taken in, and be remembered until all is well', () => {
    const hand = herdThatTold(CRASHED)
    const own = (): readonly string[] =>
      hand.auditor.unsettled().filter((text) => text.startsWith('web/1-1 '))
    expect(own()).toEqual(['web/1-1 has failed 2 times, and 0 are counted'])
    hand.commit(hand.pass(), ...stamped(failed()))
    expect(own()).toEqual(['web/1-1 failed and its workload does not remember it'])
    hand.commit(hand.pass(), status(2))
    expect(own()).toEqual([])
  })
})
