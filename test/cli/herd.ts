/**
 * A small herd as reconcile and the agents would have left it in the table: two spot nodes, an
 * on-demand one that is being drained, a GPU node still booting, and what runs on them.
 */
import type { Assignment, BoundReplica } from '#shared/model/assignment.ts'
import type { BurnInRecord } from '#shared/model/burn-in-record.ts'
import type { DroverEvent } from '#shared/model/event.ts'
import { eventId } from '#shared/model/event.ts'
import { nodeSchema, type Condition, type Node } from '#shared/model/node.ts'
import type { Report, ReportedReplica } from '#shared/model/report.ts'
import type { TeamStatus, WorkloadStatus } from '#shared/model/status.ts'
import { keys } from '#shared/store/keys.ts'
import { appendBurnIn, appendEvents } from '#shared/store/history.ts'
import type { Item } from '#shared/store/store.ts'
import { specItemSchema, type SpecItem } from '#shared/model/spec-item.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { must } from '#shared/base/assert.ts'
import { NOW_MS, type Api } from './kit.ts'

const MINUTE_MS = 60_000
const ago = (ms: number): number => NOW_MS - ms
const arnOf = (name: string): string => `arn:aws:ec2:us-east-1:111122223333:instance/i-${name}`

type Shape = Readonly<{ cpuMilli: number; memoryMib: number; gpuMilli: number; diskMib: number }>
const SMALL: Shape = { cpuMilli: 1930, memoryMib: 7270, gpuMilli: 0, diskMib: 20_000 }
const GPU: Shape = { cpuMilli: 3920, memoryMib: 14_900, gpuMilli: 1000, diskMib: 20_000 }

type NodeWords = {
  readonly name: string
  readonly pool?: string
  readonly spot: boolean
  readonly type: string
  readonly zone: string
  readonly priceUsdPerHour: number
  readonly ageMs: number
  readonly changes?: Partial<Node>
}

export function nodeItem(words: NodeWords): Item {
  const { name, type, zone, priceUsdPerHour, ageMs } = words
  const shape = words.pool === 'gpu' ? GPU : SMALL
  const node: Node = {
    kind: 'node',
    name,
    pool: words.pool ?? 'general',
    phase: 'ready',
    phaseSinceMs: ago(ageMs - 5_000),
    createdAtMs: ago(ageMs),
    capacityType: words.spot ? 'spot' : 'on-demand',
    architecture: 'amd64',
    launchId: name.split('-').slice(1, 2).join(''),
    claim: {
      places: [`${type}/${zone}`],
      least: shape,
      largest: shape,
      dearestUsdPerHour: priceUsdPerHour,
    },
    machine: {
      instanceId: `i-${name}`,
      arn: arnOf(name),
      instanceType: type,
      zone,
      allocatable: shape,
      gpuCount: shape.gpuMilli / 1000,
      priceUsdPerHour,
      launchedAtMs: ago(ageMs),
    },
    bootId: 'b1',
    runtimes: ['process'],
    cordoned: false,
    burnIn: {
      attempt: 1,
      tries: 1,
      unknowns: 0,
      mended: [],
      suite: 'basic',
      startedAtMs: ago(ageMs - 2_000),
      deadlineMs: ago(ageMs - 300_000),
      verdict: 'PASS',
      atMs: ago(ageMs - 4_000),
      checks: [
        {
          name: 'cpu',
          verdict: 'PASS',
          measures: { cores: 2, roundsPerSecond: 41.257 },
          text: '',
          durationMs: 431,
        },
        {
          name: 'disk',
          verdict: 'PASS',
          measures: { writeMibPerSecond: 812 },
          limits: { writeMibPerSecond: { min: 200, otherwise: 'FAIL' } },
          durationMs: 12_310,
          text: 'verified 64 MiB',
        },
      ],
    },
    ...words.changes,
  }
  return { ...keys.node(name), ...nodeSchema.parse(node) }
}

/** A claim: nothing of the machine is known yet. */
export function claimItem(words: NodeWords): Item {
  const {
    machine: _machine,
    burnIn: _burnIn,
    bootId: _bootId,
    ...claim
  } = nodeItem(words) as Item & Node
  return claim
}

type Bound = {
  readonly id: string
  readonly template: Assignment['templates'][string]
  /** Of its workload's spec; some other unless it matters. */
  readonly uid?: string
  readonly seen?: Partial<ReportedReplica>
}

