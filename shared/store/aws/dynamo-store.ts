/**
 * The table on DynamoDB: the adapter that reconcile's truth lives behind.
 *
 * Reads are strongly consistent unless the caller says otherwise, because a plan made from an old
 * page would launch a second machine. A scan is whole or it is an error. Writes answer whether they
 * were applied; only broken I/O throws.
 */
import { setTimeout as sleepMs } from 'node:timers/promises'
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import {
  BatchGetCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  ScanCommand,
  TransactWriteCommand,
  UpdateCommand,
  type TransactWriteCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { silentLogger, type Logger } from '../../base/log.ts'
import type { Clock } from '../../cloud/clock.ts'
import { LIMITS } from '../../model/limits.ts'
import { keyText, requireKey, requireTransaction, requireUpdate, requireWrite } from '../rules.ts'
import {
  StoreError,
  type Item,
  type Key,
  type Store,
  type Write,
  type WriteResult,
} from '../store.ts'
import { makeDynamoClient, type TableBinding } from './dynamo-client.ts'
import { outcomeOf, storeError } from './dynamo-errors.ts'
import { queryPartition } from './dynamo-query.ts'
import { conditionOf, updateOf } from './expressions.ts'

export type DynamoStoreOptions = {
  /** A document client of one's own (mind its timeouts), or the settings of one to be made. */
  readonly client: DynamoDBDocumentClient | DynamoDBClientConfig
  readonly tableName: string
  readonly log?: Logger
  /** For tests: waits between the rounds of a batch read. */
  readonly clock?: Pick<Clock, 'sleep'>
}

export function makeDynamoStore(options: DynamoStoreOptions): Store {
  const table: TableBinding = {
    client:
      options.client instanceof DynamoDBDocumentClient
        ? options.client
        : makeDynamoClient(options.client),
    tableName: options.tableName,
    log: options.log ?? silentLogger,
    sleep: (ms) => (options.clock === undefined ? sleepMs(ms) : options.clock.sleep(ms)),
  }
  return {
    get: (key, { eventual = false } = {}) => get(table, key, !eventual),
    getMany: (keys) => getMany(table, keys),
    query: (pk, range = {}) => queryPartition(table, pk, range),
    scan: () => scan(table),
    write: (write) => writeOne(table, write),
    update: async (key, fields, when) => {
      requireUpdate(key, fields, when)
      const command = new UpdateCommand({
        TableName: table.tableName,
        Key: plainKey(key),
        ...updateOf(fields, when),
      })
      return outcome('UpdateItem', () => table.client.send(command))
    },
    transact: (writes, token) => transact(table, writes, token),
  }
}

const plainKey = ({ pk, sk }: Key): Key => ({ pk, sk })

/** Sends a write: applied, or the reason why not. */
async function outcome(call: string, send: () => Promise<unknown>): Promise<WriteResult> {
  try {
    await send()
    return { applied: true }
  } catch (error) {
    return outcomeOf(error, call)
  }
}

async function get(table: TableBinding, key: Key, consistent: boolean): Promise<Item | undefined> {
  requireKey(key)
  const command = new GetCommand({
    TableName: table.tableName,
    Key: plainKey(key),
    ConsistentRead: consistent,
  })
  const answer = await table.client.send(command).catch((error: unknown) => {
    throw storeError(error, 'GetItem')
  })
  return answer.Item as Item | undefined
}

async function getMany(table: TableBinding, keys: readonly Key[]): Promise<readonly Item[]> {
  for (const key of keys) requireKey(key)
  const wanted = [...new Map(keys.map((key) => [keyText(key), plainKey(key)])).values()]
  const batches: Key[][] = []
  for (let at = 0; at < wanted.length; at += LIMITS.batchGetMaxKeys) {
    batches.push(wanted.slice(at, at + LIMITS.batchGetMaxKeys))
  }
  return (await Promise.all(batches.map((batch) => getBatch(table, batch)))).flat()
}

/** One batch, asked again for what DynamoDB left out, with back-off, a bounded number of times. */
async function getBatch(table: TableBinding, batch: readonly Key[]): Promise<readonly Item[]> {
  const items: Item[] = []
  let left: Record<string, unknown>[] = [...batch]
  for (let round = 0; round < LIMITS.batchGetRounds; round += 1) {
    if (round > 0) await table.sleep(backOffMs(round))
    const command = new BatchGetCommand({
      RequestItems: { [table.tableName]: { Keys: left, ConsistentRead: true } },
    })
    const answer = await table.client.send(command).catch((error: unknown) => {
      throw storeError(error, 'BatchGetItem')
    })
    items.push(...((answer.Responses?.[table.tableName] ?? []) as Item[]))
    left = answer.UnprocessedKeys?.[table.tableName]?.Keys ?? []
    if (left.length === 0) return items
    table.log.warn('a batch read came back in part', { left: left.length, round })
  }
  throw new StoreError({
    text: `BatchGetItem left keys unread after ${String(LIMITS.batchGetRounds)} rounds`,
    seen: left.length,
    next: 'the table is throttled; look at its ThrottledRequests',
  })
}

const backOffMs = (round: number): number =>
  Math.min(LIMITS.storeBackOffMs * 2 ** (round - 1), LIMITS.storeBackOffMaxMs)

/** All segments at once; the first that fails ends the others, for half a table is no snapshot. */
async function scan(table: TableBinding): Promise<readonly Item[]> {
  const abort = new AbortController()
  const segments = Array.from({ length: LIMITS.scanSegments }, (_, segment) =>
    scanSegment(table, segment, abort.signal),
  )
  try {
    return (await Promise.all(segments)).flat()
  } catch (error) {
    abort.abort()
    throw storeError(error, 'Scan')
  }
}

async function scanSegment(
  table: TableBinding,
  segment: number,
  abortSignal: AbortSignal,
): Promise<readonly Item[]> {
  const items: Item[] = []
  let from: Record<string, unknown> | undefined
  for (let page = 0; page < LIMITS.storePagesMax; page += 1) {
    const command = new ScanCommand({
      TableName: table.tableName,
      ConsistentRead: true,
      Segment: segment,
      TotalSegments: LIMITS.scanSegments,
      ...(from && { ExclusiveStartKey: from }),
    })
    const answer = await table.client.send(command, { abortSignal })
    items.push(...((answer.Items ?? []) as Item[]))
    from = answer.LastEvaluatedKey
    if (from === undefined) return items
  }
  throw new StoreError({
    text: `a scan segment has more than ${String(LIMITS.storePagesMax)} pages`,
    seen: items.length,
    next: 'something writes to the table that should not',
  })
}

async function writeOne(table: TableBinding, write: Write): Promise<WriteResult> {
  requireWrite(write)
  const TableName = table.tableName
  switch (write.kind) {
    case 'put': {
      const command = new PutCommand({ TableName, Item: write.item, ...conditionOf(write.when) })
      return outcome('PutItem', () => table.client.send(command))
    }
    case 'delete': {
      const Key = plainKey(write.key)
      const command = new DeleteCommand({ TableName, Key, ...conditionOf(write.when) })
      return outcome('DeleteItem', () => table.client.send(command))
    }
    case 'check': {
      // DynamoDB checks without writing in a transaction only; the SDK gives it a token of its own.
      const command = new TransactWriteCommand({ TransactItems: [transactItem(TableName, write)] })
      return outcome('TransactWriteItems', () => table.client.send(command))
    }
  }
}

async function transact(
  table: TableBinding,
  writes: readonly Write[],
  token: string,
): Promise<WriteResult> {
  requireTransaction(writes, token)
  const command = new TransactWriteCommand({
    TransactItems: writes.map((write) => transactItem(table.tableName, write)),
    ClientRequestToken: token,
  })
  return outcome('TransactWriteItems', () => table.client.send(command))
}

type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number]

function transactItem(TableName: string, write: Write): TransactItem {
  switch (write.kind) {
    case 'put':
      return { Put: { TableName, Item: write.item, ...conditionOf(write.when) } }
    case 'delete':
      return { Delete: { TableName, Key: plainKey(write.key), ...conditionOf(write.when) } }
    case 'check': {
      // A condition of a single check is a whole condition: requireWrite refuses an empty one.
      const { ConditionExpression = '', ...placeholders } = conditionOf(write.when)
      return {
        ConditionCheck: {
          TableName,
          Key: plainKey(write.key),
          ConditionExpression,
          ...placeholders,
        },
      }
    }
  }
}
