/**
 * Runs replicas as containers of a Docker Engine, which keeps them while the agent is away.
 *
 * A container is named after its replica, so making it twice is found out, and its labels say all
 * that an agent needs that comes back and knows nothing. The engine itself may restart under a
 * replica: an answer that breaks off says nothing of the container, and is asked for again until
 * the engine says what became of it.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { ProbeRequest, ProcessTarget, ReplicaLaunch } from '../effects.ts'
import { DockerError } from '../errors.ts'
import type { AdoptedProcess, RunningProcess } from '../events.ts'
import type { Exit, Runtime, StartResult } from '../ports.ts'
import type { Used } from '../usage.ts'
import {
  containerEnvironment,
  containerName,
  containerOf,
  factsOf,
  ownedBy,
  type ContainerFacts,
  type Owner,
} from './docker/container.ts'
import { runCheckContainer, type RunContainer } from './docker/check-container.ts'
import { textOfFrames, type Engine } from './docker/engine.ts'
import { openImageRoom } from './docker/image-room.ts'
import { openImages, type CredentialsFor, type Images } from './docker/images.ts'
import { usedByContainers } from './docker/stats.ts'
import { agentFiles, type AgentFiles } from './files.ts'
import { expandCommand, type NodeFacts } from './launch.ts'
import { rotateLog } from './logs.ts'
import type { PortBook } from './ports-in-use.ts'
import { probeNetwork } from './probes.ts'
import type { Space } from './space.ts'

export type DockerRuntimeOptions = NodeFacts & {
  readonly engine: Engine
  readonly credentialsFor: CredentialsFor
  readonly space: () => Promise<Space>
  /** Images that nobody uses go from a fuller disk; 100 for a machine that is not drover's own. */
  readonly imagesMaxPercent: number
  /** What replicas are reached at. */
  readonly address: string
  readonly ports: PortBook
  readonly log: Logger
}

export type DockerRuntime = Runtime & {
  /** What its containers have used so far. */
  used(): Promise<readonly Used[]>
  readonly runCheck: RunContainer
  /** Stops watching; the containers run on. */
  close(): void
}

/** What marks a process as a container's: its start time begins so. */
const MARK = 'docker:'

export const isContainer = ({ startTime }: Pick<ProcessTarget, 'startTime'>): boolean =>
  startTime.startsWith(MARK)

const idOf = ({ startTime }: Pick<ProcessTarget, 'startTime'>): string =>
  startTime.slice(MARK.length)

type Shared = {
  readonly options: DockerRuntimeOptions
  readonly files: AgentFiles
  readonly images: Images
  readonly adopted: readonly AdoptedProcess[]
  readonly over: AbortController
  tellExit: (exit: Exit) => void
}

/** Finds the containers of earlier agents first; throws DockerError where the engine is silent. */
export async function openDockerRuntime(options: DockerRuntimeOptions): Promise<DockerRuntime> {
  const { engine, credentialsFor, imagesMaxPercent: maxPercent, space, log } = options
  const room = openImageRoom({ engine, space, maxPercent, log })
  const shared: Shared = {
    ...{ options, files: agentFiles(options.directory), over: new AbortController() },
    images: openImages({ engine, credentialsFor, room }),
    adopted: await findContainers(options),
    tellExit: () => undefined,
  }
  return {
    adopt: () => {
      for (const { replicaId, process } of shared.adopted) {
        options.ports.keep(replicaId, process.ports)
        watch(shared, replicaId, process)
      }
      return shared.adopted
    },
    start: (launch, ports) => start(shared, launch, ports),
    signal: (target, signal) => {
      void tell(shared, idOf(target), signal)
    },
    onExit: (listener) => {
      shared.tellExit = listener
    },
    probe: (request) => probe(shared, request),
    runCheck: (run) => runCheckContainer({ engine, images: shared.images, owner: options }, run),
    cleanUp: async (replicaId) => {
      await remove(shared, containerName(replicaId, options), replicaId)
      options.ports.letGo(replicaId)
    },
    used: () => usedByContainers(options),
    close: () => {
      shared.over.abort()
    },
  }
}

/** Until it is heard: an engine that restarts just then must not cost the replica its grace. */
async function tell({ options, over }: Shared, id: string, signal: string): Promise<void> {
  const call = { query: { signal }, expect: [404, 409] }
  for (let tried = 1; !over.signal.aborted; tried += 1) {
    try {
      await options.engine.ask('POST', `/containers/${id}/kill`, call)
      return
    } catch (error) {
      options.log.warn(`a container was not told to end: ${describeError(error)}`)
      if (tried === LIMITS.dockerSignalTries) return
      await sleep(LIMITS.agentRetryFirstMs)
    }
  }
}

const listedSchema = z.array(
  z.object({ Id: z.string(), State: z.string(), Labels: z.record(z.string(), z.string()) }),
)

