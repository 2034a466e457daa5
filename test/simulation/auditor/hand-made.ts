/**
 * A world made by hand for the auditor's own tests: a table, some instances, and acts one by one.
 *
 * `herd()` is a small healthy herd: pool `general`, node `n1` on `i-1` ready after its burn-in, a
 * workload `web`. A test says what is done, and what the auditor answers to the last act.
 */
import { must } from '#shared/base/assert.ts'
import { typeByName } from '#shared/catalog/catalog.ts'
import type { Ec2Instance, Place } from '#shared/cloud/memory-ec2/types.ts'
import type { Assignment, BoundReplica } from '#shared/model/assignment.ts'
import { instanceArn } from '#shared/model/arn.ts'
import type { Node } from '#shared/model/node.ts'
import { poolSpecSchema } from '#shared/model/pool.ts'
import type { Report } from '#shared/model/report.ts'
import type { Revision } from '#shared/model/spec-item.ts'
import type { Verdict } from '#shared/model/verdict.ts'
import { templateOf, versionOf, type Template } from '#shared/model/version.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'
import { keys } from '#shared/store/keys.ts'
import { absent, equal, type Change, type Item, type Key, type Write } from '#shared/store/store.ts'
import type {
  Auditor,
  Caller,
  Role,
  Seen,
  TrueProcess,
  TrueTarget,
  Truth,
  Violation,
} from '../traffic.ts'
import { makeAuditor } from './auditor.ts'
import { workloadOf } from './items.ts'

const CPU_CHECK = { name: 'cpu', check: 'cpu', timeoutSeconds: 60, limits: {} }

export const START_MS = Date.UTC(2026, 10, 22, 12)
export const TYPE = 'm7a.large'
export const ZONE = 'us-east-1a'

export const arnOf = (instanceId: string): string =>
  instanceArn({ region: 'us-east-1', account: '123456789012', instanceId })

export type Hand = ReturnType<typeof makeHand>

type Distributive<T> = T extends unknown ? Omit<T, 'atMs'> : never

