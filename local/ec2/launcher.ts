/**
 * Runs one real agent process for each emulated instance whose operating system is up.
 *
 * It is the init system of a herd of pretended machines: it starts the agent at boot, starts it
 * again a second after it died by itself, and takes everything down with the instance. Agents are
 * processes of their own that outlive this one, so that a crash of the local drover is to them what
 * a crash of the control plane is to real nodes: after it, `restore` adopts those that match the
 * journal, starts those that are missing, and ends what belongs to nobody.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { removeDirectory } from '#agent/adapters/files.ts'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import type { Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import {
  isRunning,
  processesWith,
  seemsRunning,
  signalProcess,
  startTimeOf,
  type ProcessId,
} from '../processes.ts'
import { endContainers } from './instance-containers.ts'
import {
  agentDirectory,
  dataDirectory,
  endProcesses,
  instanceDirectory,
} from './instance-processes.ts'
import type { AgentRecord } from './journal.ts'

export type LauncherOptions = {
  /** An absolute path without links; marks every process of this herd. */
  readonly stateDirectory: string
  /** `[process.execPath, '…/agent/main.ts']` */
  readonly agentCommand: readonly [string, ...string[]]
  /** What the agent needs beside what the launcher itself sets. */
  readonly environmentOf: (instance: Ec2Instance) => Readonly<Record<string, string>>
  readonly metadataUrlOf: (instanceId: string) => string
  /** Called before a spawn, after it, and whenever else `agents()` has changed. */
  readonly onChange: () => void
  readonly log: Logger
  readonly restartDelayMs?: number
}

export type Launcher = {
  start(instance: Ec2Instance): void
  /** Kills the agent and every replica of the instance. */
  end(instance: Ec2Instance): Promise<void>
  /** Stops the agent where it stands, as a frozen machine does; false when none runs. */
  hang(instanceId: string): boolean
  /** What the journal keeps. */
  agents(): readonly AgentRecord[]
  /**
   * Takes over from a run that ended in whatever way; `up` are the instances that should have
   * agents.
   */
  restore(up: readonly Ec2Instance[], records: readonly AgentRecord[]): Promise<void>
  /** Ends every process it ever started. */
  close(): Promise<void>
  /** Stops watching and leaves the processes alone. */
  detach(): void
}

const RESTART_DELAY_MS = 1_000
const WATCH_EVERY_MS = 250
/** Without its emulator for this long, a machine that only pretends to be one ends itself. */
const POWER_OFF_AFTER_SECONDS = 120
/** An agent's log starts anew beyond this; the one before is kept. */
const LOG_MAX_BYTES = 10_000_000
/** What an agent and its replicas need of this process's own environment to find programs. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ'] as const

/** Looks like an agent that died at once: the watch tries again. */
const NEVER: ProcessId = { pid: -1, startTime: 'never' }

type Watched = { instance: Ec2Instance; record: AgentRecord; restartAtMs?: number | undefined }

