/** The DynamoDB store when DynamoDB is not well: what becomes an answer and what an error. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, describe, expect, it } from 'vitest'
import { mockClient } from 'aws-sdk-client-mock'
import {
  BatchGetCommand,
  DeleteCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { makeLogger } from '#shared/base/log.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { makeDynamoClient } from '#shared/store/aws/dynamo-client.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { present, StoreError, type Store } from '#shared/store/store.ts'

const key = { pk: 'p', sk: 'a' }
const named = (name: string, facts: object = {}) =>
  Object.assign(new Error(`${name} happened`), { name, ...facts })
const cancelled = (...codes: string[]) =>
  named('TransactionCanceledException', {
    CancellationReasons: codes.map((Code) => ({ Code, Message: 'because' })),
  })

const config = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
}
const client = makeDynamoClient(config)
const dynamo = mockClient(client)
const sleeps: number[] = []
const lines: string[] = []
let store: Store

beforeEach(() => {
  dynamo.reset()
  sleeps.length = 0
  lines.length = 0
  const clock = { sleep: (ms: number) => Promise.resolve(void sleeps.push(ms)) }
  const log = makeLogger((line) => lines.push(line))
  store = makeDynamoStore({ client, tableName: 'main', clock, log })
})

describe('writes', () => {
  const put = () => store.write({ kind: 'put', item: key })
  const transact = () =>
    store.transact(
      [
        { kind: 'put', item: key },
        { kind: 'check', key: { pk: 'p', sk: 'b' }, when: [present] },
      ],
      'token',
    )

  it('answer a failed condition', async () => {
    const rejected = { applied: false, index: 0, reason: 'condition' }
    const failed = named('ConditionalCheckFailedException')
    dynamo.on(PutCommand).rejects(failed)
    dynamo.on(UpdateCommand).rejects(failed)
    dynamo.on(DeleteCommand).rejects(failed)
    expect(await put()).toEqual(rejected)
    expect(await store.update(key, { n: 1 })).toEqual(rejected)
    expect(await store.write({ kind: 'delete', key })).toEqual(rejected)
  })

  it('answer a conflict with a transaction under way', async () => {
    dynamo.on(PutCommand).rejects(named('TransactionConflictException'))
    expect(await put()).toEqual({ applied: false, index: 0, reason: 'conflict' })
  })

  it('answer which write of a transaction failed first, and why', async () => {
    dynamo.on(TransactWriteCommand).rejects(cancelled('None', 'ConditionalCheckFailed'))
    expect(await transact()).toEqual({ applied: false, index: 1, reason: 'condition' })
    dynamo.on(TransactWriteCommand).rejects(cancelled('None', 'TransactionConflict'))
    expect(await transact()).toEqual({ applied: false, index: 1, reason: 'conflict' })
    dynamo.on(TransactWriteCommand).rejects(named('TransactionInProgressException'))
    expect(await transact()).toEqual({ applied: false, index: 0, reason: 'conflict' })
  })

  it('throw when a transaction was cancelled for any other reason', async () => {
    dynamo.on(TransactWriteCommand).rejects(cancelled('None', 'ThrottlingError'))
    await expect(transact()).rejects.toMatchObject({
      code: 'StoreFailed',
      seen: { Code: 'ThrottlingError' },
    })
    dynamo.on(TransactWriteCommand).rejects(cancelled())
    await expect(transact()).rejects.toMatchObject({ code: 'StoreFailed' })
  })

  it('throw StoreError with the cause for everything else', async () => {
    const cause = named('InternalServerError')
    dynamo.onAnyCommand().rejects(cause)
    for (const act of [put, transact, () => store.update(key, { n: 1 })]) {
      const error = await act().catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(StoreError)
      expect(error).toMatchObject({ code: 'StoreFailed', seen: 'InternalServerError', cause })
    }
  })

  it('tell a refusal and a misused token by their codes', async () => {
    dynamo.on(PutCommand).rejects(named('ValidationException'))
    await expect(put()).rejects.toMatchObject({ code: 'StoreRefused' })
    dynamo.on(TransactWriteCommand).rejects(named('IdempotentParameterMismatchException'))
    await expect(transact()).rejects.toMatchObject({ code: 'IdempotentParameterMismatch' })
  })
})

describe('reads', () => {
  it('are strongly consistent unless asked otherwise', async () => {
    dynamo.onAnyCommand().resolves({})
    dynamo.on(BatchGetCommand).resolves({ Responses: { main: [] } })
    await store.get(key)
    await store.query('p')
    await store.scan()
    await store.getMany([key])
    const inputs = dynamo.calls().map(({ args }) => args[0].input as Record<string, unknown>)
    const [batch] = inputs.flatMap(({ RequestItems }) =>
      RequestItems === undefined ? [] : [(RequestItems as { main: unknown }).main],
    )
    expect(batch).toMatchObject({ ConsistentRead: true })
    const others = inputs.filter(({ RequestItems }) => RequestItems === undefined)
    expect(others.map(({ ConsistentRead }) => ConsistentRead)).toEqual(others.map(() => true))
    await store.get(key, { eventual: true })
    expect(dynamo.commandCalls(GetCommand)[1]?.args[0].input.ConsistentRead).toBe(false)
  })

  it('throw StoreError', async () => {
    dynamo.onAnyCommand().rejects(named('ProvisionedThroughputExceededException'))
    const acts = [
      () => store.get(key),
      () => store.getMany([key]),
      () => store.query('p'),
      () => store.scan(),
    ]
    for (const act of acts) await expect(act()).rejects.toBeInstanceOf(StoreError)
  })

  it('ask a batch again for what was left out, with back-off', async () => {
    const left = {
      Responses: { main: [key] },
      UnprocessedKeys: { main: { Keys: [{ pk: 'p', sk: 'b' }] } },
    }
    dynamo
      .on(BatchGetCommand)
      .resolvesOnce(left)
      .resolvesOnce({ ...left, Responses: {} })
      .resolves({ Responses: { main: [{ pk: 'p', sk: 'b' }] } })
    expect(await store.getMany([key, { pk: 'p', sk: 'b' }])).toHaveLength(2)
    expect(sleeps).toEqual([LIMITS.storeBackOffMs, LIMITS.storeBackOffMs * 2])
    expect(dynamo.commandCalls(BatchGetCommand)[1]?.args[0].input.RequestItems).toEqual({
      main: { Keys: [{ pk: 'p', sk: 'b' }], ConsistentRead: true },
    })
    expect(lines).toHaveLength(2)
  })

  it('give a batch up after a bounded number of rounds', async () => {
    dynamo.on(BatchGetCommand).resolves({ UnprocessedKeys: { main: { Keys: [key] } } })
    await expect(store.getMany([key])).rejects.toMatchObject({ code: 'StoreFailed', seen: 1 })
    expect(dynamo.commandCalls(BatchGetCommand)).toHaveLength(LIMITS.batchGetRounds)
    expect(Math.max(...sleeps)).toBeLessThanOrEqual(LIMITS.storeBackOffMaxMs)
  })

  it('follow every page of a query', async () => {
    dynamo
      .on(QueryCommand)
      .resolvesOnce({ Items: [key], LastEvaluatedKey: key })
      .resolves({ Items: [{ pk: 'p', sk: 'b' }] })
    expect((await store.query('p')).items).toHaveLength(2)
    expect(dynamo.commandCalls(QueryCommand)[1]?.args[0].input.ExclusiveStartKey).toEqual(key)
  })

  it('end a query that never ends', async () => {
    dynamo.on(QueryCommand).resolves({ Items: [], LastEvaluatedKey: key })
    await expect(store.query('p')).rejects.toMatchObject({ code: 'StoreFailed' })
    expect(dynamo.commandCalls(QueryCommand)).toHaveLength(LIMITS.storePagesMax)
  })
})

describe('a scan', () => {
  it('reads every segment, every page', async () => {
    dynamo.on(ScanCommand).callsFake((input: { Segment: number; ExclusiveStartKey?: unknown }) => {
      const sk = `${String(input.Segment)}${input.ExclusiveStartKey === undefined ? 'a' : 'b'}`
      const item = { pk: 'p', sk }
      return sk.endsWith('a') ? { Items: [item], LastEvaluatedKey: item } : { Items: [item] }
    })
    const sks = (await store.scan()).map(({ sk }) => sk).sort()
    expect(sks).toEqual(['0a', '0b', '1a', '1b', '2a', '2b', '3a', '3b'])
    const totals = dynamo.commandCalls(ScanCommand).map(({ args }) => args[0].input.TotalSegments)
    expect(new Set(totals)).toEqual(new Set([LIMITS.scanSegments]))
  })

  it('fails as a whole when one segment does', async () => {
    dynamo.on(ScanCommand).resolves({ Items: [key] })
    dynamo.on(ScanCommand, { Segment: 2 }).rejects(named('InternalServerError'))
    await expect(store.scan()).rejects.toMatchObject({ code: 'StoreFailed' })
  })
})

describe.concurrent('the client', () => {
  const answering = async (
    answer: RequestListener,
    use: (store: Store, requests: () => number) => Promise<void>,
    maxAttempts?: number,
  ) => {
    let requests = 0
    const server = createServer((request, response) => {
      requests += 1
      answer(request, response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const endpoint = `http://127.0.0.1:${String(port)}`
    const settings = { ...config, endpoint, ...(maxAttempts !== undefined && { maxAttempts }) }
    try {
      await use(makeDynamoStore({ client: settings, tableName: 'main' }), () => requests)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  it('gives up on a table that is down after the stated number of attempts', () =>
    answering(
      (_request, response) => {
        response.writeHead(500, { 'content-type': 'application/x-amz-json-1.0' })
        response.end('{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}')
      },
      async (down, requests) => {
        await expect(down.get(key)).rejects.toMatchObject({ code: 'StoreFailed' })
        expect(requests()).toBe(LIMITS.storeAttempts)
      },
    ))

  it('gives up on a table that never answers', () =>
    answering(
      () => undefined,
      async (silent) => {
        const startMs = performance.now()
        await expect(silent.get(key)).rejects.toMatchObject({
          code: 'StoreFailed',
          cause: { name: 'TimeoutError' },
        })
        const tookMs = performance.now() - startMs
        expect(tookMs).toBeGreaterThan(LIMITS.storeRequestTimeoutMs * 0.9)
        expect(tookMs).toBeLessThan(LIMITS.storeRequestTimeoutMs * 2)
      },
      1,
    ))

  it('gives up on an answer that never ends', () =>
    answering(
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' })
        response.write('{')
      },
      async (slow) => {
        await expect(slow.get(key)).rejects.toMatchObject({ code: 'StoreFailed' })
      },
      1,
    ))
})
