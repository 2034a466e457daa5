/**
 * Starts the engines that nobody here wrote, once for all their tests, and ends them after the
 * last. An engine that cannot run here is skipped, and its reason printed.
 */
import type { TestProject } from 'vitest/node'
import { DIFFERENCES, type EngineName } from './differences.ts'
import { dynamoDbLocalMissing, startDynamoDbLocal } from './dynamodb-local.ts'
import { installMoto, startMoto } from './moto.ts'
import type { RunningServer } from './server-process.ts'

export type EngineAccess = { readonly endpoint: string } | { readonly missing: string }

declare module 'vitest' {
  export interface ProvidedContext {
    engines: Readonly<Record<EngineName, EngineAccess>>
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const running: RunningServer[] = []
  const keep = (server: RunningServer): EngineAccess => {
    running.push(server)
    return { endpoint: server.endpoint }
  }
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((server) => server.stop()))
  }
  const found = await Promise.allSettled([accessDynamoDbLocal(keep), accessMoto(keep)])
  const [dynamoDbLocal, moto] = found
  if (dynamoDbLocal.status === 'rejected' || moto.status === 'rejected') {
    await stop()
    throw found.find((own) => own.status === 'rejected')?.reason
  }
  const engines = { 'dynamodb-local': dynamoDbLocal.value, moto: moto.value }
  project.provide('engines', engines)
  for (const [name, engine] of Object.entries(engines)) {
    if ('missing' in engine) console.warn(`skipped: ${name}, because ${engine.missing}`)
  }
  console.log(tableOfDifferences())
  return stop
}

type Keep = (server: RunningServer) => EngineAccess

async function accessDynamoDbLocal(keep: Keep): Promise<EngineAccess> {
  const missing = await dynamoDbLocalMissing()
  return missing === undefined ? keep(await startDynamoDbLocal()) : { missing }
}

async function accessMoto(keep: Keep): Promise<EngineAccess> {
  const installed = await installMoto()
  return 'missing' in installed ? installed : keep(await startMoto(installed.python))
}

function tableOfDifferences(): string {
  const rows = DIFFERENCES.map(({ engine, suite, test, does, aws, source }) =>
    [
      `  ${engine}, ${suite}: ${test}`,
      `    does    ${does}`,
      `    AWS     ${aws}`,
      `    source  ${source}`,
    ].join('\n'),
  )
  return ['known differences from AWS (test/engines/differences.ts)', ...rows].join('\n')
}
