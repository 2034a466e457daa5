/**
 * A small world for the admin API's tests: a memory table, a clock that stands, ids that count, and
 * a client that speaks HTTP to the application itself.
 */
import type { Hono } from 'hono'
import { makeLogger } from '#shared/base/log.ts'
import { makeCountingIds } from '#shared/cloud/counting-ids.ts'
import { makeAdminApi } from '#shared/controllers/admin-api/app.ts'
import type { AdminApiPorts } from '#shared/controllers/admin-api/ports.ts'
import { makeMemoryStore, type MemoryStore } from '#shared/store/memory-store.ts'
import type { Document } from '#shared/protocol/documents.ts'
import { keys } from '#shared/store/keys.ts'
import type { Node } from '#shared/model/node.ts'
import type { Assignment, BoundReplica } from '#shared/model/assignment.ts'
import { templateSchema } from '#shared/model/version.ts'

export const START_MS = Date.UTC(2026, 10, 22, 10)

export type Answer = { status: number; headers: Headers; body: unknown }

export type Sending = [
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
]

export type World = {
  app: Hono
  store: MemoryStore
  history: MemoryStore
  log: string[]
  planned: (readonly Document[])[]
  advance(ms: number): void
  send(...request: Sending): Promise<Answer>
}

export function makeWorld(over: Partial<AdminApiPorts> = {}): World {
  let nowMs = START_MS
  const store = makeMemoryStore()
  const history = makeMemoryStore()
  const log: string[] = []
  const planned: (readonly Document[])[] = []
  const app = makeAdminApi({
    store,
    history,
    clock: { now: () => nowMs },
    ids: makeCountingIds(),
    log: makeLogger((line) => log.push(line)),
    planner: async (documents) => {
      planned.push(documents)
      return {
        actions: [{ kind: 'launch', pool: 'general', count: 1 }],
        costUsdPerHour: {
          now: 0,
          after: 0.1,
          bound: null,
          fleet: null,
          gap: null,
          ...{ leaving: 0, quarantined: 0, headroom: 0, testing: 0, surge: 0 },
        },
        unschedulable: [],
      }
    },
    repack: async () => ({ at: null, groups: [], refused: [] }),
    cost: async () => ({
      costUsdPerHour: 1.5,
      ...{ boundUsdPerHour: null, boundAt: null, fleetUsdPerHour: null, gap: null },
      ...{ onDemandUsdPerHour: 3, leavingUsdPerHour: 0, quarantinedUsdPerHour: 0 },
      ...{ headroomUsdPerHour: 0, testingUsdPerHour: 0, surgeUsdPerHour: 0 },
      pools: [{ name: 'general', nodes: 2, costUsdPerHour: 1.5, onDemandUsdPerHour: 3 }],
    }),
    version: '0.1.0',
    ...over,
  })
  return {
    app,
    store,
    history,
    log,
    planned,
    advance: (ms) => void (nowMs += ms),
    send: (...[method, path, body, headers]) => send(app, { method, path, body, headers }),
  }
}

type Sent = {
  method: string
  path: string
  body: unknown
  headers: Record<string, string> | undefined
}

/** A string is sent as it is, anything else as JSON. */
async function send(app: Hono, { method, path, body, headers }: Sent): Promise<Answer> {
  const init: RequestInit = { method, headers: { ...headers } }
  if (body !== undefined) {
    init.body = typeof body === 'string' ? body : JSON.stringify(body)
    init.headers = { 'content-type': 'application/json', ...headers }
  }
  const response = await app.request(path, init)
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  }
}

export const WEB = { kind: 'Workload', name: 'web', replicas: 2, command: ['node', 'serve.js'] }

type Bound = Pick<BoundReplica, 'id' | 'uid' | 'version'> &
  Partial<Pick<BoundReplica, 'readySinceMs' | 'order'>>

const ARN = 'arn:aws:ec2:us-east-1:000000000000:instance/'

/** A ready node of pool `general` with these replicas bound to it. */
export async function addNode(
  { store }: Pick<World, 'store'>,
  name: string,
  { replicas = [], ...over }: Partial<Node> & { replicas?: readonly Bound[] } = {},
): Promise<void> {
  const arn = `${ARN}i-${name}`
  const node: Node = {
    kind: 'node',
    name,
    pool: 'general',
    phase: 'ready',
    phaseSinceMs: START_MS - 60_000,
    createdAtMs: START_MS - 120_000,
    capacityType: 'spot',
    architecture: 'amd64',
    launchId: '1-1',
    claim: {
      places: ['m7a.large/us-east-1a'],
      least: { cpuMilli: 1900, memoryMib: 7_000, gpuMilli: 0, diskMib: 0 },
      largest: { cpuMilli: 1900, memoryMib: 7_000, gpuMilli: 0, diskMib: 0 },
      dearestUsdPerHour: 0.05,
    },
    machine: {
      instanceId: `i-${name}`,
      arn,
      instanceType: 'm7a.large',
      zone: 'us-east-1a',
      allocatable: { cpuMilli: 1900, memoryMib: 7_000, gpuMilli: 0, diskMib: 0 },
      gpuCount: 0,
      priceUsdPerHour: 0.04,
      launchedAtMs: START_MS - 110_000,
    },
    runtimes: ['process'],
    cordoned: false,
    ...over,
  }
  const assignment: Assignment = {
    kind: 'assignment',
    arn,
    node: name,
    generation: 1,
    templates: Object.fromEntries(
      replicas.map(({ uid, version }) => [
        `${uid}/${version}`,
        templateSchema.parse({ command: ['node', 'serve.js'], resources: { cpu: '500m' } }),
      ]),
    ),
    replicas: replicas.map((own) => ({
      workload: own.id.split('/')[0] ?? '',
      gpus: [],
      order: 'run',
      graceSeconds: 30,
      assignedAtMs: START_MS - 50_000,
      ...own,
    })),
  }
  await store.write({ kind: 'put', item: { ...keys.node(name), ...node } })
  await store.write({ kind: 'put', item: { ...keys.assignment(arn), ...assignment } })
}

/** What the node's agent says of one replica. */
export async function addReport(
  { store }: Pick<World, 'store'>,
  node: string,
  replicas: readonly Record<string, unknown>[],
): Promise<void> {
  const arn = `${ARN}i-${node}`
  const item = {
    ...keys.report(arn),
    kind: 'report',
    arn,
    bootId: 'boot-1',
    sequence: 1,
    agentVersion: '0.1.0',
    observedGeneration: 1,
    runtimes: ['process'],
    replicas: [...replicas],
    atMs: START_MS,
  }
  await store.write({ kind: 'put', item })
}
