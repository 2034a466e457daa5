import { describe, expect, it } from 'vitest'
import { mockClient } from 'aws-sdk-client-mock'
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  UpdateTimeToLiveCommand,
  DynamoDBClient,
} from '@aws-sdk/client-dynamodb'
import { createTables } from '#shared/store/aws/tables.ts'
import { engineBinary, startTables } from './engine.ts'

describe('the tables', () => {
  it.skipIf(engineBinary === undefined)('are created once, with stream and ttl', async () => {
    const { client, names, close } = await startTables(engineBinary!)
    try {
      await createTables(client, names)
      for (const [name, streams] of [
        [names.main, true],
        [names.history, undefined],
      ] as const) {
        const { Table } = await client.send(new DescribeTableCommand({ TableName: name }))
        expect(Table?.TableStatus).toBe('ACTIVE')
        expect(Table?.StreamSpecification?.StreamEnabled).toBe(streams)
        const ttl = await client.send(new DescribeTimeToLiveCommand({ TableName: name }))
        expect(ttl.TimeToLiveDescription).toEqual({
          TimeToLiveStatus: 'ENABLED',
          AttributeName: 'ttl',
        })
      }
    } finally {
      await close()
    }
  })

  it('are waited for, and left alone where they are right already', async () => {
    const client = new DynamoDBClient({ region: 'us-east-1' })
    const dynamo = mockClient(client)
    const taken = Object.assign(new Error('taken'), { name: 'ResourceInUseException' })
    dynamo.on(CreateTableCommand).rejects(taken)
    dynamo
      .on(DescribeTableCommand)
      .resolvesOnce({ Table: { TableStatus: 'CREATING' } })
      .resolves({ Table: { TableStatus: 'ACTIVE' } })
    dynamo
      .on(DescribeTimeToLiveCommand)
      .resolves({ TimeToLiveDescription: { TimeToLiveStatus: 'ENABLED' } })
    await createTables(client, { main: 'main', history: 'history' })
    expect(dynamo.commandCalls(DescribeTableCommand)).toHaveLength(3)
    expect(dynamo.commandCalls(UpdateTimeToLiveCommand)).toHaveLength(0)
  })

  it('that cannot be created are an error with its cause', async () => {
    const client = new DynamoDBClient({ region: 'us-east-1' })
    const cause = Object.assign(new Error('no'), { name: 'AccessDeniedException' })
    mockClient(client).onAnyCommand().rejects(cause)
    await expect(createTables(client, { main: 'main', history: 'history' })).rejects.toMatchObject({
      code: 'StoreFailed',
      cause,
    })
  })
})