function makeHand() {
  const table = new Map<string, Item>()
  const instances = new Map<string, Ec2Instance>()
  const processes = new Map<string, TrueProcess[]>()
  const data = new Map<string, Map<string, string>>()
  const targets: TrueTarget[] = []
  const badHardware = new Set<string>()
  const impossible = new Set<string>()
  const world = { nowMs: START_MS, faults: true, lastTroubleMs: 0, capacity: 10 }
  const textOf = ({ pk, sk }: Key): string => `${pk} ${sk}`
  const truth: Truth = {
    nowMs: () => world.nowMs,
    get: (key) => table.get(textOf(key)),
    partition: (pk) => [...table.values()].filter((item) => item.pk === pk),
    items: () => [...table.values()],
    instances: () => [...instances.values()],
    instance: (id) => instances.get(id),
    processes: (id) => processes.get(id) ?? [],
    data: (id) => data.get(id) ?? new Map<string, string>(),
    targets: () => targets,
    hardwareIsGood: (id) => !badHardware.has(id),
    agentIsWell: () => true,
    capacityLeft: () => world.capacity,
    priceUsdPerHour: ({ instanceType }: Place) => (instanceType === TYPE ? 0.1 : undefined),
    lastDisturbanceAtMs: () => world.lastTroubleMs,
    faultsAreOn: () => world.faults,
    impossibleWorkloads: () => impossible,
    quotaPolicy: 'guaranteed-with-borrowing',
    lostAfterMs: 90_000,
    bootDeadlineMs: 300_000,
  }
  const auditor: Auditor = makeAuditor(truth)
  const see = (act: Distributive<Seen>): Violation | undefined => {
    world.nowMs += 1
    return auditor.see({ ...act, atMs: world.nowMs } as Seen)
  }
  const apply = (write: Write): Change[] => {
    if (write.kind === 'check') return []
    const key = write.kind === 'put' ? write.item : write.key
    const before = table.get(textOf(key))
    const after = write.kind === 'put' ? write.item : undefined
    if (after === undefined) table.delete(textOf(key))
    else table.set(textOf(key), after)
    const change = { key: { pk: key.pk, sk: key.sk }, expired: false }
    return [{ ...change, ...(before && { before }), ...(after && { after }) }]
  }
  const write = (by: Caller, writes: readonly Write[]): Violation | undefined =>
    see({ kind: 'write', by, writes, changes: writes.flatMap(apply) })
  let passes = 0
  const hand = {
    auditor,
    world,
    table,
    instances,
    ...{ data, targets, processes, badHardware, impossible },
    see,
    write,
    wait: (ms: number): void => {
      world.nowMs += ms
    },
    call: (role: Role, more: Partial<Caller> = {}): Caller => ({
      label: `${role}#1`,
      role,
      startedAtMs: world.nowMs,
      ...more,
    }),
    /** The items of a role that owns them, each put, a workload with its revision. */
    put: (role: Role, ...items: readonly Item[]): Violation | undefined => {
      const revisions = items.flatMap((item) => revisionBeside(item, [...table.values()]))
      return write(hand.call(role), [...items, ...revisions].map(putOf))
    },
    report: (instanceId: string, item: Item): Violation | undefined =>
      write(hand.call('agent', { instanceId }), [putOf(item)]),
    /** A pass that has begun, taken the fence and read the table. */
    pass: (fence: { coveredSinceMs?: number } = {}): Caller => {
      passes += 1
      const label = `reconcile#${String(passes)}`
      const by = hand.call('reconcile', { label })
      see({ kind: 'begun', by })
      const old = table.get(textOf(keys.pass()))
      const epoch = Number(old?.['epoch'] ?? 0)
      const item = passItem(epoch + 1, { startedAtMs: world.nowMs, ...fence })
      const when = [old === undefined ? absent : equal('epoch', epoch)]
      write(by, [{ kind: 'put', item, when }])
      see({ kind: 'scan', by, items: [...table.values()] })
      return by
    },
    /** Puts, or deletes where a key alone is given, under the newest epoch. */
    commit: (by: Caller, ...items: readonly (Item | Key)[]): Violation | undefined => {
      const epoch = Number(table.get(textOf(keys.pass()))?.['epoch'])
      const check: Write = { kind: 'check', key: keys.pass(), when: [equal('epoch', epoch)] }
      return write(by, [check, ...items.map(putOrDelete)])
    },
    over: (by: Caller, how: 'ended' | 'threw' | 'crashed' = 'ended'): Violation | undefined =>
      see({ kind: 'over', by, how }),
    instance: (instanceId: string, more: Partial<Ec2Instance> = {}): Ec2Instance => {
      const own = instanceOf(instanceId, world.nowMs, more)
      instances.set(instanceId, own)
      return own
    },
    process: (instanceId: string, more: Partial<TrueProcess> = {}): Violation | undefined => {
      const own = { ...processOf(webTemplate(), world.nowMs), ...more }
      processes.set(instanceId, [...(processes.get(instanceId) ?? []), own])
      return see({ kind: 'process', instanceId, replicaId: own.replicaId, what: 'started' })
    },
    quiet: (): void => {
      world.faults = false
    },
  }
  return hand
}

/** The newest revision, as the admin API writes it beside a spec that it is the version of. */
function revisionBeside(item: Item, known: readonly Item[]): readonly Item[] {
  const own = workloadOf(item)
  if (own === undefined || own.deletedAtMs !== undefined) return []
  const { pk } = keys.revision(own.uid, '')
  const numbers = known.filter((one) => one.pk === pk).map((one) => Number(one['number']))
  const number = Math.max(0, ...numbers) + 1
  return [revision(number, templateOf(own.spec), { workload: own.name, uid: own.uid })]
}