async function findContainers(options: DockerRuntimeOptions): Promise<AdoptedProcess[]> {
  const { engine, log } = options
  const { body } = await engine.ask('GET', '/containers/json', { query: ownedBy(options) })
  const found: AdoptedProcess[] = []
  for (const { Id, State, Labels } of listedSchema.parse(body)) {
    const facts = factsOf(Labels)
    const seen = State === 'running' && facts ? await inspect(engine, Id) : undefined
    if (facts !== undefined && seen?.State.Running === true) {
      const { replicaId, workload, version, gpus, graceSeconds } = facts
      const process = runningOf({ id: Id, seen, facts, options })
      found.push({ replicaId, workload, version, gpus, graceSeconds, process })
      continue
    }
    log.info('a container that has ended is removed', { container: Id.slice(0, 12) })
    await remove({ options, files: agentFiles(options.directory) }, Id, facts?.replicaId ?? Id)
  }
  return found
}

const FORCE = { force: '1', v: '1' }

/** Ends every container of an agent that is gone with its machine. */
export async function removeContainers(engine: Engine, owner: Owner): Promise<void> {
  const { body } = await engine.ask('GET', '/containers/json', { query: ownedBy(owner) })
  for (const { Id } of listedSchema.parse(body)) {
    await engine.ask('DELETE', `/containers/${Id}`, { query: FORCE, expect: [404, 409] })
  }
}

const inspectedSchema = z.object({
  State: z.object({
    Running: z.boolean(),
    Pid: z.int(),
    ExitCode: z.int(),
    OOMKilled: z.boolean().default(false),
    StartedAt: z.string(),
  }),
})
type Inspected = z.infer<typeof inspectedSchema>

/** Undefined where there is no such container. */
async function inspect(engine: Engine, id: string): Promise<Inspected | undefined> {
  const answer = await engine.ask('GET', `/containers/${id}/json`, { expect: [404] })
  return answer.status === 404 ? undefined : inspectedSchema.parse(answer.body)
}

type Found = {
  readonly id: string
  readonly seen: Inspected
  readonly facts: Pick<ContainerFacts, 'ports'>
  readonly options: Pick<DockerRuntimeOptions, 'address'>
}

function runningOf({ id, seen, facts, options }: Found): RunningProcess {
  const { ports } = facts
  const addresses = Object.entries(ports).map(([name, port]): [string, string] => [
    name,
    `${options.address}:${String(port)}`,
  ])
  const startedAtMs = Date.parse(seen.State.StartedAt)
  return {
    ...{ pid: seen.State.Pid, startTime: `${MARK}${id}`, ports },
    startedAtMs: Number.isFinite(startedAtMs) ? startedAtMs : Date.now(),
    addresses: Object.fromEntries(addresses),
  }
}

async function start(
  shared: Shared,
  launch: ReplicaLaunch,
  before: Readonly<Record<string, number>>,
): Promise<StartResult> {
  const { options, images } = shared
  const { replicaId, template } = launch
  const name = containerName(replicaId, options)
  try {
    await images.have(template.image ?? '')
    const names = template.ports.map((port) => port.name)
    const ports = await options.ports.choose(replicaId, names, before)
    const started = await run(shared, { name, launch, ports })
    watch(shared, replicaId, started)
    return { started }
  } catch (error) {
    options.ports.letGo(replicaId)
    await remove(shared, name, replicaId).catch(() => undefined)
    return { failed: startFailure(error) }
  }
}

type Run = {
  readonly name: string
  readonly launch: ReplicaLaunch
  readonly ports: Record<string, number>
}

const createdSchema = z.object({ Id: z.string() })

async function run(shared: Shared, { name, launch, ports }: Run): Promise<RunningProcess> {
  const { options } = shared
  const { engine } = options
  const body = containerOf(launch, ports, options)
  const create = { query: { name }, body, timeoutMs: LIMITS.dockerStartMs, expect: [409] }
  let created = await engine.ask('POST', '/containers/create', create)
  if (created.status === 409) {
    // Its last run, or one that an agent began and did not live to see.
    await remove(shared, name, launch.replicaId)
    created = await engine.ask('POST', '/containers/create', { ...create, expect: [] })
  }
  const { Id: id } = createdSchema.parse(created.body)
  const go = { timeoutMs: LIMITS.dockerStartMs, expect: [304] }
  await engine.ask('POST', `/containers/${id}/start`, go)
  const seen = await inspect(engine, id)
  if (seen === undefined)
    throw new DockerError({ text: 'the container is gone', next: 'try again' })
  return runningOf({ id, seen, facts: { ports }, options })
}

