/**
 * Runs replicas as plain processes, each the leader of a session of its own, so that they outlive
 * the agent.
 *
 * Nothing of a replica hangs on the agent: it writes to its log file itself, and a journal says
 * which process it is. An agent that comes back finds it there, checks pid and start time, and
 * watches it by looking, as it is no child any more. When a leader ends, whatever it left behind is
 * ended too.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { ProcessTarget, ReplicaLaunch } from '../effects.ts'
import type { AdoptedProcess, RunningProcess } from '../events.ts'
import type { Exit, Runtime, StartResult } from '../ports.ts'
import { agentFiles, type AgentFiles } from './files.ts'
import { readJournal, survivorsOf, writeJournal, type JournalEntry } from './journal.ts'
import { expandCommand, replicaEnvironment, type NodeFacts } from './launch.ts'
import { pruneLogs, rotateLog, withLog, type LogLimits } from './logs.ts'
import { unspared } from './oom-score.ts'
import type { PortBook } from './ports-in-use.ts'
import { probe } from './probes.ts'
import type { Used } from '../usage.ts'
import {
  codeOf,
  isAlive,
  processesOf,
  signalGroup,
  signalPid,
  startTimeOf,
  useOfGroups,
} from './processes.ts'

export type ProcessRuntimeOptions = NodeFacts & {
  /** The agent's directory. */
  readonly directory: string
  readonly bootId: string
  /** What replicas are reached at: `127.0.0.1`, or the instance's private address. */
  readonly address: string
  readonly ports: PortBook
  readonly log: Logger
  readonly logLimits?: LogLimits
  readonly logCheckMs?: number
  readonly adoptedPollMs?: number
}

export type ProcessRuntime = Runtime & {
  /** What its replicas have used so far; nothing where the system does not tell. */
  used(): Promise<readonly Used[]>
  /** Stops watching; the replicas run on. */
  close(): void
}

const DEFAULT_LOG_LIMITS: LogLimits = {
  maxBytes: LIMITS.logFileMaxBytes,
  keptFiles: LIMITS.logFilesKept,
}

type Shared = {
  readonly options: ProcessRuntimeOptions
  readonly files: AgentFiles
  /** By replica id: what runs, as the journal has it. */
  readonly entries: Map<string, JournalEntry>
  /** Ids among them that are no children of ours. */
  readonly adopted: Set<string>
  tellExit: (exit: Exit) => void
  /** Another agent may be at work here already: nothing is written or ended any more. */
  closed: boolean
}

/** Reads the journal at once; nothing is touched before `adopt`. */
export function openProcessRuntime(options: ProcessRuntimeOptions): ProcessRuntime {
  const shared: Shared = {
    options,
    files: agentFiles(options.directory),
    entries: new Map(),
    adopted: new Set(),
    tellExit: () => undefined,
    closed: false,
  }
  const watch = setInterval(() => {
    watchAdopted(shared)
  }, options.adoptedPollMs ?? LIMITS.adoptedPollMs)
  const stopRotation = rotateRegularly(shared)
  return {
    adopt: () => adopt(shared),
    start: (launch, ports) => start(shared, launch, ports),
    signal: (target, signal) => {
      signalReplica(target, signal)
    },
    onExit: (listener) => {
      shared.tellExit = listener
    },
    probe: (request) => {
      const environment = replicaEnvironment(request.launch, request.ports, options)
      const command = request.health.exec?.command
      return probe({
        health: request.health,
        addresses: request.addresses,
        cwd: shared.files.work(request.replicaId),
        environment,
        ...(command === undefined ? {} : { command: expandCommand(command, environment) }),
      })
    },
    cleanUp: async (replicaId) => {
      await rm(shared.files.work(replicaId), { recursive: true, force: true })
      const living = new Set([...shared.entries.keys()].map(shared.files.log))
      await pruneLogs(shared.files.logs, living, LIMITS.goneLogFilesMax)
    },
    used: () => Promise.resolve(usedBy(shared)),
    close: () => {
      shared.closed = true
      clearInterval(watch)
      stopRotation()
    },
  }
}

/** Of the whole group of each: a replica may well be a shell and what it started. */
function usedBy({ entries }: Shared): readonly Used[] {
  const running = [...entries.values()]
  if (running.length === 0) return []
  const groups = useOfGroups(new Set(running.map((own) => own.pid)))
  return running.flatMap(({ replicaId, pid, startTime, gpus }) => {
    const use = groups.get(pid)
    return use === undefined ? [] : [{ replicaId, run: startTime, gpus, ...use }]
  })
}

function adopt(shared: Shared): readonly AdoptedProcess[] {
  const { options, files, entries } = shared
  const { adopted, strays } = survivorsOf(
    readJournal(files.journal, options.log),
    processesOf({ instanceId: options.instanceId, directory: options.directory }),
    { bootId: options.bootId, nowMs: Date.now() },
  )
  for (const stray of strays) {
    options.log.warn('a process without its replica is ended', { pid: stray.pid })
    signalPid(stray.pid, 'SIGKILL')
  }
  for (const entry of adopted) {
    entries.set(entry.replicaId, entry)
    options.ports.keep(entry.replicaId, entry.ports)
    shared.adopted.add(entry.replicaId)
  }
  keepJournal(shared)
  return adopted.map((entry) => ({
    replicaId: entry.replicaId,
    workload: entry.workload,
    version: entry.version,
    gpus: entry.gpus,
    graceSeconds: entry.graceSeconds,
    process: runningOf(entry, options.address),
  }))
}

