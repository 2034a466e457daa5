import { describe, expect, it } from 'vitest'
import { teamSpecSchema } from '#shared/model/team.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import {
  assignment,
  herd,
  ready,
  START_MS,
  stopped,
  webTemplate,
  workload,
  type Hand,
} from './hand-made.ts'

const RULE = '7 quota'

/** `web` is of team `red` and asks for half a CPU a replica; two run on `n1`, which holds three. */
function quota(cpu: string, spec: object = {}): Hand {
  const hand = herd({ workload: { team: 'red', preemptible: true, ...spec } })
  hand.put('admin-api', team('red', cpu))
  const replicas = [ready('web/1-1'), ready('web/1-2')]
  hand.commit(hand.pass(), ...assignment({ generation: 2, replicas }))
  for (const { id } of replicas) hand.process('i-1', { replicaId: id })
  return hand
}

function team(name: string, cpu: string): Item {
  return {
    ...keys.spec('team', name),
    ...{ kind: 'spec', noun: 'team', name, uid: `u-${name}`, generation: 1 },
    ...{ createdAtMs: START_MS, updatedAtMs: START_MS },
    spec: teamSpecSchema.parse({ quota: { cpu } }),
  }
}

function stopOne(hand: Hand, code: string): ReturnType<Hand['commit']> {
  const replicas = [ready('web/1-1'), stopped('web/1-2', code)]
  return hand.commit(hand.pass(), ...assignment({ generation: 3, replicas }))
}

function bindOneMore(hand: Hand): ReturnType<Hand['commit']> {
  const replicas = ['web/1-1', 'web/1-2', 'web/2-1'].map(ready)
  return hand.commit(hand.pass(), ...assignment({ generation: 3, replicas }))
}

