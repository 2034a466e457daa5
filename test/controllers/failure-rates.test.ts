import { describe, expect, it } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { judgePending } from '#shared/controllers/burn-in.ts'
import { countVerdicts } from '#shared/controllers/failure-rates.ts'
import { STREAM_FILTERS } from '#shared/controllers/stream-filters.ts'
import { matters } from '#shared/controllers/wake.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { ratesSchema } from '#shared/model/rates.ts'
import type { Verdict, VerdictName } from '#shared/model/verdict.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { keys } from '#shared/store/keys.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import type { Store } from '#shared/store/store.ts'
import { asked } from '../asked.ts'
import { engineBinary, startTables } from '../store/engine.ts'

const NOW_MS = Date.UTC(2026, 10, 29, 12)
const arnOf = (name: string) => `arn:aws:ec2:us-east-1:111122223333:instance/i-${name}`

type Tested = {
  readonly attempt?: number
  readonly tries?: number
  readonly unknowns?: number
  readonly served?: boolean
  readonly mended?: readonly string[]
  readonly whole?: string
}

function verdict(node: string, verdict: VerdictName, attempt = 1): Verdict {
  const run = { arn: arnOf(node), bootId: 'b', attempt, suite: 'basic', checks: [] }
  return { kind: 'verdict', node, verdict, atMs: NOW_MS, ...run }
}

function open(store: Store = makeMemoryStore()) {
  const clock = makeVirtualClock(NOW_MS)
  const ports = { store, clock, log: silentLogger }
  const put = async (item: Record<string, unknown>, key: { pk: string; sk: string }) => {
    await store.write({ kind: 'put', item: { ...key, ...item } })
  }
  return {
    ...{ store, clock, ports, put },
    node: (name: string, burnIn?: Tested, more: object = {}) => {
      const place = { instanceType: 'm7a.large', zone: 'us-east-1a', imageId: 'ami-1' }
      const machine = { arn: arnOf(name), ...place, ...more }
      return put({ name, pool: 'general', machine, ...(burnIn && { burnIn }) }, keys.node(name))
    },
    count: (...verdicts: Verdict[]) => countVerdicts(ports, verdicts),
    rates: async () => ratesSchema.safeParse(await store.get(keys.rates())).data,
  }
}

/** Whatever the store, counts add up and fade. */
async function counts(store: Store): Promise<void> {
  const world = open(store)
  for (const name of ['n1', 'n2', 'n3']) await world.node(name)
  await world.node('n4', undefined, { zone: 'us-east-1b' })
  await world.count(verdict('n1', 'FAIL'), verdict('n2', 'WARN'), verdict('n4', 'PASS'))
  await world.clock.advance(LIMITS.rateHalfLifeMs)
  await Promise.all([world.count(verdict('n3', 'FAIL')), world.count(verdict('n2', 'PASS'))])
  const place = { instanceType: 'm7a.large', zone: 'us-east-1a', imageId: 'ami-1' }
  expect(await world.rates()).toEqual({
    ...{ kind: 'rates', revision: 3, atMs: NOW_MS + LIMITS.rateHalfLifeMs },
    rates: [
      { ...place, failed: 1.5, passed: 1.5 },
      { ...place, zone: 'us-east-1b', failed: 0, passed: 0.5 },
    ],
  })
}

