import { describe, expect, it } from 'vitest'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import { assignment, herd, node, ready, START_MS, workload, type Hand } from './hand-made.ts'

/** `web` is whole: its two replicas run on `n1`. */
function whole(options: Parameters<typeof herd>[0] = {}): Hand {
  const hand = herd(options)
  const replicas = [ready('web/1-1'), ready('web/1-2')]
  hand.commit(hand.pass(), ...assignment({ generation: 2, replicas }))
  hand.process('i-1')
  hand.process('i-1', { replicaId: 'web/1-2' })
  return hand
}

function status(code: string, more: object = {}): Item {
  const reasons = code === '' ? [] : [{ code, text: 'so it is' }]
  const waiting = [{ version: 'v', count: 1, sinceMs: 1, unschedulableSinceMs: 1, reasons }]
  return {
    ...keys.status('workload', 'web'),
    ...{ kind: 'status', noun: 'workload', name: 'web', uid: 'u-web', observedGeneration: 1 },
    ...{ version: 'v', desired: 3, assigned: 2, running: 2, ready: 2, updated: 2 },
    ...{ waiting, conditions: [], spotFailures: 0, ...more },
  }
}

describe('10 convergence', () => {
  it('has nothing to say of a herd that is whole', () => {
    expect(whole().auditor.unsettled()).toEqual([])
  })

  it('lists a workload that is short, and why nobody was told', () => {
    const hand = whole({ workload: { replicas: 3 } })
    expect(hand.auditor.unsettled()).toEqual(['workload web: 2 of 3 are well (no reason given)'])
  })

  it('does not count processes that are ill, old or told to stop', () => {
    const hand = whole({ workload: { replicas: 3 } })
    hand.process('i-1', { replicaId: 'web/1-3', healthy: false })
    expect(hand.auditor.unsettled()[0]).toMatch(/2 of 3/)
    const old = whole()
    old.process('i-1', { replicaId: 'web/1-3', version: 'old' })
    expect(old.auditor.unsettled()[0]).toMatch(/1 run that are not of version/)
    const stopping = whole()
    stopping.process('i-1', { replicaId: 'web/1-3', stopping: true })
    expect(stopping.auditor.unsettled()[0]).toMatch(/1 are stopping/)
  })

  it('excuses a shortage only where the world has nothing to sell', () => {
    const hand = whole({ workload: { replicas: 3 } })
    hand.commit(hand.pass(), status('Shortage'))
    expect(hand.auditor.unsettled()[0]).toMatch(/there is m7a.large\/us-east-1a\/spot/)
    hand.world.capacity = 0
    expect(hand.auditor.unsettled()).toEqual([])
  })

  it('excuses a limit only where it stands, and a reason of its own never', () => {
    const hand = whole({ workload: { replicas: 3 }, pool: { limits: { cpu: 2 } } })
    hand.commit(hand.pass(), status('PoolLimit'))
    expect(hand.auditor.unsettled()).toEqual([])
    hand.commit(hand.pass(), status('NoPool'))
    expect(hand.auditor.unsettled()[0]).toMatch(/NoPool/)
  })

  it('counts a spot place as closed once a storm there could take too many', () => {
    const asked = { replicas: 3, availability: { minAvailable: 2 } }
    const hand = whole({ workload: asked })
    hand.commit(hand.pass(), status('Topology'))
    expect(hand.auditor.unsettled()[0]).toMatch(/there is m7a.large\/us-east-1a\/on-demand/)
    const narrow = { capacityTypes: ['spot'], zones: ['us-east-1a'] }
    const stuck = whole({ workload: asked, pool: narrow })
    stuck.commit(stuck.pass(), status('Topology'))
    expect(stuck.auditor.unsettled()).toEqual([])
    const brave = whole({ workload: { replicas: 3 }, pool: narrow })
    brave.commit(brave.pass(), status('Topology'))
    expect(brave.auditor.unsettled()[0]).toMatch(/there is m7a.large\/us-east-1a\/spot/)
  })

  it('wants a reason for what can never run', () => {
    const hand = whole({ workload: { replicas: 3 } })
    hand.impossible.add('web')
    expect(hand.auditor.unsettled()[0]).toMatch(/no status/)
    hand.commit(hand.pass(), status(''))
    expect(hand.auditor.unsettled()[0]).toMatch(/does not say why/)
    hand.commit(hand.pass(), status('TooLarge'))
    expect(hand.auditor.unsettled()).toEqual([])
  })

  it('lists what runs beyond what is wanted', () => {
    const hand = whole({ workload: { replicas: 1 } })
    expect(hand.auditor.unsettled()).toEqual(['workload web: 2 run of 1 wanted'])
    const deleted = whole()
    deleted.put('admin-api', workload({}, { deletedAtMs: START_MS }))
    expect(deleted.auditor.unsettled()).toEqual(['workload web: 2 run of 0 wanted'])
  })
})

