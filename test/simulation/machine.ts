/**
 * One machine of the simulated herd: its processes, its agent's runs, and what it is made of.
 *
 * The agent is drover's own loop on ports from here. Its polls are held until there is something to
 * see, its probes until the answer changes, and its beats are written when somebody is about to
 * read them; so a machine on which nothing happens costs nothing.
 */
import type { AdoptedProcess, CachedData, RunningProcess } from '#agent/events.ts'
import type { ReplicaLaunch } from '#agent/effects.ts'
import type { Exit } from '#agent/ports.ts'
import type { Persisted } from '#agent/persisted.ts'
import { runAgent, type Agent } from '#agent/driver.ts'
import type { GpuIdentity } from '#shared/model/hardware.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import type { Item, Key } from '#shared/store/store.ts'
import type { Invocation } from './calls.ts'
import type { Chance } from './chance.ts'
import type { Faults } from './faults.ts'
import { makeAgentPorts } from './agent-ports.ts'
import { afterReboot, faultOf, gpusOf, type HardwareFault } from './hardware.ts'
import { skewOf } from './invocations.ts'
import type { Backends } from './ports.ts'
import type { TrueProcess } from './traffic.ts'
import type { Health } from './watch.ts'

export type MachineSetup = {
  readonly backends: Backends
  readonly chance: Chance
  readonly faults: Faults
  /** The main table as it stands. */
  readonly peek: (key: Key) => Item | undefined
  /** No check passes on what it boots. */
  readonly hasBadImage: boolean
}

export type Process = {
  readonly launch: ReplicaLaunch
  readonly pid: number
  readonly startTime: string
  readonly startedAtMs: number
  /** By name: where it listens. */
  readonly ports: Readonly<Record<string, number>>
  /** When it first answers its health check; Infinity for one that never does. */
  readonly healthyAtMs: number
  /** Until then it does not answer any more. */
  sickUntilMs: number
  stopping: boolean
  /** Whose child it is: another run of the agent cannot ask how it ended. */
  readonly parent: string
  /** Of the data that lay there when it was started. */
  readonly digest?: string
}

/** The agent's beats: when the one that stands in the table was sent, and when the next is due. */
export type Beating = { readonly bootId: string; standsSinceMs: number; nextAtMs: number }

export type Machine = {
  readonly setup: MachineSetup
  readonly instanceId: string
  readonly arn: string
  readonly name: string
  readonly processes: Map<string, Process>
  portsGiven: number
  /** Data that lies there whole, by key. */
  readonly cache: Map<string, CachedData>
  fetches: number
  fault: HardwareFault
  readonly health: Health
  readonly gpus: GpuIdentity[]
  bootId: string
  persisted: Persisted | undefined
  /** The agent's run under way. */
  run: { readonly invocation: Invocation; readonly agent: Agent } | undefined
  isHung: boolean
  readonly deferred: (() => void)[]
  beating: Beating | undefined
  pids: number
  checks: number
  restarts: number
  /** Called when the head of its assignment has moved. */
  onHead: (() => void) | undefined
  /** Called when instance metadata has something new to tell. */
  onMetadata: (() => void) | undefined
  onExit: ((exit: Exit) => void) | undefined
  /** Called when a process's health may have changed, by replica. */
  readonly onHealth: Map<string, () => void>
}

const AGENT_START_MS = { min: 300, max: 2_500 }
const AGENT_RESTART_MS = { min: 1_000, max: 8_000 }

export function makeMachine(setup: MachineSetup, instance: Ec2Instance): Machine {
  const name = `m${String(instance.sequence)}`
  return {
    setup,
    ...{ instanceId: instance.instanceId, arn: instance.arn, name },
    processes: new Map(),
    ...{ portsGiven: 0, cache: new Map(), fetches: 0 },
    fault: setup.hasBadImage ? 'a bad image' : faultOf(name, instance, setup),
    health: { kernelLog: [], states: new Set(), changes: 0, onChange: undefined },
    gpus: gpusOf(instance),
    ...{ bootId: '', persisted: undefined, run: undefined, isHung: false, deferred: [] },
    ...{ beating: undefined, pids: 100, checks: 0, restarts: 0 },
    ...{ onHead: undefined, onMetadata: undefined, onExit: undefined, onHealth: new Map() },
  }
}