describe('verdicts that are counted', () => {
  it('add up by type, zone and image, and fade', () => counts(makeMemoryStore()))

  it.skipIf(engineBinary === undefined)('do so on a real engine', async () => {
    const { client, names, close } = await startTables(engineBinary!)
    try {
      await counts(makeDynamoStore({ client, tableName: names.main }))
    } finally {
      await close()
    }
  })

  it.each([
    { what: 'a first test', burnIn: { attempt: 1 }, isCounted: true },
    { what: 'the third try of one', burnIn: { attempt: 3, tries: 3 }, isCounted: true },
    { what: 'one asked again', burnIn: { attempt: 2, tries: 1, unknowns: 1 }, isCounted: true },
    { what: 'a re-test', burnIn: { attempt: 2, served: true }, isCounted: false },
    { what: 'one that was mended', burnIn: { attempt: 2, mended: ['again'] }, isCounted: false },
    { what: 'the whole after the short', burnIn: { attempt: 2 }, isCounted: true },
    { what: 'a failure in short', burnIn: { attempt: 1, whole: 'deep' }, isCounted: true },
  ])('are those of a first test: $what', async ({ burnIn, isCounted }) => {
    const world = open()
    await world.node('n1', burnIn)
    await world.count(verdict('n1', 'FAIL', burnIn.attempt))
    expect(await world.rates()).toEqual(isCounted ? expect.anything() : undefined)
  })

  it('are not those who pass in short, unless that is enough', async () => {
    const world = open()
    await world.node('n1', { attempt: 1, whole: 'deep' })
    await world.count(verdict('n1', 'PASS'))
    expect(await world.rates()).toBeUndefined()
    await world.count({ ...verdict('n1', 'PASS'), certifiedForMs: 1 })
    expect(await world.rates()).toBeDefined()
  })

  it('are not those that could not tell, nor of machines that nobody knows', async () => {
    const world = open()
    await world.node('n1')
    await world.count(verdict('n1', 'INFRA'), verdict('n1', 'UNKNOWN'), verdict('n2', 'FAIL'))
    expect(await world.rates()).toBeUndefined()
  })

  it('are lost where others are faster each time, or the table fails', async () => {
    const world = open()
    await world.node('n1')
    let writes = 0
    const write: Store['write'] = () => {
      writes += 1
      return Promise.resolve({ applied: false, index: 0, reason: 'condition' })
    }
    const slow = { ...world.ports, store: { get: world.store.get, write } }
    await countVerdicts(slow, [verdict('n1', 'FAIL')])
    expect(writes).toBe(LIMITS.rateWriteAttempts)
    const broken = { ...slow, store: { ...slow.store, get: () => Promise.reject(new Error('no')) } }
    await expect(countVerdicts(broken, [verdict('n1', 'FAIL')])).resolves.toBeUndefined()
  })

  it('begin anew where what stands there cannot be read', async () => {
    const world = open()
    await world.node('n1')
    await world.put({ kind: 'rates', rates: 'many' }, keys.rates())
    await world.count(verdict('n1', 'FAIL'))
    expect(await world.rates()).toMatchObject({ revision: 1, rates: [{ failed: 1 }] })
  })

  it('are counted once each, though they are judged again and again', async () => {
    const world = open()
    await world.node('n1')
    const arn = arnOf('n1')
    const checks = [{ name: 'cpu', verdict: 'FAIL', measures: {}, text: '' }]
    const run = { attempt: 1, suite: 'basic' }
    const common = { arn, replicas: [], node: 'n1', generation: 1, templates: {} }
    const assignment = { kind: 'assignment', ...common, burnIn: { ...run, checks: asked('cpu') } }
    await world.put(assignment, keys.assignment(arn))
    const report = { kind: 'report', arn, bootId: 'b', sequence: 1, agentVersion: 't', atMs: 1 }
    const told = { observedGeneration: 1, runtimes: ['process'], replicas: [] }
    const burnIn = { ...run, state: 'finished', checks }
    await world.put({ ...report, ...told, burnIn }, keys.report(arn))
    const ports = { ...world.ports, history: makeMemoryStore() }
    await judgePending(ports)
    await judgePending(ports)
    expect(await world.rates()).toMatchObject({ revision: 1, rates: [{ failed: 1, passed: 0 }] })
  })

  it('wake nobody', async () => {
    const world = open()
    await world.node('n1')
    await world.count(verdict('n1', 'FAIL'))
    const after = await world.store.get(keys.rates())
    expect(matters({ key: keys.rates(), after: after!, expired: false })).toBe(false)
    expect(JSON.stringify(STREAM_FILTERS)).not.toMatch(/rates/)
  })
})