export function makeLauncher(options: LauncherOptions): Launcher {
  const watched = new Map<string, Watched>()
  const ending = new Map<string, Promise<void>>()
  const watch = setInterval(() => {
    for (const own of watched.values()) lookSafely(options, own)
  }, WATCH_EVERY_MS)
  watch.unref()

  // A spawn stops this process for a moment, on a busy machine for a second. Machines that come up
  // together boot one a turn, or nobody here would be answered until the last of them has.
  let line = Promise.resolve()
  const bootInTurn = (own: Watched): void => {
    line = line
      .then(() => nextTurn())
      .then(() => {
        if (watched.get(own.instance.instanceId) === own) boot(options, own)
      })
      .catch((error: unknown) => {
        options.log.error('an agent did not start', { error: describeError(error) })
        own.record = { ...own.record, process: NEVER }
      })
  }
  const start = (instance: Ec2Instance): void => {
    const { instanceId } = instance
    const own: Watched = { instance, record: { instanceId, bootId: bootIdOf(instance) } }
    watched.set(instanceId, own)
    // A reboot: the processes of the boot before go first.
    const before = ending.get(instanceId) ?? Promise.resolve()
    void before.then(() => {
      bootInTurn(own)
    })
  }
  const end = (instance: Ec2Instance): Promise<void> => {
    const { instanceId } = instance
    const agent = watched.get(instanceId)?.record.process
    watched.delete(instanceId)
    const done = endInstance(options, instanceId, agent).finally(() => {
      // What else it wrote is kept for a look; its data may be large, and is nobody's any more.
      if (isGone(instance)) removeDirectory(dataDirectory(options.stateDirectory, instanceId))
      if (ending.get(instanceId) === done) ending.delete(instanceId)
      pruneDirectories(options, new Set(watched.keys()))
    })
    ending.set(instanceId, done)
    options.onChange()
    return done
  }
  return {
    start,
    end,
    hang: (instanceId) => {
      const agent = watched.get(instanceId)?.record.process
      return agent !== undefined && signalProcess(agent, 'SIGSTOP')
    },
    agents: () => [...watched.values()].map(({ record }) => record),
    restore: async (up, records) => {
      await endStrays(options, up, records)
      for (const instance of up) {
        // Ending strays takes a while: what went down since needs no agent.
        if (!instance.up) continue
        const record = adoptable(options, instance, records)
        if (record === undefined) start(instance)
        else watched.set(instance.instanceId, { instance, record })
      }
      options.onChange()
    },
    close: async () => {
      clearInterval(watch)
      await Promise.all([...watched.values()].map(({ instance }) => end(instance)))
      await Promise.all(ending.values())
    },
    detach: () => {
      clearInterval(watch)
      watched.clear()
    },
  }
}

function bootIdOf({ instanceId, bootNumber }: Ec2Instance): string {
  return `${instanceId}-boot-${String(bootNumber)}`
}

const isGone = ({ state }: Ec2Instance): boolean =>
  state === 'shutting-down' || state === 'terminated'

/** What ended machines leave behind is kept for a look, the youngest few of it. */
const KEPT_DIRECTORIES = 20

function pruneDirectories({ stateDirectory, log }: LauncherOptions, up: ReadonlySet<string>): void {
  const parent = dirname(instanceDirectory(stateDirectory, 'any'))
  try {
    const old = readdirSync(parent)
      .filter((instanceId) => !up.has(instanceId))
      .map((instanceId) => join(parent, instanceId))
      .map((path) => ({ path, atMs: statSync(path).mtimeMs }))
      .sort((a, b) => b.atMs - a.atMs)
    for (const { path } of old.slice(KEPT_DIRECTORIES)) removeDirectory(path)
  } catch (error) {
    log.warn('directories of ended machines stay', { error: describeError(error) })
  }
}

/** A full disk, or no process to be had, must not take down the herd. */
function lookSafely(options: LauncherOptions, own: Watched): void {
  try {
    look(options, own)
  } catch (error) {
    const { instanceId } = own.instance
    options.log.error('an agent cannot be started', { instanceId, error: describeError(error) })
    own.record = { ...own.record, process: own.record.process ?? NEVER }
  }
}

/** Starts the agent again a while after it went. */
function look(options: LauncherOptions, own: Watched): void {
  const agent = own.record.process
  if (agent === undefined || seemsRunning(agent)) return
  const nowMs = performance.now()
  if (own.restartAtMs === undefined) {
    own.restartAtMs = nowMs + (options.restartDelayMs ?? RESTART_DELAY_MS)
    options.log.warn('an agent ended by itself', { instanceId: own.instance.instanceId, ...agent })
  } else if (own.restartAtMs <= nowMs) {
    boot(options, own)
  }
}

/** Journal, spawn, journal. */
function boot(options: LauncherOptions, own: Watched): void {
  const { instanceId } = own.instance
  own.restartAtMs = undefined
  own.record = { instanceId, bootId: own.record.bootId }
  options.onChange()
  const agent = spawnAgent(options, own)
  if (agent === undefined) {
    own.record = { ...own.record, process: NEVER }
    return
  }
  own.record = { ...own.record, process: agent }
  options.onChange()
  options.log.info('agent started', { instanceId, pid: agent.pid })
}

