/**
 * The snapshot: what is read, what is left out, and that a node cannot pass an item off as another.
 */
import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import type { Pass } from '#shared/model/facts.ts'
import { keys } from '#shared/store/keys.ts'
import { loadSnapshot, snapshotOf } from '#shared/store/snapshot.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import type { Item } from '#shared/store/store.ts'
import { StoreError } from '#shared/store/store.ts'

const NOW_MS = Date.parse('2026-11-22T10:00:00Z')
const ARN = 'arn:aws:ec2:us-east-1:1:instance/i-1'
const pass: Pass = {
  kind: 'pass',
  tableUid: 'test',
  createdAtMs: NOW_MS,
  epoch: 3,
  startedAtMs: NOW_MS,
  coveredSinceMs: NOW_MS,
  suspects: {},
}
const context = {
  nowMs: NOW_MS,
  pass,
  settings: {
    plan: { lostAfterMs: LIMITS.lostAfterMs, bootDeadlineMs: LIMITS.bootDeadlineMs },
    zones: ['us-east-1a', 'us-east-1b'],
  },
}
const beat = (arn: string): Item => ({
  ...keys.beat(ARN),
  kind: 'beat',
  arn,
  bootId: 'b',
  atMs: NOW_MS,
})

describe('snapshot', () => {
  it('reads every kind of item by its key', () => {
    const { beats, invalid } = snapshotOf([beat(ARN), { ...pass, ...keys.pass() }], context)
    expect(beats).toEqual([{ kind: 'beat', arn: ARN, bootId: 'b', atMs: NOW_MS }])
    expect(invalid).toEqual([])
  })

  it('takes nothing else from an item that a node may write', () => {
    const forged: Item = { ...keys.report(ARN), kind: 'node', name: 'n1', phase: 'ready' }
    const { nodes, reports, invalid } = snapshotOf([forged], context)
    expect(nodes).toEqual([])
    expect(reports).toEqual([])
    expect(invalid.map((own) => own.key)).toEqual([`report#${ARN}/report`])
  })

  it('refuses a report that would not fit into drover’s own items', () => {
    const report = (extra: object): Item => ({
      ...{ ...keys.report(ARN), kind: 'report', arn: ARN, bootId: 'b', sequence: 1 },
      ...{ agentVersion: '1', observedGeneration: 0, replicas: [], atMs: NOW_MS },
      ...{ runtimes: ['process'], ...extra },
    })
    const measures = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, i) => [`m${String(i)}`, 1e14 + i]),
    )
    const check = { name: 'cpu', verdict: 'PASS', measures }
    const huge = { burnIn: { attempt: 1, suite: 's', state: 'finished', checks: [check] } }
    const many = { runtimes: Array.from({ length: 50_000 }, () => 'docker') }
    const read = (extra: object) => snapshotOf([report(extra)], context).reports.length
    expect([read({}), read(huge), read(many)]).toEqual([1, 0, 0])
  })

  it('refuses a beat in the name of another machine', () => {
    const { beats, invalid } = snapshotOf([beat(`${ARN}2`)], context)
    expect(beats).toEqual([])
    expect(invalid[0]?.text).toBe('it names another machine than its key')
  })

  it('sells nothing in zones without a subnet, and no machine without an image', () => {
    const { offerings } = snapshotOf([], context)
    expect(new Set(offerings.map((own) => own.zone))).toEqual(new Set(['us-east-1a', 'us-east-1b']))
    expect(offerings.some((own) => own.instanceType.startsWith('g5g.'))).toBe(false)
    expect(offerings.some((own) => own.instanceType.startsWith('g5.'))).toBe(true)
  })

  it('has the prices of the market where there are any', () => {
    const market: Item = {
      ...keys.market('us-east-1a'),
      kind: 'market',
      zone: 'us-east-1a',
      atMs: NOW_MS,
      prices: { 'm7a.large': { onDemand: 9, spot: 1 } },
    }
    const here = snapshotOf([market], context).offerings.filter((own) => own.zone === 'us-east-1a')
    expect(here.map((own) => [own.instanceType, own.capacityType, own.priceUsdPerHour])).toEqual([
      ['m7a.large', 'on-demand', 9],
      ['m7a.large', 'spot', 1],
    ])
  })

  it('never has the prices of another table, however alike its market looks', () => {
    const marketAt = (onDemand: number): Item => ({
      ...keys.market('us-east-1a'),
      kind: 'market',
      zone: 'us-east-1a',
      atMs: NOW_MS,
      prices: { 'm7a.large': { onDemand } },
    })
    const [first, second] = [5, 6].map((price) => snapshotOf([marketAt(price)], context).offerings)
    expect(first?.[0]?.priceUsdPerHour).toBe(5)
    expect(second?.[0]?.priceUsdPerHour).toBe(6)
  })

  it('is the same in whatever order a parallel scan brought the items', () => {
    const shortage = (zone: string): Item => ({
      ...keys.shortage({ instanceType: 'm7a.large', zone, capacityType: 'spot' }),
      ...{ kind: 'shortage', instanceType: 'm7a.large', zone, capacityType: 'spot' },
      ...{ code: 'InsufficientInstanceCapacity', text: '', failures: 1 },
      ...{ sinceMs: NOW_MS, untilMs: NOW_MS + 1 },
    })
    const brake = (pool: string): Item => ({
      ...{ ...keys.brake(pool), kind: 'brake', pool, condemned: [] },
    })
    const items = [shortage('us-east-1a'), shortage('us-east-1b'), brake('a'), brake('b')]
    const snapshot = snapshotOf(items, context)
    expect(snapshot.shortages).toHaveLength(2)
    expect(snapshotOf(items.toReversed(), context)).toEqual(snapshot)
  })

  it('has the counts of burn-ins, if there are any that can be read', () => {
    const rate = { instanceType: 'm7a.large', zone: 'us-east-1a', failed: 1, passed: 2.5 }
    const item: Item = { ...keys.rates(), kind: 'rates', revision: 3, atMs: NOW_MS, rates: [rate] }
    expect(snapshotOf([item], context).rates).toMatchObject({ rates: [rate] })
    expect(snapshotOf([], context).rates).toBeUndefined()
    const odd = snapshotOf([{ ...item, rates: 'many' }], context)
    expect([odd.rates, odd.invalid.map((own) => own.key)]).toEqual([undefined, ['rates/rates']])
  })

  it('keeps the list of what can be bought while the market says the same', () => {
    const market = (): Item => ({
      ...keys.market('us-east-1a'),
      kind: 'market',
      zone: 'us-east-1a',
      atMs: NOW_MS,
      prices: { 'm7a.large': { onDemand: 9 } },
    })
    const { offerings } = snapshotOf([market()], context)
    expect(snapshotOf([market()], context).offerings).toBe(offerings)
  })

  it('reads a frozen item once, and any other each time', () => {
    const item = beat(ARN)
    const read = (): unknown => snapshotOf([item], context).beats[0]
    expect(read()).not.toBe(read())
    Object.freeze(item)
    expect(read()).toBe(read())
    expect(Object.isFrozen(read())).toBe(true)
  })

  it('is no snapshot when the table cannot be read whole', async () => {
    const store = makeMemoryStore()
    const broken = {
      ...store,
      scan: () => Promise.reject(new StoreError({ text: 'a segment failed' })),
    }
    await expect(loadSnapshot(broken, context)).rejects.toThrow('a segment failed')
  })
})
