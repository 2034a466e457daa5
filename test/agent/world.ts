/**
 * Real surroundings for the agent's adapters: directories, a small instance metadata server, a real
 * table.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { templateSchema } from '#shared/model/version.ts'
import type { ReplicaLaunch } from '#agent/effects.ts'
import { findEngine, startEngine, type Engine } from '#local/engine/dynoxide.ts'

export const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'us-east-1',
}

export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'drover-agent-'))
  return {
    path,
    remove: () => {
      rmSync(path, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

/** Waits until `look` gives something other than undefined or false; throws after `ms`. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 8_000,
): Promise<T> {
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    await sleep(20)
  }
  throw new Error(`waited ${String(ms)} ms in vain for ${what}`)
}

export function launchOf(
  replicaId: string,
  template: Record<string, unknown>,
  extra: Partial<ReplicaLaunch> = {},
): ReplicaLaunch {
  return {
    replicaId,
    workload: replicaId.split('/')[0] ?? replicaId,
    node: 'node-1',
    version: 'v1',
    template: templateSchema.parse(template),
    gpus: [],
    graceSeconds: 5,
    ...extra,
  }
}

export type FakeMetadata = {
  readonly url: string
  /** What each path answers; a missing one is 404. */
  readonly answers: Map<string, string>
  /** Answers this status to everything, as long as it is set. */
  broken: number | undefined
  /** Accepts and never answers. */
  hangs: boolean
  /** Forgets the tokens it gave. */
  expireTokens(): void
  tokens: number
  close(): Promise<void>
}

/** Instance metadata, version 2, on a free port. */
export async function startMetadata(instanceId = 'i-0abc'): Promise<FakeMetadata> {
  const document = {
    instanceId,
    accountId: '123456789012',
    region: 'us-east-1',
    availabilityZone: 'us-east-1a',
    instanceType: 'm7a.large',
    privateIp: '127.0.0.1',
  }
  const valid = new Set<string>()
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    if (fake.hangs) return
    const answer = (status: number, text = ''): void => {
      response.statusCode = status
      response.end(text)
    }
    if (fake.broken !== undefined) {
      answer(fake.broken)
      return
    }
    if (path === '/latest/api/token' && request.method === 'PUT') {
      fake.tokens += 1
      const token = `token-${String(fake.tokens)}`
      valid.add(token)
      answer(200, token)
      return
    }
    if (!valid.has(String(request.headers['x-aws-ec2-metadata-token']))) {
      answer(401)
      return
    }
    const text = fake.answers.get(path)
    answer(text === undefined ? 404 : 200, text)
  })
  const fake: FakeMetadata = {
    url: await listen(server),
    answers: new Map([
      ['/latest/dynamic/instance-identity/document', JSON.stringify(document)],
      ['/latest/meta-data/local-ipv4', '127.0.0.1'],
    ]),
    broken: undefined,
    hangs: false,
    tokens: 0,
    expireTokens: () => {
      valid.clear()
    },
    close: () => closed(server),
  }
  return fake
}

export function listen(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`)
    })
  })
}

export function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => {
    server.close(() => {
      resolve()
    })
  })
}

export const hasEngine = findEngine() !== undefined

/** A fresh engine with an empty table called `drover`. */
export async function startTable(): Promise<Engine> {
  const engine = await startEngine({ binary: findEngine()! })
  const client = rawClient(engine.endpoint)
  await client.send(
    new CreateTableCommand({
      TableName: 'drover',
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
    }),
  )
  client.destroy()
  return engine
}

export function rawClient(endpoint: string): DynamoDBClient {
  return new DynamoDBClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
}