function runningOf(entry: JournalEntry, address: string): RunningProcess {
  const { pid, startTime, startedAtMs, ports } = entry
  const addresses = Object.entries(ports).map(([name, port]) => [
    name,
    `${address}:${String(port)}`,
  ])
  return {
    ...{ pid, startTime, startedAtMs, ports },
    addresses: Object.fromEntries(addresses) as Record<string, string>,
  }
}

async function start(
  shared: Shared,
  launch: ReplicaLaunch,
  before: Readonly<Record<string, number>>,
): Promise<StartResult> {
  const { entries, options } = shared
  const { replicaId } = launch
  if (entries.has(replicaId)) return { failed: 'AlreadyRuns' }
  const names = launch.template.ports.map((port) => port.name)
  try {
    const ports = await options.ports.choose(replicaId, names, before)
    return await spawnReplica(shared, launch, ports)
  } catch (error) {
    return { failed: startFailure(launch, error) }
  } finally {
    if (!entries.has(replicaId)) options.ports.letGo(replicaId)
  }
}

function spawnReplica(
  shared: Shared,
  launch: ReplicaLaunch,
  ports: Record<string, number>,
): Promise<StartResult> {
  const { options, files } = shared
  const environment = replicaEnvironment(launch, ports, options)
  const [program = '', ...words] = expandCommand(launch.template.command ?? [], environment)
  const cwd = files.work(launch.replicaId)
  mkdirSync(cwd, { recursive: true })
  const child = withLog(files.log(launch.replicaId), (descriptor) =>
    unspared(() =>
      spawn(program, words, {
        cwd,
        env: environment,
        detached: true,
        stdio: ['ignore', descriptor, descriptor],
      }),
    ),
  )
  child.unref()
  const { pid } = child
  return new Promise((resolve) => {
    child.once('error', (error) => {
      resolve({ failed: startFailure(launch, error) })
    })
    if (pid === undefined) return
    const entry = record(shared, { launch, pid, ports })
    watchChild(shared, child, entry)
    child.once('spawn', () => {
      resolve({ started: runningOf(entry, options.address) })
    })
  })
}

function record(
  shared: Shared,
  spawned: { launch: ReplicaLaunch; pid: number; ports: Record<string, number> },
): JournalEntry {
  const { launch, pid, ports } = spawned
  const entry: JournalEntry = {
    replicaId: launch.replicaId,
    workload: launch.workload,
    version: launch.version,
    bootId: shared.options.bootId,
    pid,
    // One that is dead already leaves no start time; its exit is on its way to us.
    startTime: startTimeOf(pid) ?? 'ended',
    startedAtMs: Date.now(),
    ports,
    gpus: [...launch.gpus],
    graceSeconds: launch.graceSeconds,
  }
  shared.entries.set(entry.replicaId, entry)
  keepJournal(shared)
  return entry
}

function watchChild(shared: Shared, child: ChildProcess, entry: JournalEntry): void {
  child.once('exit', (code, signal) => {
    ended(shared, entry, {
      ...(code === null ? {} : { code }),
      ...(signal === null ? {} : { signal }),
    })
  })
}

function watchAdopted(shared: Shared): void {
  for (const replicaId of [...shared.adopted]) {
    const entry = shared.entries.get(replicaId)
    if (entry !== undefined && !isAlive(entry)) ended(shared, entry, {})
  }
}

function ended(shared: Shared, entry: JournalEntry, how: { code?: number; signal?: string }): void {
  if (shared.closed) return
  const { replicaId, pid } = entry
  shared.entries.delete(replicaId)
  shared.options.ports.letGo(replicaId)
  shared.adopted.delete(replicaId)
  endLeftovers(shared.options, entry)
  keepJournal(shared)
  shared.tellExit({ replicaId, pid, ...how })
}

type Whose = { readonly instanceId: string; readonly directory: string }

/** Children of the leader, in its group or fled from it: with the leader dead they are nobody's. */
function endLeftovers({ instanceId, directory }: Whose, { pid, replicaId }: JournalEntry): void {
  signalGroup(pid, 'SIGKILL')
  const left = processesOf({ instanceId, directory, replicaId })
  for (const own of left) signalPid(own.pid, 'SIGKILL')
}

function keepJournal(shared: Shared): void {
  writeJournal(shared.files.journal, shared.entries.values(), shared.options.log)
}

function signalReplica(target: ProcessTarget, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (isAlive(target)) signalGroup(target.pid, signal)
}

function startFailure(launch: ReplicaLaunch, error: unknown): string {
  const program = launch.template.command?.[0] ?? ''
  if (codeOf(error) === 'ENOENT') return `CommandNotFound: ${program}`
  if (codeOf(error) === 'EACCES') return `CommandNotExecutable: ${program}`
  return `StartFailed: ${describeError(error)}`
}

function rotateRegularly(shared: Shared): () => void {
  const { options, files, entries } = shared
  const limits = options.logLimits ?? DEFAULT_LOG_LIMITS
  let busy = false
  const look = async (): Promise<void> => {
    for (const replicaId of [...entries.keys()]) {
      try {
        await rotateLog(files.log(replicaId), limits)
      } catch (error) {
        options.log.warn(`a log cannot be rotated: ${describeError(error)}`, { replicaId })
      }
    }
  }
  const timer = setInterval(() => {
    if (busy) return
    busy = true
    void look().finally(() => {
      busy = false
    })
  }, options.logCheckMs ?? LIMITS.logCheckMs)
  return () => {
    clearInterval(timer)
  }
}
