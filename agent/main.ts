/**
 * The agent as a process: `node agent/main.ts`, one on every node.
 *
 * It reads its environment (the table in settings.ts), learns who it is from instance metadata, and
 * runs the loop until it is told to end. SIGTERM and SIGINT end the agent alone: replicas run on
 * and are adopted by the next one. A service manager must therefore not kill the group (systemd:
 * `KillMode=process`).
 */
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '#shared/base/errors.ts'
import { makeLogger, type Logger } from '#shared/base/log.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { readGpus } from './adapters/checks/gpu.ts'
import { adoptTools, endTools } from './adapters/checks/run-tool.ts'
import { makeChecks } from './adapters/checks/checks.ts'
import { openDataCache, type ClosableCache } from './adapters/data/cache.ts'
import {
  agentFiles,
  readIfThere,
  readPersisted,
  writeAtomically,
  writeIfPossible,
} from './adapters/files.ts'
import { isRootless, waitForEngine } from './adapters/docker/engine.ts'
import { openRegistries } from './adapters/docker/registry.ts'
import {
  openDockerRuntime,
  type DockerRuntime,
  type DockerRuntimeOptions,
} from './adapters/docker-runtime.ts'
import { openEngineSilence, type EngineSilence } from './adapters/engine-silence.ts'
import { openWatch } from './adapters/health/watch.ts'
import { takeLock } from './adapters/lock.ts'
import { openMetadata, type Identity, type InstanceMetadata } from './adapters/metadata.ts'
import { openPortBook } from './adapters/ports-in-use.ts'
import { openProcessRuntime } from './adapters/process-runtime.ts'
import { joinRuntimes } from './adapters/runtimes.ts'
import { spaceOf, type Space } from './adapters/space.ts'
import { openTable } from './adapters/table.ts'
import { realTimers } from './adapters/timers.ts'
import { openUsage } from './adapters/usage.ts'
import { runAgent } from './driver.ts'
import type { AgentTable } from './ports.ts'
import { readSettings, type Settings } from './settings.ts'

const AGENT_VERSION = readVersion()

async function main(): Promise<void> {
  const settings = readSettings(process.env)
  const log = makeLogger((line) => process.stdout.write(`${line}\n`), settings.logLevel)
  const files = agentFiles(settings.directory)
  takeLock(files.lock, log)
  const bootId = settings.bootId ?? readBootId()
  const metadata = openMetadata({ url: settings.metadataUrl })
  const identity = await learnIdentity({ metadata, settings, bootId, log })
  if (identity === undefined) return

  const table = openTable({ table: settings.table, region: settings.region ?? identity.region })
  const { instanceId, arn } = identity
  const address = settings.address ?? identity.address
  const { directory } = settings
  const node = { instanceId, directory, environment: process.env }
  const shared = { ...node, address, ports: openPortBook(), log }
  adoptTools(settings.directory)
  const silence = openEngineSilence(files.silence, { bootId, log })
  const beat = (): (() => void) => beatMeanwhile(table, { arn, bootId })
  const { gpus, docker } = await openMachine(shared, settings, { silence, beat })
  const runtime = joinRuntimes(openProcessRuntime({ ...shared, bootId }), docker)
  const data = openData(settings, settings.region ?? identity.region, log)
  const end = (code: number): void => {
    agent.stop()
    endTools()
    data.close()
    runtime.close()
    table.close()
    process.exit(code)
  }
  const { powerOffAfterMs, headPollMs, metadataPollMs, faults, diskMib, kernelLog } = settings
  const { healthLookMs, diskFullPercent } = settings
  const persisted = readPersisted(files.state, log)
  const agent = runAgent(
    {
      timers: realTimers,
      ...{ table, metadata, runtime, data, log },
      runCheck: makeChecks({
        ...{ instanceId, faults, gpus, diskMib, kernelLog },
        ...{ path: files.check, endpoint: table.endpoint },
        ...(docker === undefined ? {} : { runContainer: docker.runCheck }),
        clockOffsetMs: () => table.clockOffsetMs(arn),
      }),
      lookAtHealth: openWatch({
        ...{ kernelLog, directory, diskFullPercent, gpus, log },
        takeClockOffsetMs: table.takeClockOffsetMs,
      }),
      measureUsage: openUsage({ used: runtime.used, log }),
      persist: (state) => {
        writeAtomically(files.state, JSON.stringify(state))
      },
      powerOff: () => {
        end(0)
      },
    },
    {
      settings: {
        ...{ arn, bootId, agentVersion: AGENT_VERSION },
        ...(gpus.length === 0 ? {} : { gpus: [...gpus] }),
        runtimes: docker === undefined ? ['process'] : ['process', 'docker'],
        ...(powerOffAfterMs === undefined ? {} : { powerOffAfterMs }),
      },
      ...{ headPollMs, metadataPollMs, healthLookMs },
      ...(persisted === undefined ? {} : { persisted }),
    },
  )
  endOnSignals(end, log)
}

