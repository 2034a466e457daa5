/**
 * A real engine for tests that want one, with both tables; the reason is printed where there is
 * none.
 */
import { randomUUID } from 'node:crypto'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { makeDynamoClient } from '#shared/store/aws/dynamo-client.ts'
import { createTables, type TableNames } from '#shared/store/aws/tables.ts'
import { engineClientConfig, findEngine, startEngine, type Engine } from '#local/engine/dynoxide.ts'

export const engineBinary = findEngine()

if (engineBinary === undefined) {
  console.warn(`skipped: dynoxide has no binary for ${process.platform}-${process.arch}`)
}

export type EngineWithTables = {
  engine: Engine
  client: DynamoDBDocumentClient
  names: TableNames
  close(): Promise<void>
}

export async function startTables(binary: string): Promise<EngineWithTables> {
  const engine = await startEngine({ binary })
  const client = makeDynamoClient(engineClientConfig(engine.endpoint))
  const id = randomUUID().slice(0, 8)
  const names: TableNames = { main: `main-${id}`, history: `history-${id}` }
  await createTables(client, names)
  const close = async (): Promise<void> => {
    client.destroy()
    await engine.stop()
  }
  return { engine, client, names, close }
}
