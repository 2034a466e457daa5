/**
 * The laptop's EC2, whole: the world, its wire front, its processes, its journal, and real time.
 *
 * The world decides, the launcher obeys, the journal remembers both in one file, so that the two
 * can never disagree after a crash by more than the one spawn that was under way. The port must be
 * the same after a restart: running agents know the old one.
 */
import { mkdirSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { removeDirectory } from '#agent/adapters/files.ts'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { makeMemoryEc2, type MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import type {
  ControlOutcome,
  Ec2Event,
  Ec2Instance,
  Ec2Options,
} from '#shared/cloud/memory-ec2/types.ts'
import { openJournal, type AgentRecord } from './journal.ts'
import { endStrays, makeLauncher, type Launcher } from './launcher.ts'
import { startEc2Server } from './server.ts'

export type LocalEc2Options = {
  readonly stateDirectory: string
  readonly options: Ec2Options
  readonly agentCommand: readonly [string, ...string[]]
  readonly environmentOf: (instance: Ec2Instance) => Readonly<Record<string, string>>
  readonly onEvent: (event: Ec2Event) => void
  readonly log: Logger
  readonly port?: number
  readonly restartDelayMs?: number
}

export type LocalInstance = Ec2Instance & { readonly agentPid?: number }

export type LocalEc2 = {
  /** The endpoint for the EC2 and the Pricing client. */
  readonly url: string
  readonly world: MemoryEc2
  metadataUrl(instanceId: string): string
  /** What really runs, for `GET /local/instances`. */
  instances(): readonly LocalInstance[]
  /** Kills agent and replicas at once, and the instance with them. */
  kill(instanceId: string): ControlOutcome
  /** Freezes the agent; EC2 goes on calling the instance running. */
  hang(instanceId: string): ControlOutcome
  /** Ends every process; with `keepAgents` only stops serving, as a crash would. */
  close(options?: { keepAgents?: boolean }): Promise<void>
}

/** setTimeout's own limit. */
const TIMER_MAX_MS = 2 ** 31 - 1

export async function startLocalEc2(setup: LocalEc2Options): Promise<LocalEc2> {
  mkdirSync(setup.stateDirectory, { recursive: true })
  const stateDirectory = realpathSync(setup.stateDirectory)
  const journal = openJournal(join(stateDirectory, 'ec2.json'))
  const clock = (): number => Date.now()
  const save = (): void => {
    journal.write({ world: world.dump(), agents: [...launcher.agents()] })
  }
  let alarm = (): void => undefined
  const world = makeMemoryEc2({
    clock,
    options: setup.options,
    hooks: {
      onChange: () => {
        save()
        alarm()
      },
      onStart: (instance) => {
        launcher.start(instance)
      },
      onEnd: (instance) => {
        void launcher.end(instance)
      },
      onEvent: setup.onEvent,
    },
  })
  const last = journal.read()
  if (last !== undefined) world.restore(last.world)
  const { port = 0 } = setup
  const server = await startEc2Server({ world, clock, port })
  const launcher = makeLauncher({
    stateDirectory,
    agentCommand: setup.agentCommand,
    environmentOf: setup.environmentOf,
    metadataUrlOf: (instanceId) => server.metadataUrl(instanceId),
    onChange: save,
    log: setup.log,
    ...(setup.restartDelayMs === undefined ? {} : { restartDelayMs: setup.restartDelayMs }),
  })
  const up = world.instances().filter((instance) => instance.up)
  await launcher.restore(up, last?.agents ?? [])
  const timer = runWorld(world, { clock, log: setup.log })
  alarm = timer.set
  world.settle()
  timer.set()
  return {
    url: server.url,
    world,
    metadataUrl: (instanceId) => server.metadataUrl(instanceId),
    instances: () => instancesOf(world, launcher),
    kill: (instanceId) => world.kill(instanceId),
    hang: (instanceId) => hang(launcher, instanceId),
    close: async ({ keepAgents = false } = {}) => {
      timer.stop()
      await server.close()
      if (keepAgents) launcher.detach()
      else await launcher.close()
    },
  }
}

/**
 * Forgets a state directory's herd for `--fresh`: ends every process of it and removes what it
 * wrote. A journal that cannot be read is forgotten like any other.
 */
export async function forgetLocalEc2(directory: string, log: Logger): Promise<void> {
  mkdirSync(directory, { recursive: true })
  const stateDirectory = realpathSync(directory)
  const path = join(stateDirectory, 'ec2.json')
  await endStrays({ stateDirectory, log }, [], agentsOf(path, log))
  rmSync(path, { force: true })
  removeDirectory(join(stateDirectory, 'instances'))
}

function agentsOf(path: string, log: Logger): readonly AgentRecord[] {
  try {
    return openJournal(path).read()?.agents ?? []
  } catch (error) {
    log.warn('the journal is forgotten unread', { path, error: describeError(error) })
    return []
  }
}

/** Settles the world whenever something is due in it. */
function runWorld(
  world: MemoryEc2,
  { clock, log }: { clock: () => number; log: Logger },
): { set(): void; stop(): void } {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const set = (): void => {
    clearTimeout(timer)
    const dueMs = world.nextDueMs()
    if (stopped || dueMs === undefined) return
    const waitMs = Math.min(Math.max(0, dueMs - clock()), TIMER_MAX_MS)
    timer = setTimeout(() => {
      try {
        world.settle()
      } catch (error) {
        // A full disk must not take down the herd; what could not be kept is kept the next time.
        log.error('the state of EC2 cannot be kept', { error: describeError(error) })
      }
      set()
    }, waitMs)
  }
  const stop = (): void => {
    stopped = true
    clearTimeout(timer)
  }
  return { set, stop }
}

function instancesOf(world: MemoryEc2, launcher: Launcher): readonly LocalInstance[] {
  world.settle()
  const pids = new Map(
    launcher.agents().map(({ instanceId, process: agent }) => [instanceId, agent?.pid]),
  )
  return world.instances().map((instance) => {
    const agentPid = pids.get(instance.instanceId)
    return { ...instance, ...(agentPid === undefined ? {} : { agentPid }) }
  })
}

function hang(launcher: Launcher, instanceId: string): ControlOutcome {
  if (launcher.hang(instanceId)) return { done: true }
  return { done: false, code: 'NotFound', text: `no agent runs on ${instanceId}` }
}
