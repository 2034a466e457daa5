/**
 * Both tables as data, and a way to create them where no stack does: local mode and tests.
 *
 * Two tables, because the main one is scanned whole in every pass and must stay small, while
 * history only grows older. The stack describes the same two in its own language; a test holds them
 * together.
 */
import { setTimeout as sleepMs } from 'node:timers/promises'
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  UpdateTimeToLiveCommand,
  type CreateTableCommandInput,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb'
import { LIMITS } from '../../model/limits.ts'
import { StoreError } from '../store.ts'
import { storeError } from './dynamo-errors.ts'

export const TTL_ATTRIBUTE = 'ttl'

type TableShape = Omit<CreateTableCommandInput, 'TableName'>

const keyed = {
  BillingMode: 'PAY_PER_REQUEST',
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'S' },
  ],
} satisfies TableShape

/** The herd itself; its stream drives `wake` and `burn-in`. */
export const mainTable = {
  ...keyed,
  StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
} satisfies TableShape

/** Events, evidence and what is gone; nothing listens to it. */
export const historyTable = { ...keyed } satisfies TableShape

export type TableNames = { readonly main: string; readonly history: string }

/** Creates what is missing and waits until both are active and expire their items. Idempotent. */
export async function createTables(client: DynamoDBClient, names: TableNames): Promise<void> {
  try {
    await Promise.all([
      createTable(client, names.main, mainTable),
      createTable(client, names.history, historyTable),
    ])
  } catch (error) {
    throw storeError(error, 'creating the tables')
  }
}

async function createTable(client: DynamoDBClient, name: string, shape: TableShape): Promise<void> {
  try {
    await client.send(new CreateTableCommand({ ...shape, TableName: name }))
  } catch (error) {
    if (!(error instanceof Error && error.name === 'ResourceInUseException')) throw error
  }
  await waitUntilActive(client, name)
  const { TimeToLiveDescription } = await client.send(
    new DescribeTimeToLiveCommand({ TableName: name }),
  )
  const ttlStatus = TimeToLiveDescription?.TimeToLiveStatus
  if (ttlStatus === 'ENABLED' || ttlStatus === 'ENABLING') return
  const TimeToLiveSpecification = { AttributeName: TTL_ATTRIBUTE, Enabled: true }
  await client.send(new UpdateTimeToLiveCommand({ TableName: name, TimeToLiveSpecification }))
}

async function waitUntilActive(client: DynamoDBClient, name: string): Promise<void> {
  let status: string | undefined
  for (let waitedMs = 0; waitedMs <= LIMITS.tableActiveMs; waitedMs += LIMITS.tablePollMs) {
    const { Table } = await client.send(new DescribeTableCommand({ TableName: name }))
    status = Table?.TableStatus
    if (status === 'ACTIVE') return
    await sleepMs(LIMITS.tablePollMs)
  }
  throw new StoreError({
    text: `table ${name} is not active after ${String(LIMITS.tableActiveMs / 1000)} s`,
    seen: status,
    next: 'look at the table and start again',
  })
}
