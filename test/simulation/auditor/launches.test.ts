import { describe, expect, it } from 'vitest'
import type { Launch, LaunchRequest } from '#shared/model/launch.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import { herd, node, pool, START_MS, TYPE, ZONE, type Hand } from './hand-made.ts'

const ONCE = '5 launches once'
const LIMIT = '6 limits'

const request = (more: Partial<LaunchRequest> = {}): LaunchRequest => ({
  ...{ token: 't-9', capacityType: 'spot', count: 1 },
  overrides: [
    {
      ...{ instanceType: TYPE, zone: ZONE },
      ...{ launchTemplateId: 'lt-1', launchTemplateVersion: '1' },
    },
  ],
  tags: { 'drover:launch': 'l-9/1', 'drover:table': 'test', 'drover:pool': 'general' },
  ...more,
})

function launchItem(more: Partial<Launch> = {}): Item {
  const own: Launch = {
    ...{ kind: 'launch', id: 'l-9', attempt: 1, pool: 'general', capacityType: 'spot', count: 1 },
    ...{ claims: ['c1'], request: JSON.stringify(request()), workloads: [] },
    ...{ notAfterMs: START_MS + 60_000, createdAtMs: START_MS },
    ...more,
  }
  return { ...keys.launch(own.id), ...own }
}

function claim(name = 'c1'): Item {
  const { machine: _, ...rest } = node({ name, phase: 'launching', launchId: 'l-9' })
  return rest as Item
}

type Sent = { request?: LaunchRequest; born?: string[] }

function send(hand: Hand, by: ReturnType<Hand['pass']>, { request: sent, born = [] }: Sent = {}) {
  for (const id of born) hand.instance(id, { tags: request().tags })
  const outcome = { outcome: 'unknown', text: '' } as const
  return hand.see({ kind: 'launch', by, request: sent ?? request(), outcome, born })
}

function intended(options: { pool?: object } = {}) {
  const hand = herd(options)
  const by = hand.pass()
  return { hand, by, wrote: hand.commit(by, launchItem(), claim()) }
}

describe('a launch happens at most once', () => {
  it('accepts a launch that was written down, and its replay', () => {
    const { hand, by, wrote } = intended()
    expect(wrote).toBeUndefined()
    expect(send(hand, by, { born: ['i-9'] })).toBeUndefined()
    expect(send(hand, by)).toBeUndefined()
  })

  it('accepts a late replay of an overtaken pass that brings nothing', () => {
    const { hand, by } = intended()
    hand.commit(by, keys.launch('l-9'))
    expect(send(hand, by)).toBeUndefined()
  })

  it('catches a launch that was not written down', () => {
    const hand = herd()
    expect(send(hand, hand.pass())).toMatchObject({
      rule: ONCE,
      text: expect.stringMatching(/not written down/),
    })
  })

  it('catches another request than the one written down', () => {
    const { hand, by } = intended()
    const other = request({ count: 2 })
    expect(send(hand, by, { request: other })).toMatchObject({
      rule: ONCE,
      text: expect.stringMatching(/another request/),
    })
  })

  it('catches a launch after its time', () => {
    const { hand, by } = intended()
    hand.wait(90_000)
    expect(send(hand, by)).toMatchObject({
      rule: ONCE,
      text: expect.stringMatching(/after its notAfter/),
    })
  })

  it('catches more instances than were asked for, over all attempts', () => {
    const { hand, by } = intended()
    send(hand, by, { born: ['i-9'] })
    const tags = { ...request().tags, 'drover:launch': 'l-9/2' }
    const second = request({ token: 't-10', tags })
    hand.commit(by, launchItem({ attempt: 2, request: JSON.stringify(second) }))
    const found = send(hand, by, { request: second, born: ['i-10'] })
    expect(found).toMatchObject({
      rule: ONCE,
      text: expect.stringMatching(/brought 2 instances, 1 asked/),
    })
  })

  it('catches births of a launch whose item is gone', () => {
    const { hand, by } = intended()
    hand.commit(by, keys.launch('l-9'))
    expect(send(hand, by, { born: ['i-9'] })).toMatchObject({
      rule: ONCE,
      text: expect.stringMatching(/item is gone/),
    })
  })

  it('catches a token that is used for two requests', () => {
    const { hand, by } = intended()
    const text = JSON.stringify(request({ tags: { ...request().tags, 'drover:launch': 'l-8/1' } }))
    const found = hand.commit(by, launchItem({ id: 'l-8', request: text }))
    expect(found).toMatchObject({ rule: ONCE, text: expect.stringMatching(/uses the token/) })
  })

  it('catches a request that is changed under its token', () => {
    const { hand, by } = intended()
    const text = JSON.stringify(request({ overrides: [] as never }))
    expect(hand.commit(by, launchItem({ request: text }))).toMatchObject({ rule: ONCE })
  })

  it('catches an intent whose counts differ', () => {
    const hand = herd()
    const found = hand.commit(hand.pass(), launchItem({ count: 2 }))
    expect(found).toMatchObject({ rule: ONCE, text: expect.stringMatching(/counts differ/) })
  })
})

describe("a pool's limits hold at each launch", () => {
  it('accepts what is just inside', () => {
    const { hand, by } = intended({ pool: { limits: { cpu: 4, costPerHour: 0.2 } } })
    expect(send(hand, by, { born: ['i-9'] })).toBeUndefined()
  })

  it.each([
    ['cpu', { cpu: 3 }, /cpu 4000 of 3000/],
    ['memory', { memory: '10Gi' }, /memory 16384 of 10240/],
    ['cost', { costPerHour: 0.15 }, /\$0\.2000 of \$0\.15/],
  ])('catches too much %s, claims counted in', (_, limits, text) => {
    const { hand, by } = intended({ pool: { limits } })
    expect(send(hand, by)).toMatchObject({ rule: LIMIT, text: expect.stringMatching(text) })
  })

  it('does not judge an intent by a limit that was lowered after it', () => {
    const { hand } = intended({ pool: { limits: { cpu: 4 } } })
    hand.put('admin-api', pool({ limits: { cpu: 2 } }))
    expect(send(hand, hand.pass())).toBeUndefined()
  })

  it('catches a world that is over the largest limit there ever was, strays left out', () => {
    const { hand, by } = intended({ pool: { limits: { cpu: 4 } } })
    hand.instance('i-stray')
    expect(send(hand, by, { born: ['i-9'] })).toBeUndefined()
    hand.instance('i-9', { tags: request().tags, instanceType: 'm7a.2xlarge' })
    expect(hand.auditor.full()).toMatchObject({
      rule: LIMIT,
      text: expect.stringMatching(/lives in EC2 .* cpu 8000 of 4000/),
    })
  })
})