/** Removes the container, if it is there, and keeps the end of what it said. */
async function remove(
  { options, files }: Pick<Shared, 'options' | 'files'>,
  name: string,
  replicaId: string,
): Promise<void> {
  const { engine, log } = options
  const query = { stdout: '1', stderr: '1', tail: String(LIMITS.keptLogLines) }
  const chunks: Buffer[] = []
  await engine
    .follow('GET', `/containers/${name}/logs`, {
      ...{ query, timeoutMs: LIMITS.dockerCallMs },
      onChunk: (chunk) => chunks.push(chunk),
    })
    .then(() => {
      mkdirSync(files.logs, { recursive: true })
      writeFileSync(files.log(replicaId), textOfFrames(Buffer.concat(chunks)), { flag: 'a' })
      return rotateLog(files.log(replicaId), LOG_LIMITS)
    })
    .catch((error: unknown) => {
      if (!isMissing(error)) log.warn(`a container's log is lost: ${describeError(error)}`)
    })
  await engine.ask('DELETE', `/containers/${name}`, { query: FORCE, expect: [404, 409] })
  for (let tried = 0; tried < LIMITS.dockerRemoveTries; tried += 1) {
    if ((await inspect(engine, name)) === undefined) return
    await sleep(LIMITS.dockerRemovePollMs)
  }
}

const LOG_LIMITS = { maxBytes: LIMITS.logFileMaxBytes, keptFiles: LIMITS.logFilesKept }

const isMissing = (error: unknown): boolean => error instanceof DockerError && error.status === 404

/** Waits for its end, however often the engine itself comes and goes meanwhile. */
function watch(shared: Shared, replicaId: string, { pid, startTime }: RunningProcess): void {
  const { options, over } = shared
  const id = idOf({ startTime })
  const say = (seen: Inspected | undefined): void => {
    options.ports.letGo(replicaId)
    shared.tellExit({ replicaId, pid, ...howEnded(seen) })
  }
  const ended = async (): Promise<void> => {
    for (let failures = 0; ;) {
      try {
        await options.engine.follow('POST', `/containers/${id}/wait`, {
          signal: over.signal,
          onChunk: () => undefined,
        })
        const seen = await inspect(options.engine, id)
        if (seen?.State.Running === true) continue
        if (over.signal.aborted) return
        say(seen)
        return
      } catch (error) {
        if (over.signal.aborted) return
        if (isMissing(error)) {
          say(undefined)
          return
        }
        if (failures === 0) options.log.warn(`a container is not seen: ${describeError(error)}`)
        failures += 1
        await sleep(Math.min(LIMITS.agentRetryFirstMs * 2 ** failures, LIMITS.agentRetryMaxMs))
      }
    }
  }
  void ended()
}

const KILLED = 137
const TERMINATED = 143

/** The engine tells no signals, but these two codes are how it says them. */
function howEnded(seen: Inspected | undefined): Pick<Exit, 'code' | 'signal' | 'reason'> {
  if (seen === undefined) return {}
  const { ExitCode: code, OOMKilled } = seen.State
  if (code === KILLED && OOMKilled) return { signal: 'SIGKILL', reason: 'OutOfMemory' }
  if (code === KILLED) return { signal: 'SIGKILL' }
  return code === TERMINATED ? { signal: 'SIGTERM' } : { code }
}

async function probe(shared: Shared, request: ProbeRequest): Promise<boolean> {
  const { health, addresses, launch, ports } = request
  const command = health.exec?.command
  if (command === undefined) return probeNetwork({ health, addresses })
  const environment = containerEnvironment(launch, ports, shared.options)
  const words = expandCommand(command, environment)
  const name = containerName(request.replicaId, shared.options)
  return execIn(shared.options.engine, name, { words, timeoutMs: health.timeoutSeconds * 1000 })
}

const execSchema = z.object({ ExitCode: z.int().nullable(), Pid: z.int(), Running: z.boolean() })

type Exec = { readonly words: readonly string[]; readonly timeoutMs: number }

/** True where the command ends with 0 in time. One that does not is ended: nobody else would. */
async function execIn(engine: Engine, name: string, { words, timeoutMs }: Exec): Promise<boolean> {
  try {
    const body = { Cmd: words, AttachStdout: true, AttachStderr: true }
    const made = await engine.ask('POST', `/containers/${name}/exec`, { body, timeoutMs })
    const path = `/exec/${createdSchema.parse(made.body).Id}`
    const flow = { body: { Detach: false, Tty: false }, timeoutMs, onChunk: () => undefined }
    const isLate = await engine.follow('POST', `${path}/start`, flow).then(
      () => false,
      () => true,
    )
    const seen = execSchema.parse((await engine.ask('GET', `${path}/json`)).body)
    if (isLate && seen.Running && seen.Pid > 0) process.kill(seen.Pid, 'SIGKILL')
    return !isLate && seen.ExitCode === 0
  } catch {
    return false
  }
}

/** By words: the engine has the same status for many faults. */
function startFailure(error: unknown): string {
  const said = error instanceof DockerError ? (error.said ?? error.message) : describeError(error)
  if (/^Image\w+: /.test(said)) return said
  if (/no command specified/i.test(said)) return 'CommandMissing: the image has none of its own'
  if (/executable file not found|no such file or directory/i.test(said)) {
    return `CommandNotFound: ${said}`
  }
  if (/permission denied/i.test(said)) return `CommandNotExecutable: ${said}`
  if (/could not select device driver|nvidia/i.test(said)) return `NoGpuRuntime: ${said}`
  return `StartFailed: ${said}`
}