/** The operating system is up: the agent starts, unless luck has it that there is none. */
export function boot(machine: Machine, bootNumber: number): void {
  const { setup, name } = machine
  const { scheduler } = setup.backends
  machine.bootId = `boot-${machine.instanceId}-${String(bootNumber)}`
  if (bootNumber > 1) machine.fault = afterReboot(machine.fault)
  if (setup.faults.strikes('bootsWithoutAgent', name)) return
  const afterMs = setup.chance.int(`agent of ${machine.bootId}`, AGENT_START_MS)
  const { bootId } = machine
  scheduler.at(scheduler.now() + afterMs, () => {
    if (machine.bootId === bootId && machine.run === undefined) startAgent(machine)
  })
}

/** The machine is down: nothing on it runs any more, and nobody is told. */
export function shutDown(machine: Machine): void {
  const { backends } = machine.setup
  machine.bootId = ''
  endAgent(machine)
  machine.health.kernelLog.length = 0
  for (const [replicaId] of machine.processes) {
    machine.processes.delete(replicaId)
    const atMs = backends.scheduler.now()
    const { instanceId } = machine
    backends.see({ kind: 'process', atMs, instanceId, replicaId, what: 'over' })
  }
}

function startAgent(machine: Machine): void {
  const { setup, arn, instanceId, bootId } = machine
  const { scheduler } = setup.backends
  const label = `agent#${machine.name}@${String(scheduler.now())}`
  const onCrash = (): void => {
    endAgent(machine)
    restartAgent(machine)
  }
  const invocation: Invocation = {
    ...{ label, role: 'agent', startedAtMs: scheduler.now(), instanceId },
    ...{ skewMs: skewOf(label, setup) * 20, alive: true, calls: 0, parked: new Set(), onCrash },
  }
  const ports = makeAgentPorts(machine, invocation)
  const { persisted } = machine
  const agent = runAgent(ports, {
    settings: {
      ...{ arn, bootId, agentVersion: 'simulated', runtimes: ['process'] },
      ...(machine.gpus.length === 0 ? {} : { gpus: machine.gpus }),
    },
    ...(persisted === undefined ? {} : { persisted }),
    headPollMs: LIMITS.headPollMs,
    metadataPollMs: LIMITS.metadataPollMs,
  })
  machine.run = { invocation, agent }
}

/** The agent's process dies; what it started runs on. */
export function endAgent(machine: Machine): void {
  const { run, setup } = machine
  if (run === undefined) return
  writeBeat(machine)
  machine.run = undefined
  machine.isHung = false
  machine.deferred.length = 0
  machine.beating = undefined
  machine.onHead = undefined
  machine.onMetadata = undefined
  machine.onExit = undefined
  machine.health.onChange = undefined
  machine.onHealth.clear()
  run.agent.stop()
  setup.backends.calls.crash(run.invocation)
}

function restartAgent(machine: Machine): void {
  const { setup, bootId } = machine
  const { scheduler } = setup.backends
  const afterMs = setup.chance.int(
    `restart ${machine.name} ${String(scheduler.now())}`,
    AGENT_RESTART_MS,
  )
  machine.restarts += 1
  if (setup.faults.strikes('stateLost', `${machine.name} restart ${String(machine.restarts)}`)) {
    machine.persisted = undefined
  }
  scheduler.at(scheduler.now() + afterMs, () => {
    if (bootId !== '' && machine.bootId === bootId && machine.run === undefined) startAgent(machine)
  })
}

/** Stops for a while in the middle of whatever it does, as a process without a CPU. */
export function hang(machine: Machine): void {
  if (machine.run === undefined || machine.isHung) return
  writeBeat(machine)
  machine.isHung = true
}

export function wake(machine: Machine): void {
  const { backends } = machine.setup
  if (!machine.isHung) return
  machine.isHung = false
  if (machine.beating !== undefined) machine.beating.nextAtMs = backends.scheduler.now()
  for (const run of machine.deferred.splice(0)) backends.scheduler.at(0, run)
}

