/**
 * The DynamoDB store on an engine: tables of its own, made as drover makes them.
 */
import { randomUUID } from 'node:crypto'
import { makeDynamoClient } from '#shared/store/aws/dynamo-client.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { createTables } from '#shared/store/aws/tables.ts'
import type { StoreUnderTest } from '../conformance/store.ts'
import { CREDENTIALS, REGION } from './on-engine.ts'

/** How fast an engine is says nothing of what it does. */
const REQUEST_MS = 60_000

export async function openEngineStore(endpoint: string): Promise<StoreUnderTest> {
  const client = makeDynamoClient({
    endpoint,
    region: REGION,
    credentials: CREDENTIALS,
    requestHandler: { requestTimeout: REQUEST_MS },
  })
  const id = randomUUID().slice(0, 8)
  const names = { main: `main-${id}`, history: `history-${id}` }
  await createTables(client, names)
  const close = (): Promise<void> => {
    client.destroy()
    return Promise.resolve()
  }
  return { store: makeDynamoStore({ client, tableName: names.main }), close }
}