describe('leftovers', () => {
  const add = (hand: Hand, facts: Parameters<typeof node>[0]) => {
    const own = { name: 'n2', instanceId: 'i-2', ...facts }
    hand.instance('i-2')
    hand.commit(hand.pass(), node(own), ...assignment({ name: 'n2', instanceId: 'i-2' }))
    return hand.auditor.unsettled()
  }

  it('lists a node that carries nothing, unless it may stay', () => {
    expect(add(whole(), {})[0]).toMatch(/n2 of pool general carries nothing/)
    expect(add(whole(), { cordoned: true })).toEqual([])
    expect(add(whole({ pool: { repack: { when: 'never' } } }), {})).toEqual([])
  })

  it('lists nodes that come or go', () => {
    expect(add(whole(), { phase: 'testing' })[0]).toMatch(/n2 is testing/)
    expect(add(whole(), { phase: 'terminating' })[0]).toMatch(/n2 is terminating/)
  })

  it('lists a quarantine that is over', () => {
    const hand = whole({ pool: { burnIn: { quarantineSeconds: 600 } } })
    expect(add(hand, { phase: 'quarantined' })).toEqual([])
    hand.wait(700_000)
    expect(hand.auditor.unsettled()[0]).toMatch(/quarantined longer/)
  })

  it('lists a node whose machine EC2 is about to take', () => {
    const hand = whole()
    add(hand, { cordoned: true })
    hand.instance('i-2', { interruption: { action: 'terminate', atMs: START_MS + 120_000 } })
    expect(hand.auditor.unsettled()[0]).toMatch(/n2 is about to be taken/)
  })

  it('lists a node whose machine is gone', () => {
    const hand = whole()
    add(hand, { cordoned: true })
    hand.instance('i-2', { state: 'terminated' })
    expect(hand.auditor.unsettled()[0]).toMatch(/i-2 is terminated/)
  })
})

describe('4 orphans', () => {
  it('lists an instance that no node names, and lets it be for half an hour', () => {
    const hand = whole()
    hand.quiet()
    hand.instance('i-stray')
    expect(hand.auditor.unsettled()[0]).toMatch(/i-stray lives, and no node names it/)
    expect(hand.auditor.full()).toBeUndefined()
    hand.wait(1_900_000)
    expect(hand.auditor.full()).toMatchObject({
      rule: '4 orphans',
      text: expect.stringMatching(/i-stray/),
    })
    hand.world.lastTroubleMs = hand.world.nowMs - 600_000
    expect(hand.auditor.full()).toBeUndefined()
  })

  it('lists a claim whose launch is not there', () => {
    const hand = whole()
    const { machine: _, ...claim } = node({ name: 'c1', phase: 'launching', launchId: 'l-7' })
    hand.commit(hand.pass(), claim as Item)
    expect(hand.auditor.unsettled()[0]).toMatch(/its launch l-7 is not/)
  })
})

describe('8 on-demand base', () => {
  const based = { capacity: { onDemandBase: 1 } }

  it('lists a base that sits on spot while on-demand can be had', () => {
    const hand = whole({ workload: based })
    expect(hand.auditor.unsettled()).toEqual([
      expect.stringMatching(/0 of 1 base replicas .* there is m7a.large\/us-east-1a\/on-demand/),
    ])
    hand.world.capacity = 0
    expect(hand.auditor.unsettled()).toEqual([])
  })

  it('accepts a base on on-demand machines', () => {
    const hand = whole({ workload: based })
    hand.instance('i-1', { capacityType: 'on-demand' })
    expect(hand.auditor.unsettled()).toEqual([])
  })

  it('asks for none outside the zone that affinity ties it to', () => {
    const elsewhere = { pool: { zones: ['us-east-1b'] } }
    const free = whole({ workload: based, ...elsewhere })
    expect(free.auditor.unsettled()).toEqual([expect.stringMatching(/us-east-1b\/on-demand/)])
    const tied = whole({ workload: { ...based, placement: { affinity: 'zone' } }, ...elsewhere })
    expect(tied.auditor.unsettled()).toEqual([])
  })

  it('asks no base of a gang that is not whole', () => {
    const hand = herd({ workload: { ...based, gang: true } })
    const base = (): readonly string[] =>
      hand.auditor.unsettled().filter((text) => text.startsWith('8 on-demand base'))
    expect(base()).toEqual([])
    hand.process('i-1')
    expect(base()).toEqual([])
    hand.process('i-1', { replicaId: 'web/1-2' })
    expect(base()).toEqual([expect.stringMatching(/0 of 1 base replicas/)])
  })

  it('is missed where it was raised on a running workload too', () => {
    const hand = whole()
    hand.put('admin-api', workload(based, { generation: 2 }))
    expect(hand.auditor.unsettled()).toEqual([expect.stringMatching(/0 of 1 base replicas/)])
  })
})