/** Runs it now, or when the agent's process gets a CPU again; never after its end. */
export function whenAwake(machine: Machine, invocation: Invocation, run: () => void): void {
  if (!invocation.alive) return
  const again = (): void => {
    whenAwake(machine, invocation, run)
  }
  if (machine.isHung) machine.deferred.push(again)
  else run()
}

/**
 * A beat is told from the one before it only once that would count as late, so it is written just
 * before. Before anything that ends the beats the last one is written all the same.
 */
export function refreshBeat(machine: Machine): void {
  const { beating, setup } = machine
  const agedMs = setup.backends.scheduler.now() - (beating?.standsSinceMs ?? 0)
  if (agedMs >= LATE_MS - LONGEST_SCAN_MS) writeBeat(machine)
}

/** From then on a pass would ask to be woken, in case the agent stays silent. */
const LATE_MS = 2 * LIMITS.beatEveryMs
const LONGEST_SCAN_MS = 5_000

/** Writes the newest beat that was due by now, if the agent could. */
export function writeBeat(machine: Machine): void {
  const { beating, isHung, setup, arn } = machine
  const { scheduler, store } = setup.backends
  const nowMs = scheduler.now()
  if (beating === undefined || isHung || beating.nextAtMs > nowMs) return
  const everyMs = LIMITS.beatEveryMs
  const atMs = beating.nextAtMs + Math.floor((nowMs - beating.nextAtMs) / everyMs) * everyMs
  beating.nextAtMs = atMs + everyMs
  beating.standsSinceMs = atMs
  const ttl = Math.floor(atMs / 1000) + LIMITS.beatDays * 86_400
  const item = {
    pk: `beat#${arn}`,
    sk: 'beat',
    kind: 'beat',
    arn,
    bootId: beating.bootId,
    atMs,
    ttl,
  }
  void store.write({ kind: 'put', item })
}

export function processEnds(machine: Machine, process: Process, exit: Partial<Exit>): void {
  const { launch, pid } = process
  const { replicaId } = launch
  if (machine.processes.get(replicaId) !== process) return
  machine.processes.delete(replicaId)
  machine.onHealth.delete(replicaId)
  const { backends } = machine.setup
  const { instanceId, run } = machine
  const atMs = backends.scheduler.now()
  backends.see({ kind: 'process', atMs, instanceId, replicaId, what: 'over' })
  if (run === undefined) return
  const { invocation } = run
  const isChild = process.parent === invocation.label
  backends.scheduler.at(atMs + LIMITS.adoptedPollMs, () => {
    whenAwake(machine, invocation, () => {
      machine.onExit?.({ replicaId, pid, ...(isChild ? exit : {}) })
    })
  })
}

export function adoptedOf(machine: Machine): readonly AdoptedProcess[] {
  return [...machine.processes.values()].map(({ launch, ...process }) => ({
    replicaId: launch.replicaId,
    workload: launch.workload,
    version: launch.version,
    gpus: launch.gpus,
    graceSeconds: launch.graceSeconds,
    process: runningOf(process),
  }))
}

/** A process as its agent tells of it. */
export function runningOf({
  pid,
  startTime,
  startedAtMs,
  ports,
}: Pick<Process, 'pid' | 'startTime' | 'startedAtMs' | 'ports'>): RunningProcess {
  const addresses = Object.entries(ports).map(([name, port]) => [name, `10.0.0.1:${String(port)}`])
  return {
    ...{ pid, startTime, startedAtMs, ports },
    addresses: Object.fromEntries(addresses) as Record<string, string>,
  }
}

export function isHealthy(process: Process, nowMs: number): boolean {
  return nowMs >= process.healthyAtMs && nowMs >= process.sickUntilMs
}

export function trueProcesses(machine: Machine): readonly TrueProcess[] {
  const nowMs = machine.setup.backends.scheduler.now()
  return [...machine.processes.values()].map((process) => {
    const { replicaId, workload, version, template, gpus } = process.launch
    const { startedAtMs, stopping, ports, digest } = process
    const healthy = isHealthy(process, nowMs)
    return {
      ...{ replicaId, workload, version, template, gpus, ports, startedAtMs, healthy, stopping },
      ...(digest === undefined ? {} : { digest }),
    }
  })
}