function spawnAgent(options: LauncherOptions, own: Watched): ProcessId | undefined {
  const directory = instanceDirectory(options.stateDirectory, own.instance.instanceId)
  mkdirSync(agentDirectory(options.stateDirectory, own.instance.instanceId), { recursive: true })
  const output = openLog(join(directory, 'agent.log'))
  const [program, ...args] = options.agentCommand
  try {
    const child = spawn(program, args, {
      cwd: directory,
      detached: true,
      stdio: ['ignore', output, output],
      env: environmentOf(options, own),
    })
    child.on('error', (error) => {
      options.log.error('an agent did not start', { error: describeError(error) })
    })
    child.unref()
    const { pid } = child
    const startTime = pid === undefined ? undefined : startTimeOf(pid)
    return pid === undefined || startTime === undefined ? undefined : { pid, startTime }
  } finally {
    closeSync(output)
  }
}

function environmentOf(options: LauncherOptions, own: Watched): Record<string, string> {
  const { stateDirectory, metadataUrlOf } = options
  const { instanceId } = own.instance
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  })
  return {
    ...(Object.fromEntries(inherited) as Record<string, string>),
    ...options.environmentOf(own.instance),
    DROVER_STATE_DIR: stateDirectory,
    DROVER_INSTANCE_ID: instanceId,
    DROVER_METADATA_URL: metadataUrlOf(instanceId),
    DROVER_BOOT_ID: own.record.bootId,
    DROVER_AGENT_DIR: agentDirectory(stateDirectory, instanceId),
    DROVER_POWER_OFF_AFTER_SECONDS: String(POWER_OFF_AFTER_SECONDS),
  }
}

function openLog(path: string): number {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (bytes > LOG_MAX_BYTES) renameSync(path, `${path}.1`)
  return openSync(path, 'a')
}

async function endInstance(
  { stateDirectory, log }: Pick<LauncherOptions, 'stateDirectory' | 'log'>,
  instanceId: string,
  agent: ProcessId | undefined,
): Promise<void> {
  const ended = await endProcesses({ stateDirectory, instanceId, agent })
  await endContainers({ instanceId, directory: agentDirectory(stateDirectory, instanceId) }, log)
  if (!ended) log.error('processes of an ended instance still run', { instanceId })
}

/**
 * The running agent of this very boot: by the journal, or by its marks when it was cut off there.
 */
function adoptable(
  options: LauncherOptions,
  instance: Ec2Instance,
  records: readonly AgentRecord[],
): AgentRecord | undefined {
  const { instanceId } = instance
  const bootId = bootIdOf(instance)
  const record = records.find((own) => own.instanceId === instanceId && own.bootId === bootId)
  if (record?.process !== undefined && isRunning(record.process)) return record
  const marks = {
    DROVER_STATE_DIR: options.stateDirectory,
    DROVER_INSTANCE_ID: instanceId,
    DROVER_BOOT_ID: bootId,
  }
  const command = options.agentCommand.join('\0')
  const found = processesWith(marks).find((own) => own.command.join('\0') === command)
  if (found === undefined) return undefined
  return { instanceId, bootId, process: { pid: found.pid, startTime: found.startTime } }
}

/** Ends what runs for instances that are not up, or for a boot that is over. */
export async function endStrays(
  options: Pick<LauncherOptions, 'stateDirectory' | 'log'>,
  up: readonly Ec2Instance[],
  records: readonly AgentRecord[],
): Promise<void> {
  const bootIds = new Map(up.map((instance) => [instance.instanceId, bootIdOf(instance)]))
  const strays = new Map<string, ProcessId | undefined>()
  for (const { instanceId, bootId, process: agent } of records) {
    if (bootIds.get(instanceId) !== bootId) strays.set(instanceId, agent)
  }
  for (const { environment } of processesWith({ DROVER_STATE_DIR: options.stateDirectory })) {
    const { DROVER_INSTANCE_ID: instanceId, DROVER_BOOT_ID: bootId } = environment
    if (instanceId === undefined) continue
    const current = bootIds.get(instanceId)
    if (current !== undefined && (bootId === undefined || bootId === current)) continue
    strays.set(instanceId, strays.get(instanceId))
  }
  await Promise.all([...strays].map(([id, agent]) => endInstance(options, id, agent)))
}
