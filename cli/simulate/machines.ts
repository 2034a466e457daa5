/**
 * Machines as a replay needs them: every one boots, passes its burn-in, and runs what its
 * assignment says, each step after so long.
 *
 * A machine speaks to drover as an agent does, through its own report and beat and nothing else.
 * It polls nothing: the world calls it when its assignment has moved, and a beat is written only
 * when the one in the table would soon count as late.
 */
import { assert } from '#shared/base/assert.ts'
import type { Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import { assignmentSchema, type Assignment } from '#shared/model/assignment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Report, ReportedReplica } from '#shared/model/report.ts'
import { agentKeys } from '#shared/protocol/agent-keys.ts'
import type { MemoryStore } from '#shared/store/memory-store.ts'
import type { Item } from '#shared/store/store.ts'
import type { Agenda } from './agenda.ts'

/** From the operating system to the first report. */
const AGENT_START_MS = 3_000
const BURN_IN_MS = 10_000
/** From the assignment of a replica until it is ready. */
const REPLICA_START_MS = 5_000
const REPLICA_STOP_MS = 2_000

export type Machines = {
  /** The operating system is up. */
  boot(instance: Ec2Instance): void
  shutDown(instanceId: string): void
  /** The assignment of this instance has moved. */
  assigned(arn: string): void
  /** Every machine that runs has beaten by now. */
  beat(): Promise<void>
}

type Machine = {
  readonly arn: string
  readonly bootId: string
  isOn: boolean
  sequence: number
  generation: number
  beatAtMs: number
  readonly replicas: Map<string, ReportedReplica>
  burnIn: Report['burnIn']
}

type Setup = {
  readonly agenda: Agenda
  readonly store: MemoryStore
}

/** An agent polls its head item so often: it sees a change after half of that on average. */
const SEEN_AFTER_MS = LIMITS.headPollMs / 2
/** From then on a pass would ask to be woken, in case the agent stays silent. */
const BEAT_AGAIN_MS = 2 * LIMITS.beatEveryMs - 5_000

export function makeMachines(setup: Setup): Machines {
  const { agenda } = setup
  const machines = new Map<string, Machine>()
  return {
    boot: (instance) => {
      const { arn, instanceId, bootNumber } = instance
      const machine: Machine = {
        ...{ arn, bootId: `boot-${instanceId}-${String(bootNumber)}`, isOn: true },
        ...{ sequence: 0, generation: 0, beatAtMs: 0, replicas: new Map(), burnIn: undefined },
      }
      machines.set(arn, machine)
      agenda.at(agenda.now() + AGENT_START_MS, () => look(setup, machine))
    },
    shutDown: (instanceId) => {
      for (const [arn, machine] of machines) {
        if (!arn.endsWith(`/${instanceId}`)) continue
        machine.isOn = false
        machines.delete(arn)
      }
    },
    assigned: (arn) => {
      const machine = machines.get(arn)
      if (machine === undefined || machine.sequence === 0) return
      agenda.at(agenda.now() + SEEN_AFTER_MS, () => look(setup, machine))
    },
    beat: async () => {
      const nowMs = agenda.now()
      for (const machine of machines.values()) {
        if (machine.sequence === 0 || nowMs - machine.beatAtMs < BEAT_AGAIN_MS) continue
        await beat(setup, machine)
      }
    },
  }
}

/** Takes in its assignment, begins what it asks for, and reports. */
async function look(setup: Setup, machine: Machine): Promise<void> {
  if (!machine.isOn) return
  const item = await setup.store.get(agentKeys.assignment(machine.arn))
  const assignment = item === undefined ? undefined : assignmentSchema.parse(item)
  if (assignment !== undefined && assignment.generation > machine.generation) {
    machine.generation = assignment.generation
    beginBurnIn(setup, machine, assignment)
    runReplicas(setup, machine, assignment)
  }
  await report(setup, machine)
}

function beginBurnIn(setup: Setup, machine: Machine, { burnIn: asked }: Assignment): void {
  if (asked === undefined || machine.burnIn?.attempt === asked.attempt) return
  const { attempt, suite, checks } = asked
  machine.burnIn = { attempt, suite, state: 'running', checks: [] }
  const { agenda } = setup
  agenda.at(agenda.now() + BURN_IN_MS, async () => {
    if (machine.burnIn?.attempt !== attempt) return
    const passed = checks.map(({ name }) => ({
      name,
      verdict: 'PASS' as const,
      measures: {},
      text: '',
    }))
    machine.burnIn = { attempt, suite, state: 'finished', checks: passed }
    await report(setup, machine)
  })
}

function runReplicas(setup: Setup, machine: Machine, assignment: Assignment): void {
  const { replicas } = machine
  const { agenda } = setup
  const wanted = new Set(assignment.replicas.map((own) => own.id))
  for (const id of replicas.keys()) if (!wanted.has(id)) replicas.delete(id)
  for (const { id, version, gpus, order } of assignment.replicas) {
    const standing = replicas.get(id)
    if (order === 'run' && standing === undefined) {
      const fresh = { restarts: 0, addresses: {}, gpus, ready: false }
      replicas.set(id, { id, version, phase: 'starting', ...fresh })
      agenda.at(agenda.now() + REPLICA_START_MS, () =>
        moves(setup, machine, { id, from: 'starting', to: 'ready' }),
      )
    } else if (order === 'stop' && standing === undefined) {
      const none = { restarts: 0, addresses: {}, gpus, ready: false }
      replicas.set(id, { id, version, phase: 'gone', ...none })
    } else if (order === 'stop' && standing !== undefined && isUp(standing)) {
      replicas.set(id, { ...standing, phase: 'stopping', ready: false })
      agenda.at(agenda.now() + REPLICA_STOP_MS, () =>
        moves(setup, machine, { id, from: 'stopping', to: 'gone' }),
      )
    }
  }
}

const isUp = ({ phase }: ReportedReplica): boolean => phase === 'starting' || phase === 'ready'

type Move = {
  readonly id: string
  readonly from: 'starting' | 'stopping'
  readonly to: 'ready' | 'gone'
}

async function moves(setup: Setup, machine: Machine, { id, from, to }: Move): Promise<void> {
  const replica = machine.replicas.get(id)
  if (replica?.phase !== from) return
  machine.replicas.set(id, { ...replica, phase: to, ready: to === 'ready' })
  await report(setup, machine)
}

async function report(setup: Setup, machine: Machine): Promise<void> {
  if (!machine.isOn) return
  const { arn, bootId, generation, replicas, burnIn } = machine
  machine.sequence += 1
  const told: Report = {
    ...{ kind: 'report', arn, bootId, sequence: machine.sequence, agentVersion: 'simulated' },
    ...{ observedGeneration: generation, runtimes: ['process', 'docker'] },
    replicas: [...replicas.values()],
    ...(burnIn === undefined ? {} : { burnIn }),
    atMs: setup.agenda.now(),
  }
  await put(setup, { ...told, ...agentKeys.report(arn) })
  if (machine.beatAtMs === 0) await beat(setup, machine)
}

async function beat(setup: Setup, machine: Machine): Promise<void> {
  machine.beatAtMs = setup.agenda.now()
  const { arn, bootId, beatAtMs: atMs } = machine
  await put(setup, { kind: 'beat', arn, bootId, atMs, ...agentKeys.beat(arn) })
}

async function put({ store }: Setup, item: Item): Promise<void> {
  const { applied } = await store.write({ kind: 'put', item })
  assert(applied, 'nobody else writes the items of a machine')
}
