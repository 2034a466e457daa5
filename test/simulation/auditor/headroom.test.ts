import { describe, expect, it } from 'vitest'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import { addNode, assignment, herd, pool, ready, type Hand } from './hand-made.ts'

/** `web` is whole on `n1`, which has 930 milli and some GiB left. */
function keeping(headroom: object): Hand {
  const hand = herd({ pool: { headroom } })
  const replicas = [ready('web/1-1'), ready('web/1-2')]
  hand.commit(hand.pass(), ...assignment({ generation: 2, replicas }))
  hand.process('i-1')
  hand.process('i-1', { replicaId: 'web/1-2' })
  return hand
}

/** Somebody waits at the limit of the pool. */
function atLimit(hand: Hand): void {
  const reasons = [{ code: 'PoolLimit', text: 'pool general is at its limit (cpu 4)' }]
  const waiting = [{ version: 'v', count: 1, sinceMs: 1, unschedulableSinceMs: 1, reasons }]
  const status: Item = {
    ...keys.status('workload', 'web'),
    ...{ kind: 'status', noun: 'workload', name: 'web', uid: 'u-web', observedGeneration: 1 },
    ...{ version: 'v', desired: 2, assigned: 2, running: 2, ready: 2, updated: 2 },
    ...{ waiting, conditions: [], spotFailures: 0 },
  }
  hand.commit(hand.pass(), status)
}

describe('headroom', () => {
  it('is room for pieces on the machines as they stand', () => {
    expect(keeping({ memory: '2Gi' }).auditor.unsettled()).toEqual([])
    const found = keeping({ cpu: '2' }).auditor.unsettled()
    expect(found).toEqual([
      'headroom: pool general keeps 0 of 2 pieces of headroom, and there is ' +
        'm7a.large/us-east-1a/spot for pool general',
    ])
  })

  it('is not asked for where there is none to be had, or somebody waits at the limit', () => {
    const sold = keeping({ cpu: '2' })
    sold.world.capacity = 0
    expect(sold.auditor.unsettled()).toEqual([])
    const waited = keeping({ cpu: '2' })
    atLimit(waited)
    expect(waited.auditor.unsettled()).toEqual([])
  })

  it('is kept from nobody for whom no machine could ever be bought', () => {
    const hand = keeping({ cpu: '1' })
    addNode(hand, 'n2', 'i-2')
    hand.put('admin-api', pool({ headroom: { cpu: '1' }, limits: { cpu: '1' } }))
    atLimit(hand)
    expect(hand.auditor.unsettled()).toEqual([])
  })

  it('is what an empty machine may stand for, and only while others have too little room', () => {
    const needed = keeping({ cpu: '1' })
    addNode(needed, 'n2', 'i-2')
    expect(needed.auditor.unsettled()).toEqual([])
    atLimit(needed)
    expect(needed.auditor.unsettled()).toEqual(['node n2 of pool general carries nothing'])
    const idle = keeping({ memory: '2Gi' })
    addNode(idle, 'n2', 'i-2')
    expect(idle.auditor.unsettled()).toEqual(['node n2 of pool general carries nothing'])
  })
})
