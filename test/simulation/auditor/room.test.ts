import { describe, expect, it } from 'vitest'
import { versionOf } from '#shared/model/version.ts'
import { wrongDevices } from './needs.ts'
import { assignment, herd, replica, report, stopped, webTemplate, type Hand } from './hand-made.ts'

const RULE = '2 room'
const BIG = { resources: { cpu: '1500m', memory: '256Mi' } }
const big = webTemplate(BIG)
const templates = { [`u-web/${versionOf(big)}`]: big }
const bigReplica = (id: string, more = {}) => replica(id, { version: versionOf(big), ...more })

describe('requests stay within what a machine has', () => {
  it('accepts what fits', () => {
    const hand = herd({ workload: BIG })
    const bound = assignment({ generation: 2, templates, replicas: [bigReplica('web/1-1')] })
    expect(hand.commit(hand.pass(), ...bound)).toBeUndefined()
    expect(hand.auditor.full()).toBeUndefined()
  })

  it('catches what does not, counting a replica that is still stopping', () => {
    const hand = herd({ workload: BIG })
    const by = hand.pass()
    const first = bigReplica('web/1-1', { order: 'stop', stopReason: { code: 'x', text: '' } })
    const replicas = [first, bigReplica('web/1-2')]
    const found = hand.commit(by, ...assignment({ generation: 2, templates, replicas }))
    expect(found).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/n1: 2 replicas ask for cpu 3000 of 1930/),
    })
    expect(hand.auditor.full()).toMatchObject({ rule: RULE })
  })

  it('catches more than 250 replicas', () => {
    const hand = herd()
    const tiny = webTemplate({ resources: { cpu: '1m', memory: '1Mi' } })
    const version = versionOf(tiny)
    const replicas = Array.from({ length: 251 }, (_, i) =>
      replica(`web/1-${String(i)}`, { version }),
    )
    const bound = { generation: 2, templates: { [`u-web/${version}`]: tiny }, replicas }
    // Bound without a word of the specs: the count is what is looked at.
    const by = hand.pass()
    hand.commit(by, ...assignment(bound))
    expect(hand.auditor.full()).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/251 replicas/),
    })
  })

  it('catches a replica whose template the assignment lacks', () => {
    const hand = herd()
    const bound = assignment({ generation: 2, templates: {}, replicas: [replica('web/1-1')] })
    expect(hand.commit(hand.pass(), ...bound)).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/lacks/),
    })
  })
})

describe('GPU devices', () => {
  const share = (index: number, milli: number) => ({ index, milli })
  const own = (id: string, needMilli: number, ...gpus: ReturnType<typeof share>[]) => ({
    ...{ id, needMilli, gpus },
  })

  it('accepts whole devices and fractions that fit together', () => {
    const all = [own('a', 1000, share(0, 1000)), own('b', 500, share(1, 500))]
    expect(wrongDevices([...all, own('c', 500, share(1, 500)), own('d', 0)], 2)).toBeUndefined()
  })

  it.each([
    [
      'a device that is carried twice',
      [own('a', 600, share(0, 600)), own('b', 500, share(0, 500))],
    ],
    ['a device that is not there', [own('a', 1000, share(4, 1000))]],
    ['one device for two', [own('a', 2000, share(0, 1000))]],
    ['the same device twice', [own('a', 2000, share(0, 1000), share(0, 1000))]],
    ['half a device for a whole one', [own('a', 1000, share(0, 500))]],
    ['a device for nobody', [own('a', 0, share(0, 100))]],
  ])('catches %s', (_, all) => {
    expect(wrongDevices(all, 4)).toBeTypeOf('string')
  })
})

describe('the world has room too', () => {
  const run = (hand: Hand, id: string) =>
    hand.process('i-1', { replicaId: id, template: big, version: versionOf(big) })
  const bound = (hand: Hand) => {
    const replicas = [bigReplica('web/1-1'), bigReplica('web/1-2')]
    hand.commit(hand.pass(), ...assignment({ generation: 2, templates, replicas }))
  }

  it('accepts processes that fit', () => {
    const hand = herd({ workload: BIG })
    bound(hand)
    expect(run(hand, 'web/1-1')).toBeUndefined()
  })

  it('catches processes that ask for more than the machine has', () => {
    const hand = herd({ workload: BIG })
    bound(hand)
    run(hand, 'web/1-1')
    expect(run(hand, 'web/1-2')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/processes on i-1/),
    })
    expect(hand.auditor.full()).toMatchObject({ rule: RULE })
  })

  const forget = (hand: Hand) => {
    const by = hand.pass()
    const told = assignment({ generation: 3, replicas: [stopped('web/1-1', 'Deadline')] })
    hand.commit(by, ...told)
    return hand.commit(hand.pass(), ...assignment({ generation: 4 }))
  }

  it('catches a replica that leaves the assignment while it runs', () => {
    const hand = herd()
    hand.commit(hand.pass(), ...assignment({ generation: 2, replicas: [replica('web/1-1')] }))
    hand.process('i-1')
    expect(forget(hand)).toMatchObject({ rule: RULE, text: expect.stringMatching(/still runs/) })
  })

  it('lets it go where the agent has denied the process', () => {
    const hand = herd()
    hand.commit(hand.pass(), ...assignment({ generation: 2, replicas: [replica('web/1-1')] }))
    hand.process('i-1')
    hand.report('i-1', report('i-1', { observedGeneration: 3 }))
    expect(forget(hand)).toBeUndefined()
  })
})