export function revision(number: number, of: Template, more: Partial<Revision> = {}): Item {
  const version = versionOf(of)
  const own: Revision = {
    ...{ kind: 'revision', workload: 'web', uid: 'u-web', version, number, template: of },
    ...{ createdAtMs: START_MS },
    ...more,
  }
  return { ...keys.revision(own.uid, version), ...own }
}

const putOf = (item: Item): Write => ({ kind: 'put', item })
const putOrDelete = (item: Item | Key): Write =>
  Object.keys(item).length > 2 ? putOf(item as Item) : { kind: 'delete', key: item }

/** The herd every test starts from: `n1` is ready, and `web` is wanted. */
export function herd(options: { workload?: object; pool?: object } = {}): Hand {
  const hand = makeHand()
  hand.put('admin-api', pool(options.pool), workload(options.workload))
  addNode(hand, 'n1', 'i-1')
  return hand
}

/** A node that is ready after its burn-in, on an instance of its own. */
export function addNode(hand: Hand, name: string, instanceId: string): void {
  hand.instance(instanceId)
  const by = hand.pass()
  const facts = { name, instanceId }
  const tested = node({ ...facts, phase: 'testing' })
  expectNothing(hand.commit(by, tested, ...assignment(facts)))
  expectNothing(hand.put('burn-in', verdict(facts)))
  expectNothing(hand.commit(by, node(facts)))
  expectNothing(hand.over(by))
}

export function expectNothing(found: Violation | undefined): void {
  if (found !== undefined) throw new Error(`${found.rule}: ${found.text}`)
}

const template = { command: ['serve'], resources: { cpu: '500m', memory: '256Mi' } }

export function workload(spec: object = {}, more: object = {}): Item {
  return {
    ...keys.spec('workload', 'web'),
    ...{ kind: 'spec', noun: 'workload', name: 'web', uid: 'u-web', generation: 1 },
    ...{ createdAtMs: START_MS, updatedAtMs: START_MS },
    spec: workloadSpecSchema.parse({ replicas: 2, ...template, ...spec }),
    ...more,
  }
}

export function pool(spec: object = {}, more: object = {}): Item {
  return {
    ...keys.spec('pool', 'general'),
    ...{ kind: 'spec', noun: 'pool', name: 'general', uid: 'u-general', generation: 1 },
    ...{ createdAtMs: START_MS, updatedAtMs: START_MS },
    spec: poolSpecSchema.parse({ instances: { types: [TYPE] }, ...spec }),
    ...more,
  }
}

export function webTemplate(spec: object = {}): Template {
  return templateOf(workloadSpecSchema.parse({ replicas: 2, ...template, ...spec }))
}

type NodeFacts = Partial<Node> & { name?: string; instanceId?: string }

export function node({ instanceId = 'i-1', ...more }: NodeFacts = {}): Item {
  const type = must(typeByName.get(TYPE), TYPE)
  const whole = { cpuMilli: type.vcpu * 1000, memoryMib: type.memoryMib, gpuMilli: 0, diskMib: 0 }
  const name = more.name ?? 'n1'
  const own: Node = {
    ...{ kind: 'node', name, pool: 'general', phase: 'ready', phaseSinceMs: START_MS },
    ...{ createdAtMs: START_MS, capacityType: 'spot', architecture: 'amd64', launchId: 'l-1' },
    claim: {
      ...{ places: [`${TYPE}/${ZONE}`], least: type.allocatable },
      ...{ largest: whole, dearestUsdPerHour: 0.1 },
    },
    machine: {
      ...{ instanceId, arn: arnOf(instanceId), instanceType: TYPE, zone: ZONE },
      ...{ allocatable: type.allocatable, gpuCount: 0, priceUsdPerHour: 0.1 },
      launchedAtMs: START_MS,
    },
    ...{ bootId: 'b-1', runtimes: ['process'], cordoned: false },
    burnIn: {
      ...{ attempt: 1, tries: 1, unknowns: 0, mended: [], suite: 'cpu', startedAtMs: START_MS },
      ...{ deadlineMs: START_MS + 300_000, checks: [] },
    },
    ...more,
  }
  return { ...keys.node(name), ...own }
}