describe('7 quota', () => {
  it('lets go what runs beyond its quota', () => {
    expect(stopOne(quota('500m'), 'Reclaimed')).toBeUndefined()
  })

  it('catches the reclaim of what its team is guaranteed', () => {
    expect(stopOne(quota('1'), 'Reclaimed')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/its team red is within its quota/),
    })
  })

  it('counts replicas as they were bound, whatever the spec says by now', () => {
    const edited = (quotaCpu: string, cpu: string): Hand => {
      const hand = quota(quotaCpu)
      hand.put('admin-api', workload({ team: 'red', preemptible: true, resources: { cpu } }))
      return hand
    }
    expect(stopOne(edited('900m', '100m'), 'Reclaimed')).toBeUndefined()
    expect(stopOne(edited('1', '4'), 'Reclaimed')).toMatchObject({ rule: RULE })
  })

  it('lets go a loan whose spec calls it firm by now, to whoever is entitled', () => {
    const flipped = (): Hand => {
      const hand = quota('500m')
      hand.see({ kind: 'over', by: hand.pass(), how: 'ended' })
      hand.put('admin-api', workload({ team: 'red', preemptible: false }))
      return hand
    }
    expect(stopOne(flipped(), 'Reclaimed')).toBeUndefined()
    expect(stopOne(flipped(), 'Preempted')).toMatchObject({ rule: RULE })
  })

  it('counts what the pass has reclaimed already', () => {
    const hand = quota('500m')
    const by = hand.pass()
    const first = [ready('web/1-1'), stopped('web/1-2', 'Reclaimed')]
    expect(hand.commit(by, ...assignment({ generation: 3, replicas: first }))).toBeUndefined()
    const both = [stopped('web/1-1', 'Reclaimed'), stopped('web/1-2', 'Reclaimed')]
    expect(hand.commit(by, ...assignment({ generation: 4, replicas: both }))).toMatchObject({
      rule: RULE,
    })
  })

  it.each(['Reclaimed', 'Preempted'])('catches that firm work was %s', (code) => {
    expect(stopOne(quota('500m', { preemptible: false }), code)).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/may not be preempted/),
    })
  })

  it('catches firm work that grows far beyond its quota', () => {
    const firm = { preemptible: false, replicas: 9, rollout: { maxSurge: 0 } }
    expect(bindOneMore(quota('1', firm))).toBeUndefined()
    expect(bindOneMore(quota('500m', firm))).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/team red has more firm work than its quota/),
    })
  })

  it('catches a gang that begins to hold room far beyond its quota', () => {
    const holds = (cpu: string): ReturnType<Hand['commit']> => {
      const firm = { preemptible: false, replicas: 9, gang: true, rollout: { maxSurge: 0 } }
      const hand = herd({ workload: { team: 'red', ...firm } })
      hand.put('admin-api', team('red', cpu))
      const reservations = [{ node: 'n1', count: 9, untilMs: START_MS + 1 }]
      return hand.commit(hand.pass(), status('web', { desired: 9, assigned: 0, reservations }))
    }
    expect(holds('4')).toBeUndefined()
    expect(holds('1')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/gang web holds room, and team red has more firm work/),
    })
  })

  it('counts the room of a gang in the version that people went back to', () => {
    const firm = { team: 'red', preemptible: false, replicas: 9, gang: true }
    const large = { ...firm, resources: { cpu: '3', memory: '256Mi' } }
    const holds = (verb: object): ReturnType<Hand['commit']> => {
      const hand = herd({ workload: firm })
      hand.put('admin-api', team('red', '5'), workload(large, { generation: 2 }))
      const about = { kind: 'order', target: 'workload', name: 'web', uid: 'u-web' }
      const order = { ...about, verb: 'rollout', paused: false, atMs: START_MS, ...verb }
      hand.put('admin-api', { ...keys.order('workload', 'web'), ...order })
      const reservations = [{ node: 'n1', count: 9, untilMs: START_MS + 1 }]
      return hand.commit(hand.pass(), status('web', { desired: 9, assigned: 0, reservations }))
    }
    const [from, to] = [large, firm].map((own) => versionOf(webTemplate(own)))
    expect(holds({ undo: { from, to } })).toBeUndefined()
    expect(holds({})).toMatchObject({ rule: RULE })
  })

  it('lets preemptible work grow', () => {
    expect(bindOneMore(quota('0', { replicas: 9 }))).toBeUndefined()
  })

  it('lists who is entitled and waits while a borrower has the room', () => {
    const hand = quota('0')
    expect(hand.auditor.unsettled()).toEqual([])
    hand.put('admin-api', team('blue', '2'))
    indexWaits(hand, { team: 'blue' })
    expect(hand.auditor.unsettled()).toEqual([
      '7 quota: workload index is entitled and waits; web/1-1 borrows on n1',
    ])
    // Another version may be of another size.
    indexWaits(hand, { team: 'blue' }, 'undone to')
    expect(hand.auditor.unsettled()).toEqual([])
    // The borrower is on a spot machine.
    indexWaits(hand, { team: 'blue', availability: { minReliable: 1 } })
    expect(hand.auditor.unsettled()).toEqual([])
    indexWaits(hand, { team: 'blue' })
    hand.put('admin-api', team('red', '1'))
    expect(hand.auditor.unsettled()).toEqual([])
  })

  it('lists who waits while less important work of its team has the room', () => {
    const spec = { replicas: 2, rollout: { maxUnavailable: 2 } }
    const hand = quota('4', spec)
    indexWaits(hand, { team: 'red', priority: 10 })
    hand.commit(hand.pass(), status('web', { desired: 2, assigned: 2, running: 2, ready: 2 }))
    expect(hand.auditor.unsettled()).toEqual([
      '7 quota: workload index is entitled and waits; web/1-1 matters less on n1',
    ])
    hand.put('admin-api', workload({ team: 'red', preemptible: true, priority: 10, ...spec }))
    expect(hand.auditor.unsettled()).toEqual([])
  })
})

/** A workload `index` that has waited for the market for long, at its spec's version or another. */
function indexWaits(hand: Hand, spec: object, another?: string): void {
  const more = { replicas: 1, resources: { cpu: '1400m' }, command: ['x'], ...spec }
  const index = { name: 'index', uid: 'u-index', spec: workloadSpecSchema.parse(more) }
  hand.put('admin-api', { ...workload({}, index), ...keys.spec('workload', 'index') })
  hand.world.capacity = 0
  const reasons = [{ code: 'Shortage', text: '' }]
  const version = another ?? versionOf(templateOf(index.spec))
  const waiting = [{ version, count: 1, sinceMs: 1, unschedulableSinceMs: 1, reasons }]
  hand.wait(300_000)
  hand.commit(hand.pass(), status('index', { desired: 1, assigned: 0, waiting }))
}

function status(name: string, numbers: object): Item {
  return {
    ...keys.status('workload', name),
    ...{ kind: 'status', noun: 'workload', name, uid: `u-${name}`, version: 'v' },
    ...{ observedGeneration: 1, running: 0, ready: 0, updated: 0 },
    ...{ waiting: [], conditions: [], spotFailures: 0 },
    ...numbers,
  }
}