/** What a node was told to run, and what its agent says of it. */
export function boundItems(node: string, replicas: readonly Bound[]): readonly Item[] {
  const arn = arnOf(node)
  const bound = replicas.map(({ id, template, uid = 'u1' }): BoundReplica => ({
    id,
    workload: id.split('/')[0] ?? '',
    uid,
    version: versionOf(template),
    gpus: template.resources.gpu === 0 ? [] : [{ index: 0, milli: 1000 }],
    order: 'run',
    graceSeconds: 10,
    assignedAtMs: ago(9 * MINUTE_MS),
  }))
  const assignment: Assignment = {
    kind: 'assignment',
    arn,
    node,
    generation: 3,
    templates: Object.fromEntries(
      replicas.map(({ template, uid = 'u1' }) => [`${uid}/${versionOf(template)}`, template]),
    ),
    replicas: bound,
  }
  const report: Report = {
    kind: 'report',
    arn,
    bootId: 'b1',
    sequence: 4,
    agentVersion: '0.1.0',
    observedGeneration: 3,
    runtimes: ['process'],
    atMs: NOW_MS,
    replicas: replicas.map(({ id, template, seen }) => ({
      id,
      version: versionOf(template),
      phase: 'ready',
      ready: true,
      restarts: 0,
      startedAtMs: ago(8 * MINUTE_MS),
      addresses: {},
      gpus: [],
      ...seen,
    })),
  }
  return [
    { ...keys.assignment(arn), ...assignment },
    { ...keys.report(arn), ...report },
  ]
}

export type StatusNumbers = Pick<WorkloadStatus, 'desired' | 'ready' | 'updated'> & {
  readonly observedGeneration?: number
  readonly conditions?: readonly Condition[]
  readonly waiting?: WorkloadStatus['waiting']
}

/** Reconcile's word on a workload that stands in the store. */
export async function setStatus(api: Api, name: string, numbers: StatusNumbers): Promise<void> {
  const item = specItemSchema.parse(must(await api.store.get(keys.spec('workload', name)), name))
  if (item.noun !== 'workload') throw new Error('not a workload')
  const status: WorkloadStatus = {
    kind: 'status',
    noun: 'workload',
    name,
    uid: item.uid,
    observedGeneration: numbers.observedGeneration ?? item.generation,
    version: versionOf(templateOf(item.spec)),
    desired: numbers.desired,
    assigned: numbers.desired,
    running: numbers.ready,
    ready: numbers.ready,
    updated: numbers.updated,
    waiting: numbers.waiting ?? [],
    conditions: [...(numbers.conditions ?? [])],
    spotFailures: 0,
  }
  await api.put({ ...keys.status('workload', name), ...status })
}

/** Reconcile's word on a team: half of what it uses is borrowed, and a GPU is owed to it. */
export async function setTeamStatus(api: Api, name: string): Promise<void> {
  const { uid } = specItemSchema.parse(must(await api.store.get(keys.spec('team', name)), name))
  const status: TeamStatus = {
    ...{ kind: 'status', noun: 'team', name, uid, observedGeneration: 1 },
    used: { cpuMilli: 4000, memoryMib: 8192, gpuMilli: 0 },
    borrowed: { cpuMilli: 2000, memoryMib: 0, gpuMilli: 0 },
    short: { cpuMilli: 0, memoryMib: 0, gpuMilli: 1000 },
  }
  await api.put({ ...keys.status('team', name), ...status })
}

export const condition = (
  words: Partial<Condition> & Pick<Condition, 'type' | 'status'>,
): Condition => ({
  reason: 'Because',
  text: '',
  sinceMs: ago(3 * MINUTE_MS),
  ...words,
})

export async function tellEvents(
  api: Api,
  events: readonly (Pick<DroverEvent, 'object' | 'reason' | 'text'> & {
    agoMs: number
    warning?: true
  })[],
): Promise<void> {
  await appendEvents(
    api.history,
    events.map(({ agoMs, warning, ...event }, n) => ({
      ...event,
      id: eventId({ atMs: ago(agoMs), writer: 'test', n }),
      atMs: ago(agoMs),
      type: warning === true ? 'Warning' : 'Normal',
    })),
  )
}

/** What became of two machines: a good one, and one whose GPU was known. */
export async function tellBurnIns(api: Api, gpus: readonly string[] = ['GPU-1']): Promise<void> {
  const record = (agoMs: number, node: string, rest: Partial<BurnInRecord>): BurnInRecord => ({
    ...{ kind: 'burn-in', id: eventId({ atMs: ago(agoMs), writer: node, n: 1 }), node },
    ...{ atMs: ago(agoMs), arn: arnOf(node), zone: 'us-east-1a', attempt: 1, gpus: [] },
    ...{ suite: 'basic#0a1b2c3d', verdict: 'PASS', checks: [] },
    ...rest,
  })
  const cpu = { name: 'cpu', verdict: 'PASS', measures: {}, text: '', durationMs: 1_240 } as const
  const text = 'GPU-1 failed in gpu-2-1'
  const known = { name: 'hardware', verdict: 'FAIL', measures: {}, text } as const
  const general = { pool: 'general', instanceType: 'm7a.large', checks: [cpu] }
  const gpu = { pool: 'gpu', instanceType: 'g5.xlarge', suite: 'gpu-quick#4d5e6f70', attempt: 2 }
  await appendBurnIn(api.history, record(9 * MINUTE_MS, 'general-4-1', general))
  const bad = { ...gpu, verdict: 'FAIL' as const, checks: [known], gpus: [...gpus] }
  await appendBurnIn(api.history, record(4 * MINUTE_MS, 'gpu-6-2', bad))
}