/** Body and head. */
export function assignment(
  facts: { name?: string; instanceId?: string } & Partial<Assignment> = {},
): readonly [Item, Item] {
  const { name = 'n1', instanceId = 'i-1', ...more } = facts
  const arn = arnOf(instanceId)
  const web = webTemplate()
  const body: Assignment = {
    ...{ kind: 'assignment', arn, node: name, generation: 1 },
    templates: { [`u-web/${versionOf(web)}`]: web },
    replicas: [],
    burnIn: { attempt: 1, suite: 'cpu', checks: [CPU_CHECK] },
    ...more,
  }
  const head = { kind: 'assignment-head', arn, node: name, generation: body.generation }
  return [
    { ...keys.assignment(arn), ...body },
    { ...keys.assignmentHead(arn), ...head },
  ]
}

export function replica(id: string, more: Partial<BoundReplica> = {}): BoundReplica {
  return {
    ...{ id, workload: 'web', uid: 'u-web', version: versionOf(webTemplate()), gpus: [] },
    ...{ order: 'run', graceSeconds: 30, assignedAtMs: START_MS },
    ...more,
  }
}

export const ready = (id: string): BoundReplica => replica(id, { readySinceMs: START_MS })

export const stopped = (id: string, code: string): BoundReplica =>
  replica(id, {
    ...{ order: 'stop', readySinceMs: START_MS, stopAtMs: START_MS },
    stopReason: { code, text: '' },
  })

export function verdict(
  facts: { name?: string; instanceId?: string } & Partial<Verdict> = {},
): Item {
  const { name = 'n1', instanceId = 'i-1', ...more } = facts
  const own: Verdict = {
    ...{ kind: 'verdict', node: name, arn: arnOf(instanceId), bootId: 'b-1', attempt: 1 },
    ...{ suite: 'cpu', verdict: 'PASS', checks: [], atMs: START_MS },
    ...more,
  }
  return { ...keys.verdict(name), ...own }
}

export function report(instanceId: string, more: Partial<Report> = {}): Item {
  const own: Report = {
    ...{ kind: 'report', arn: arnOf(instanceId), bootId: 'b-1', sequence: 1 },
    ...{ agentVersion: '1', observedGeneration: 1, runtimes: ['process'] },
    ...{ replicas: [], atMs: START_MS },
    ...more,
  }
  return { ...keys.report(arnOf(instanceId)), ...own }
}

export const beat = (instanceId: string, atMs: number): Item => ({
  ...keys.beat(arnOf(instanceId)),
  ...{ kind: 'beat', arn: arnOf(instanceId), bootId: 'b-1', atMs },
})

export function passItem(epoch: number, more: object = {}): Item {
  return {
    ...keys.pass(),
    ...{ kind: 'pass', tableUid: 'test', createdAtMs: START_MS, epoch, startedAtMs: START_MS },
    ...{ coveredSinceMs: START_MS, suspects: {} },
    ...more,
  }
}

function instanceOf(instanceId: string, atMs: number, more: Partial<Ec2Instance>): Ec2Instance {
  return {
    ...{ instanceId, arn: arnOf(instanceId), sequence: 1, instanceType: TYPE, zone: ZONE },
    ...{ capacityType: 'spot', priceUsdPerHour: 0.1, imageId: 'ami-1', privateIp: '10.0.0.1' },
    tags: { 'drover:launch': 'l-1/1', 'drover:table': 'test', 'drover:pool': 'general' },
    ...{ launchedAtMs: atMs, visibleAtMs: atMs, boots: true, state: 'running', up: true },
    ...{ host: 0, bootNumber: 1, impaired: false },
    ...more,
  }
}

export function processOf(of: Template, atMs: number): TrueProcess {
  return {
    ...{ replicaId: 'web/1-1', workload: 'web', version: versionOf(of), template: of, gpus: [] },
    ...{ ports: {}, startedAtMs: atMs, healthy: true, stopping: false },
  }
}
