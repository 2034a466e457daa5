/**
 * A whole herd in memory under a clock that tests move: the real reconcile, burn-in and
 * interruption on the memory store and the emulated EC2, with agents simple enough to be read in a
 * minute.
 */
import { makeMemoryBalancer } from '#shared/cloud/memory-balancer.ts'
import { makeMemoryBus } from '#shared/cloud/memory-bus.ts'
import { makeMemoryEc2, type MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import type { Ec2Faults, Ec2Instance, Ec2Offering } from '#shared/cloud/memory-ec2/types.ts'
import { makeMemoryFleet } from '#shared/cloud/memory-fleet.ts'
import { makeMemoryMetrics } from '#shared/cloud/memory-metrics.ts'
import { makeMemoryQueue } from '#shared/cloud/memory-queue.ts'
import { catalog } from '#shared/catalog/catalog.ts'
import { defaultOfferings } from '#shared/catalog/defaults.ts'
import { DEFAULT_ZONES, REGION } from '#shared/catalog/zones.ts'
import { silentLogger } from '#shared/base/log.ts'
import { judgePending } from '#shared/controllers/burn-in.ts'
import { takeInEc2Event } from '#shared/controllers/interruption.ts'
import { reconcile, type ReconcileOutcome } from '#shared/controllers/reconcile/reconcile.ts'
import {
  MEMORY_ACCOUNT,
  memoryInstallation,
} from '#shared/controllers/reconcile/memory-installation.ts'
import type { ReconcilePorts } from '#shared/controllers/reconcile/settings.ts'
import { instanceArn } from '#shared/model/arn.ts'
import { assignmentSchema, type Assignment } from '#shared/model/assignment.ts'
import type { Noun } from '#shared/model/names.ts'
import { nodeSchema, type Node } from '#shared/model/node.ts'
import { poolSpecSchema } from '#shared/model/pool.ts'
import type { Report, ReportedReplica } from '#shared/model/report.ts'
import { workloadStatusSchema, type WorkloadStatus } from '#shared/model/status.ts'
import { teamSpecSchema } from '#shared/model/team.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'
import { agentKeys } from '#shared/protocol/agent-keys.ts'
import { keys } from '#shared/store/keys.ts'
import { makeMemoryStore, type MemoryStore } from '#shared/store/memory-store.ts'

export const START_MS = Date.parse('2026-11-22T10:00:00Z')

export const settings = memoryInstallation('test')

type AgentState = { generation: number; replicas: Map<string, ReportedReplica>; sequence: number }

export type Herd = {
  readonly store: MemoryStore
  readonly world: MemoryEc2
  readonly ports: ReconcilePorts
  now(): number
  /** Runs the herd for so many seconds, a pass each second. */
  run(seconds: number): Promise<void>
  pass(): Promise<ReconcileOutcome>
  workload(name: string, spec: Record<string, unknown>): Promise<void>
  pool(name: string, spec: Record<string, unknown>): Promise<void>
  team(name: string, spec: Record<string, unknown>): Promise<void>
  remove(noun: Noun, name: string): Promise<void>
  nodes(): Promise<readonly Node[]>
  assignments(): Promise<readonly Assignment[]>
  status(workload: string): Promise<WorkloadStatus | undefined>
  /** Instances that are not on their way out. */
  living(): readonly Ec2Instance[]
  /** Agents of these instances say nothing any more. */
  readonly mute: Set<string>
  /** What a node's burn-in reports, by instance id; PASS by default. */
  readonly checks: Map<string, CheckResult['verdict']>
}

export type HerdOptions = {
  readonly faults?: Partial<Ec2Faults>
  readonly offerings?: readonly Ec2Offering[]
  readonly wrap?: (ports: ReconcilePorts) => ReconcilePorts
}

export function makeHerd(options: HerdOptions = {}): Herd {
  let nowMs = START_MS
  const clock = { now: () => nowMs, sleep: () => Promise.resolve() }
  const store = makeMemoryStore({ clock })
  const events: unknown[] = []
  const world = makeMemoryEc2({
    clock: clock.now,
    hooks: { onEvent: (event) => events.push(event) },
    options: {
      zones: DEFAULT_ZONES,
      account: MEMORY_ACCOUNT,
      instanceTypes: catalog,
      offerings:
        options.offerings ??
        defaultOfferings({ zones: DEFAULT_ZONES, atMs: START_MS, seed: 1 }).map((own) => ({
          ...own,
          capacity: 50,
        })),
      bootMs: { min: 3_000, max: 6_000 },
      shutdownMs: { min: 1_000, max: 2_000 },
      listDelayMs: 0,
    },
  })
  if (options.faults !== undefined) world.setFaults(options.faults)
  const base: ReconcilePorts = {
    store,
    history: makeMemoryStore({ clock }),
    fleet: makeMemoryFleet(world),
    queue: makeMemoryQueue({ clock }),
    bus: makeMemoryBus(),
    balancer: makeMemoryBalancer({ clock }),
    metrics: makeMemoryMetrics(),
    clock,
    log: silentLogger,
  }
  const ports = options.wrap?.(base) ?? base
  const agents = new Map<string, AgentState>()
  const mute = new Set<string>()
  const checks: Herd['checks'] = new Map()

  const second = async (): Promise<void> => {
    nowMs += 1_000
    world.settle()
    for (const event of events.splice(0)) await takeInEc2Event(ports, event)
    for (const instance of world.instances()) {
      if (!instance.up || mute.has(instance.instanceId)) continue
      await actAsAgent(store, { instance, agents, nowMs, checks })
    }
    await judgePending(ports)
    await reconcile(ports, settings)
  }
  const put = async (noun: Noun, name: string, spec: unknown): Promise<void> => {
    const old = await store.get(keys.spec(noun, name))
    const generation = Number(old?.['generation'] ?? 0) + 1
    const uid =
      (old?.['deletedAtMs'] === undefined ? old?.['uid'] : undefined) ??
      `u-${name}-${String(nowMs)}`
    const item = {
      kind: 'spec',
      noun,
      name,
      uid,
      generation,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
    }
    await store.write({ kind: 'put', item: { ...item, spec, ...keys.spec(noun, name) } })
  }
  return {
    store,
    world,
    ports,
    mute,
    checks,
    now: () => nowMs,
    run: async (seconds) => {
      for (let i = 0; i < seconds; i += 1) await second()
    },
    pass: () => reconcile(ports, settings),
    workload: (name, spec) =>
      put('workload', name, workloadSpecSchema.parse({ command: ['serve'], ...spec })),
    pool: (name, spec) => put('pool', name, poolSpecSchema.parse(spec)),
    team: (name, spec) => put('team', name, teamSpecSchema.parse(spec)),
    remove: async (noun, name) => {
      await store.update(keys.spec(noun, name), { deletedAtMs: nowMs })
    },
    nodes: async () => (await store.query('node')).items.map((item) => nodeSchema.parse(item)),
    assignments: async () =>
      (await store.scan())
        .filter((item) => item['kind'] === 'assignment')
        .map((item) => assignmentSchema.parse(item)),
    status: async (workload) => {
      const item = await store.get(keys.status('workload', workload))
      return item === undefined ? undefined : workloadStatusSchema.parse(item)
    },
    living: () =>
      world.instances().filter((own) => own.state === 'pending' || own.state === 'running'),
  }
}

type Acting = {
  readonly instance: Ec2Instance
  readonly agents: Map<string, AgentState>
  readonly nowMs: number
  readonly checks: Herd['checks']
}

/** Reads its assignment, does at once what it says, and reports. */
async function actAsAgent(store: MemoryStore, acting: Acting): Promise<void> {
  const { instance, agents, nowMs, checks } = acting
  const { instanceId } = instance
  const arn = instanceArn({ region: REGION, account: MEMORY_ACCOUNT, instanceId })
  const state = agents.get(instanceId) ?? { generation: 0, replicas: new Map(), sequence: 0 }
  agents.set(instanceId, state)
  const item = await store.get(agentKeys.assignment(arn))
  const assignment = item === undefined ? undefined : assignmentSchema.parse(item)
  for (const bound of assignment?.replicas ?? []) {
    const old = state.replicas.get(bound.id)
    const running = bound.order === 'run'
    const phase = running ? (old === undefined ? 'starting' : 'ready') : 'gone'
    state.replicas.set(bound.id, {
      id: bound.id,
      version: bound.version,
      phase,
      ready: phase === 'ready',
      restarts: 0,
      addresses: {},
      gpus: bound.gpus,
    })
  }
  const known = new Set(assignment?.replicas.map((own) => own.id))
  for (const id of state.replicas.keys()) if (!known.has(id)) state.replicas.delete(id)
  state.generation = assignment?.generation ?? state.generation
  state.sequence += 1
  const bootId = `boot-${instanceId}-${String(instance.bootNumber)}`
  const verdict = checks.get(instanceId) ?? 'PASS'
  const report: Report = {
    kind: 'report',
    arn,
    bootId,
    sequence: state.sequence,
    agentVersion: 'test',
    observedGeneration: state.generation,
    runtimes: ['process'],
    replicas: [...state.replicas.values()],
    ...(assignment?.burnIn === undefined
      ? {}
      : {
          burnIn: {
            attempt: assignment.burnIn.attempt,
            suite: assignment.burnIn.suite,
            state: 'finished' as const,
            checks: assignment.burnIn.checks.map(({ name }) => ({
              name,
              verdict,
              measures: {},
              text: '',
            })),
          },
        }),
    atMs: nowMs,
  }
  await store.write({ kind: 'put', item: { ...report, ...agentKeys.report(arn) } })
  const beat = { kind: 'beat', arn, bootId, atMs: nowMs }
  await store.write({ kind: 'put', item: { ...beat, ...agentKeys.beat(arn) } })
}
