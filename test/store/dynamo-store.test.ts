import { describe } from 'vitest'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { storeConformance } from '../conformance/store.ts'
import { engineBinary, startTables } from './engine.ts'

describe.skipIf(engineBinary === undefined)('on dynoxide', () => {
  storeConformance('the DynamoDB store', async () => {
    const { client, names, close } = await startTables(engineBinary!)
    return { store: makeDynamoStore({ client, tableName: names.main }), close }
  })
})