function openData(settings: Settings, region: string, log: Logger): ClosableCache {
  const { dataDirectory, dataMaxPercent, dataFiles, s3Endpoint, diskFullPercent } = settings
  return openDataCache({
    ...{ directory: dataDirectory, allowFiles: dataFiles, log },
    ...{ maxPercent: dataMaxPercent, fullPercent: diskFullPercent },
    s3: { region, ...(s3Endpoint === undefined ? {} : { endpoint: s3Endpoint }) },
  })
}

function endOnSignals(end: (code: number) => void, log: Logger): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info('the agent ends; its replicas run on', { signal })
      end(0)
    })
  }
}

type Waiting = {
  readonly silence: EngineSilence
  /** Beats until the answer is called. */
  readonly beat: () => () => void
}

type Opened = {
  readonly gpus: Awaited<ReturnType<typeof readGpus>>
  readonly docker: DockerRuntime | undefined
}

/** Drivers and engines take their time to answer, and a machine that waits for them is not lost. */
async function openMachine(
  shared: Shared,
  settings: Settings,
  { silence, beat }: Waiting,
): Promise<Opened> {
  const stopBeats = silence.isKnown() ? undefined : beat()
  const gpus = await readGpus(shared.log)
  try {
    const docker = await openDocker(shared, settings)
    silence.forget()
    return { gpus, docker }
  } catch (error) {
    silence.note()
    throw error
  } finally {
    stopBeats?.()
  }
}

function beatMeanwhile(table: AgentTable, whose: { arn: string; bootId: string }): () => void {
  const beat = (): void => {
    table.writeBeat(whose).catch(() => undefined)
  }
  beat()
  const timer = setInterval(beat, LIMITS.beatEveryMs)
  return () => {
    clearInterval(timer)
  }
}

type Shared = Omit<DockerRuntimeOptions, 'engine' | 'credentialsFor' | 'space' | 'imagesMaxPercent'>

/** Undefined on a machine without an engine. One that is there and silent ends the agent. */
async function openDocker(
  shared: Shared,
  { dockerSocket: socket, imagesMaxPercent }: Settings,
): Promise<DockerRuntime | undefined> {
  // On a laptop that is no Linux the engine has a machine, and a network, of its own.
  if (process.platform !== 'linux' || !existsSync(socket)) return undefined
  const engine = await waitForEngine(socket, LIMITS.dockerWaitMs)
  if (await isRootless(engine)) {
    shared.log.warn(
      "containers cannot run here: a rootless engine does not share the machine's network",
    )
    return undefined
  }
  shared.log.info('containers run here too', { socket, version: engine.version })
  const space = (): Promise<Space> => spaceOf(shared.directory)
  const credentialsFor = openRegistries()
  return openDockerRuntime({ ...shared, engine, credentialsFor, space, imagesMaxPercent })
}

type Learn = {
  readonly metadata: InstanceMetadata
  readonly settings: Settings
  readonly bootId: string
  readonly log: Logger
}

/**
 * Asks until metadata answers; an agent that restarts within a boot knows the answer already and
 * need not wait. Undefined when metadata stayed silent for as long as the dead-man's switch allows.
 */
async function learnIdentity(learn: Learn): Promise<Identity | undefined> {
  const { metadata, settings, bootId, log } = learn
  const path = `${settings.directory}/identity.json`
  const known = rememberedIdentity(path, bootId)
  const startMs = performance.now()
  for (let pauseMs: number = LIMITS.agentRetryFirstMs; ; pauseMs *= 2) {
    try {
      const identity = await metadata.identity()
      writeIfPossible(path, JSON.stringify({ bootId, identity }), { what: 'the identity', log })
      return identity
    } catch (error) {
      log.warn(`identity: ${describeError(error)}`)
      if (known !== undefined) return known
      if (performance.now() - startMs >= (settings.powerOffAfterMs ?? Infinity)) {
        log.error('the agent ends itself', { reason: 'instance metadata never answered' })
        return undefined
      }
      await sleep(Math.min(pauseMs, LIMITS.metadataPollMs))
    }
  }
}

function rememberedIdentity(path: string, bootId: string): Identity | undefined {
  try {
    const stored = JSON.parse(readIfThere(path) ?? '{}') as { bootId?: string; identity?: Identity }
    return stored.bootId === bootId ? stored.identity : undefined
  } catch {
    return undefined
  }
}

function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

main().catch((error: unknown) => {
  process.stdout.write(`${JSON.stringify({ level: 'error', text: describeError(error) })}\n`)
  process.exit(1)
})
