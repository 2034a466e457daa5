import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { describe, expect, it } from 'vitest'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { storeConformance } from '../conformance/store.ts'
import { engineBinary, startTables } from './engine.ts'

describe.skipIf(engineBinary === undefined)('on dynoxide', () => {
  storeConformance('the DynamoDB store', async () => {
    const { client, names, close } = await startTables(engineBinary!)
    return { store: makeDynamoStore({ client, tableName: names.main }), close }
  })

  it('reads past what a machine wrote that nobody can count', async () => {
    const { client, names, close } = await startTables(engineBinary!)
    const store = makeDynamoStore({ client, tableName: names.main })
    const keyOf = (pk: string) => ({ pk: { S: pk }, sk: { S: 'n1' } })
    const odd = {
      huge: { N: '9007199254740993.5' },
      set: { SS: ['a'] },
      blob: { B: Buffer.from('b') },
    }
    await client.send(
      new PutItemCommand({ TableName: names.main, Item: { ...keyOf('report#odd'), ...odd } }),
    )
    await store.write({ kind: 'put', item: { pk: 'report#even', sk: 'n1', n: 1.5 } })
    const items = await store.scan()
    expect(items.find((own) => own.pk === 'report#even')).toMatchObject({ n: 1.5 })
    expect(items.find((own) => own.pk === 'report#odd')).toMatchObject({ huge: 2 ** 53 + 2 })
    await close()
  })
})