async function specIn(api: Api, name: string): Promise<SpecItem> {
  return specItemSchema.parse(must(await api.store.get(keys.spec('workload', name)), name))
}

/** The template of a workload that stands in the store. */
export async function templateIn(api: Api, name: string): Promise<Bound['template']> {
  const item = await specIn(api, name)
  if (item.noun !== 'workload') throw new Error('not a workload')
  return templateOf(item.spec)
}

/** Nodes, replicas, statuses and events around the workloads of herd.yaml. */
export async function settleHerd(api: Api): Promise<void> {
  const [web, worker] = await Promise.all([templateIn(api, 'web'), templateIn(api, 'worker')])
  const { uid } = await specIn(api, 'web')
  const hour = 60 * MINUTE_MS
  await api.put(
    nodeItem({
      name: 'general-4-1',
      spot: true,
      type: 'm7a.large',
      zone: 'us-east-1a',
      priceUsdPerHour: 0.0475,
      ageMs: 9 * MINUTE_MS,
    }),
    nodeItem({
      name: 'general-4-2',
      spot: true,
      type: 'c6a.large',
      zone: 'us-east-1b',
      priceUsdPerHour: 0.0331,
      ageMs: 3 * hour,
      changes: { silentSinceMs: ago(100_000) },
    }),
    nodeItem({
      name: 'general-5-1',
      spot: false,
      type: 'm6a.large',
      zone: 'us-east-1c',
      priceUsdPerHour: 0.0864,
      ageMs: 26 * hour,
      changes: {
        phase: 'draining',
        drain: {
          reason: 'OperatorDrain',
          text: 'somebody asked for it',
          sinceMs: ago(MINUTE_MS),
          deadlineMs: NOW_MS + 14 * MINUTE_MS,
          generation: 4,
        },
        reason: 'drained by an order',
      },
    }),
    claimItem({
      name: 'gpu-6-1',
      pool: 'gpu',
      spot: true,
      type: 'g4dn.xlarge',
      zone: 'us-east-1a',
      priceUsdPerHour: 0.2314,
      ageMs: 20_000,
      changes: { phase: 'launching' },
    }),
    ...boundItems('general-4-1', [
      { id: 'web/4-2', template: web, uid, seen: { addresses: { http: '127.0.0.1:41233' } } },
      {
        id: 'worker/4-4',
        template: worker,
        seen: { restarts: 2, lastExit: { code: 1, reason: 'exited', atMs: ago(50_000) } },
      },
    ]),
    ...boundItems('general-4-2', [
      { id: 'web/4-3', template: web, uid, seen: { addresses: { http: '127.0.0.1:41234' } } },
    ]),
    ...boundItems('general-5-1', [
      { id: 'web/5-1', template: web, uid, seen: { phase: 'running', ready: false } },
    ]),
  )
  await setStatus(api, 'web', {
    desired: 3,
    ready: 2,
    updated: 3,
    conditions: [
      condition({
        type: 'Available',
        status: true,
        reason: 'MinimumAvailable',
        text: '2 of at least 2 are ready',
      }),
      condition({
        type: 'Progressing',
        status: true,
        reason: 'ReplicasStarting',
        text: '1 replica is starting',
      }),
    ],
  })
  await setStatus(api, 'worker', { desired: 2, ready: 2, updated: 2 })
  await setStatus(api, 'gpu-job', {
    desired: 1,
    ready: 0,
    updated: 0,
    conditions: [
      condition({
        type: 'Unschedulable',
        status: true,
        reason: 'NodeOnItsWay',
        text: 'waits for gpu-6-1 (g4dn.xlarge), launched 20 s ago',
      }),
    ],
    waiting: [
      {
        version: 'v',
        count: 1,
        sinceMs: ago(20_000),
        reasons: [{ code: 'NodeOnItsWay', text: 'waits for gpu-6-1 (g4dn.xlarge)' }],
      },
    ],
  })
  await tellEvents(api, [
    { agoMs: 2 * hour, object: 'node/general-4-2', reason: 'Ready', text: 'passed its burn-in' },
    {
      agoMs: 9 * MINUTE_MS,
      object: 'node/general-4-1',
      reason: 'Launched',
      text: 'm7a.large in us-east-1a for $0.0475/h',
    },
    {
      agoMs: 8 * MINUTE_MS,
      object: 'workload/web',
      reason: 'Bound',
      text: 'web/4-2 to general-4-1',
    },
    {
      agoMs: 100_000,
      object: 'node/general-4-2',
      reason: 'Silent',
      text: 'no beat for 100 s',
      warning: true,
    },
  ])
}
