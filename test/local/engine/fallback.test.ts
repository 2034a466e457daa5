/** The fallback engine, asked by the real client through the real store. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { engineClientConfig } from '#local/engine/dynoxide.ts'
import { startFallback, type Fallback } from '#local/engine/fallback.ts'
import { makeDynamoClient } from '#shared/store/aws/dynamo-client.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { makeMemoryStore, type MemoryStore } from '#shared/store/memory-store.ts'
import { absent, below, equal, present, type Condition, type Store } from '#shared/store/store.ts'

let memory: MemoryStore
let fallback: Fallback
let client: DynamoDBDocumentClient
let remote: Store
let sk = 0
let key: { pk: string; sk: string }

beforeAll(async () => {
  memory = makeMemoryStore()
  fallback = await startFallback({ store: memory, tableName: 'main' })
  client = makeDynamoClient(engineClientConfig(fallback.endpoint))
  remote = makeDynamoStore({ client, tableName: 'main' })
})
afterAll(async () => {
  client.destroy()
  await fallback.stop()
})
beforeEach(() => {
  key = { pk: 'report#arn', sk: String((sk += 1)) }
})

async function post(target: string, body: string, method = 'POST') {
  const answer = await fetch(fallback.endpoint, {
    method,
    headers: { 'x-amz-target': target },
    ...(method === 'POST' && { body }),
  })
  const text = await answer.text()
  return {
    status: answer.status,
    headers: answer.headers,
    body: JSON.parse(text) as { __type?: string },
  }
}

describe('the fallback engine', () => {
  it('keeps what it is given', async () => {
    const item = { ...key, n: -1.5, text: '🐂', list: [true, null, { a: [''] }], empty: {} }
    expect(await remote.write({ kind: 'put', item })).toEqual({ applied: true })
    expect(await memory.get(key)).toEqual(item)
    expect(await remote.get(key)).toEqual(item)
    expect(await remote.get({ ...key, sk: 'none' })).toBeUndefined()
  })

  it('updates top-level fields', async () => {
    await remote.write({ kind: 'put', item: { ...key, keep: 1, change: 1, gone: 1 } })
    await remote.update(key, { change: { to: 2 }, gone: undefined, fresh: 'x' })
    expect(await remote.get(key)).toEqual({ ...key, keep: 1, change: { to: 2 }, fresh: 'x' })
    await remote.update(key, { keep: undefined, fresh: undefined })
    expect(await remote.get(key)).toEqual({ ...key, change: { to: 2 } })
    await remote.update({ ...key, sk: `${key.sk}x` }, {})
    expect(await memory.get({ ...key, sk: `${key.sk}x` })).toBeDefined()
  })

  it('holds to every condition that the store can ask for', async () => {
    const rows: readonly (readonly [readonly Condition[], boolean])[] = [
      [[absent], false],
      [[present], true],
      [[equal('n', 5)], true],
      [[equal('n', 6)], false],
      [[equal('text', 'x'), equal('yes', true)], true],
      [[equal('text', 'x'), equal('yes', false)], false],
      [[below('n', 6), present], true],
      [[below('n', 5)], false],
      [[below('missing', 1)], true],
    ]
    const item = { ...key, n: 5, text: 'x', yes: true }
    await memory.write({ kind: 'put', item })
    for (const [when, applied] of rows) {
      expect(await remote.write({ kind: 'put', item, when })).toMatchObject({ applied })
      expect(await remote.update(key, { n: 5 }, when)).toMatchObject({ applied })
    }
  })

  it('tells the time', async () => {
    const { headers } = await post('DynamoDB_20120810.GetItem', '{}')
    expect(Math.abs(Date.parse(headers.get('date')!) - Date.now())).toBeLessThan(5_000)
  })

  it('answers any other call with UnknownOperationException', async () => {
    for (const act of [
      () => remote.scan(),
      () => remote.query('p'),
      () => remote.write({ kind: 'delete', key }),
      () => remote.transact([{ kind: 'put', item: key }], 't'),
    ]) {
      await expect(act()).rejects.toMatchObject({ seen: 'UnknownOperationException' })
    }
    for (const target of ['', 'GetItem', 'DynamoDB_20120810.constructor', 'Other.GetItem']) {
      expect(await post(target, '{}')).toMatchObject({
        status: 400,
        body: { __type: 'com.amazonaws.dynamodb.v20120810#UnknownOperationException' },
      })
    }
    expect((await post('DynamoDB_20120810.GetItem', '', 'GET')).status).toBe(400)
  })

  it('refuses what it would only half understand', async () => {
    const Item = { pk: { S: 'p' }, sk: { S: 's' } }
    const put = (facts: object) =>
      client.send(new PutItemCommand({ TableName: 'main', Item, ...facts }))
    const names = { ExpressionAttributeNames: { '#a': 'a' } }
    const values = { ExpressionAttributeValues: { ':v': { N: '1' } } }
    for (const facts of [
      { ReturnValues: 'ALL_OLD' },
      { ConditionExpression: 'size(#a) > :v', ...names, ...values },
      { ConditionExpression: '#a = :v OR #a = :v', ...names, ...values },
      { ConditionExpression: 'attribute_exists(#a)', ...names },
      { ConditionExpression: '#missing = :v', ...values },
      { ConditionExpression: '#a = :missing', ...names },
      { Item: { pk: { S: 'p' }, sk: { N: '1' } } },
      { Item: { pk: { S: '' }, sk: { S: 's' } } },
      { Item: { ...Item, set: { SS: ['a'] } } },
    ]) {
      await expect(put(facts)).rejects.toMatchObject({ name: 'ValidationException' })
    }
    await expect(put({ TableName: 'other' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
    expect(await memory.get({ pk: 'p', sk: 's' })).toBeUndefined()
  })

  it('reads expressions that name fields as they are', async () => {
    const Item = { pk: { S: 'p' }, sk: { S: 'plain' }, seq: { N: '2' } }
    const put = () =>
      client.send(
        new PutItemCommand({
          TableName: 'main',
          Item,
          ConditionExpression:
            '(attribute_not_exists(seq) OR seq < :v) AND attribute_not_exists(pk)',
          ExpressionAttributeValues: { ':v': { N: '2' } },
        }),
      )
    await put()
    await expect(put()).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' })
    const { Item: read } = await client.send(
      new GetItemCommand({ TableName: 'main', Key: { pk: Item.pk, sk: Item.sk } }),
    )
    expect(read).toEqual(Item)
  })

  it('survives a body that is no JSON, or none, or far too large', async () => {
    const target = 'DynamoDB_20120810.PutItem'
    expect((await post(target, '{')).body.__type).toContain('SerializationException')
    expect((await post(target, 'null')).body.__type).toContain('ValidationException')
    const large = await post(target, 'x'.repeat(2_000_001)).catch(() => ({ status: 413 }))
    expect(large.status).toBe(413)
    expect(await remote.get(key)).toBeUndefined()
  })

  it('answers 500 when its store fails, and goes on', async () => {
    const store: Store = { ...memory, get: () => Promise.reject(new Error('down')) }
    const broken = await startFallback({ store, tableName: 'main' })
    try {
      const answer = await fetch(broken.endpoint, {
        method: 'POST',
        headers: { 'x-amz-target': 'DynamoDB_20120810.GetItem' },
        body: JSON.stringify({ TableName: 'main', Key: { pk: { S: 'a' }, sk: { S: 'b' } } }),
      })
      expect(answer.status).toBe(500)
    } finally {
      await broken.stop()
    }
  })
})
