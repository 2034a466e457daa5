/** The stream of a real engine, followed through failures of the consumer and of the engine. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { DynamoDBRecord } from 'aws-lambda'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { engineClientConfig, findEngine, startEngine, type Engine } from '#local/engine/dynoxide.ts'
import { sweepExpired } from '#local/engine/expiry.ts'
import {
  makeStreamsClient,
  startStreamPoller,
  type DeadBatch,
  type StreamPoller,
  type StreamPollerOptions,
} from '#local/engine/stream-poller.ts'
import { makeDynamoClient } from '#shared/store/aws/dynamo-client.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { changeOf } from '#shared/store/aws/stream-records.ts'
import { createTables } from '#shared/store/aws/tables.ts'
import type { Store } from '#shared/store/store.ts'

const binary = findEngine()!
const names = { main: 'main', history: 'history' }

describe.skipIf(findEngine() === undefined)('the stream poller', () => {
  let dir: string
  let engine: Engine
  let client: DynamoDBDocumentClient
  let store: Store
  let pollers: StreamPoller[]

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'drover-stream-'))
    engine = await startEngine({ binary, dbPath: join(dir, 'db') })
    client = makeDynamoClient(engineClientConfig(engine.endpoint))
    await createTables(client, names)
    store = makeDynamoStore({ client, tableName: names.main })
    pollers = []
  })
  afterEach(async () => {
    await Promise.all(pollers.map((poller) => poller.stop()))
    client.destroy()
    await engine.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  const put = (sk: string, fields = {}) =>
    store.write({ kind: 'put', item: { pk: 'p', sk, ...fields } })
  const sksOf = (records: readonly DynamoDBRecord[]) =>
    records.map((record) => changeOf(record).key.sk)

  async function poll(options: Partial<StreamPollerOptions> = {}) {
    const records: DynamoDBRecord[] = []
    const dead: DeadBatch[] = []
    const poller = await startStreamPoller({
      client: makeStreamsClient(engine.endpoint),
      tableName: names.main,
      from: 'LATEST',
      pollMs: 10,
      consume: (batch) => {
        records.push(...batch)
        return Promise.resolve()
      },
      deadLetter: (batch) => {
        dead.push(batch)
      },
      ...options,
    })
    pollers.push(poller)
    return { records, dead, poller }
  }

  it('hands over what comes, in order, in Lambda’s shape', async () => {
    await put('before')
    const latest = await poll()
    const all = await poll({ from: 'TRIM_HORIZON' })
    await put('a', { n: 1, ttl: 9_999_999_999 })
    await put('a', { n: 1, ttl: 9_999_999_999 })
    await store.update({ pk: 'p', sk: 'a' }, { n: 2 })
    await store.write({ kind: 'delete', key: { pk: 'p', sk: 'a' } })
    await vi.waitFor(() => {
      expect(latest.records).toHaveLength(3)
      expect(all.records).toHaveLength(4)
    })
    const key = { pk: 'p', sk: 'a' }
    const [one, two] = [1, 2].map((n) => ({ ...key, n, ttl: 9_999_999_999 }))
    expect(latest.records.map(changeOf)).toEqual([
      { key, after: one, expired: false },
      { key, before: one, after: two, expired: false },
      { key, before: two, expired: false },
    ])
    expect(sksOf(all.records)).toEqual(['before', 'a', 'a', 'a'])
    const [first] = latest.records
    expect(first).toMatchObject({ eventSource: 'aws:dynamodb', eventName: 'INSERT' })
    expect(typeof first?.dynamodb?.ApproximateCreationDateTime).toBe('number')
  })

  it('hands over large backlogs in batches', async () => {
    for (let from = 0; from < 250; from += 50) {
      const writes = Array.from({ length: 50 }, (_, n) => {
        const sk = String(from + n).padStart(3, '0')
        return { kind: 'put' as const, item: { pk: 'p', sk } }
      })
      await store.transact(writes, `t${String(from)}`)
    }
    const sizes: number[] = []
    const sks: string[] = []
    await poll({
      from: 'TRIM_HORIZON',
      consume: (batch) => {
        sizes.push(batch.length)
        sks.push(...sksOf(batch))
        return Promise.resolve()
      },
    })
    await vi.waitFor(() => {
      expect(sks).toHaveLength(250)
    })
    expect(sks).toEqual([...sks].sort())
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100)
  })

  it('retries a batch that fails, in its place', async () => {
    const seen: string[] = []
    let failures = 2
    await poll({
      consume: (batch) => {
        seen.push(sksOf(batch).join(' '))
        return failures-- > 0 ? Promise.reject(new Error('not now')) : Promise.resolve()
      },
    })
    await put('a')
    await vi.waitFor(() => {
      expect(seen).toEqual(['a', 'a', 'a'])
    })
    await put('b')
    await vi.waitFor(() => {
      expect(seen).toEqual(['a', 'a', 'a', 'b'])
    })
  })

  it('reports a batch that always fails, and goes on', async () => {
    const { dead, records } = await poll({
      attempts: 2,
      consume: (batch) => {
        if (sksOf(batch).includes('poison')) return Promise.reject(new Error('poison'))
        records.push(...batch)
        return Promise.resolve()
      },
    })
    await put('poison')
    await vi.waitFor(() => {
      expect(dead).toHaveLength(1)
    })
    await put('b')
    await vi.waitFor(() => {
      expect(sksOf(records)).toEqual(['b'])
    })
    expect(dead[0]).toMatchObject({ error: new Error('poison') })
    expect(sksOf(dead[0]!.records)).toEqual(['poison'])
  })

  it('finds its place again when the engine was killed and came back', async () => {
    const busy = await poll()
    const fresh = await poll()
    await put('a')
    await vi.waitFor(() => {
      expect(sksOf(busy.records)).toEqual(['a'])
    })
    process.kill(engine.pid, 'SIGKILL')
    await engine.exited
    engine = await startEngine({ binary, dbPath: join(dir, 'db'), port: engine.port })
    const late = await poll()
    await put('b')
    await put('c')
    await vi.waitFor(
      () => {
        expect(sksOf(busy.records)).toEqual(['a', 'b', 'c'])
        expect(sksOf(fresh.records)).toEqual(['a', 'b', 'c'])
        expect(sksOf(late.records)).toEqual(['b', 'c'])
      },
      { timeout: 5_000 },
    )
  })

  it('reads a new table from its beginning', async () => {
    const { records } = await poll()
    await put('a')
    await put('b')
    await vi.waitFor(() => {
      expect(records).toHaveLength(2)
    })
    await engine.stop()
    engine = await startEngine({ binary, port: engine.port })
    await createTables(client, names)
    await put('new')
    await vi.waitFor(
      () => {
        expect(sksOf(records)).toEqual(['a', 'b', 'new'])
      },
      { timeout: 5_000 },
    )
  })

  it('shows a swept item as expired', async () => {
    const { records } = await poll()
    await put('old', { ttl: 1 })
    await put('young', { ttl: 9_999_999_999 })
    await put('ageless')
    expect(await sweepExpired(store, 2_000)).toBe(1)
    await vi.waitFor(() => {
      expect(records).toHaveLength(4)
    })
    expect(changeOf(records[3]!)).toMatchObject({ key: { sk: 'old' }, expired: true })
  })

  it('hands over nothing more once stopped, even in the midst of retries', async () => {
    const { records, poller } = await poll({
      attempts: 1_000,
      consume: (batch) => {
        records.push(...batch)
        return Promise.reject(new Error('never'))
      },
    })
    await put('a')
    await vi.waitFor(() => {
      expect(records.length).toBeGreaterThan(0)
    })
    await poller.stop()
    const count = records.length
    await put('b')
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(records).toHaveLength(count)
  })

  it('fails to start where there is no stream', async () => {
    const act = poll({ tableName: names.history, startAttempts: 2 })
    await expect(act).rejects.toMatchObject({ code: 'EngineFailed' })
  })
})
