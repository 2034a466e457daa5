/**
 * A check that comes as an image: its container has the whole machine to itself, and is gone when
 * it has ended.
 *
 * It sees every GPU, the machine's network and its shared memory, because it is there to try them;
 * nothing else of the machine, and no more rights than a replica. An engine that goes away under it
 * is no word on the machine, so that is thrown, and becomes INFRA.
 */
import { z } from 'zod'
import { LIMITS } from '#shared/model/limits.ts'
import type { Ended } from '../../checks/command.ts'
import { containerName, OWNER_LABEL, ownerOf, type Owner } from './container.ts'
import { framesOf, type Engine } from './engine.ts'
import type { Images } from './images.ts'

export type CheckRun = {
  /** Of the check: its container is named after it. */
  readonly name: string
  readonly image: string
  /** In place of what the image would run. */
  readonly command?: readonly string[] | undefined
  readonly timeoutMs: number
  readonly hasGpus: boolean
}

export type RunContainer = (run: CheckRun) => Promise<Ended>

type Means = { readonly engine: Engine; readonly images: Images; readonly owner: Owner }

const createdSchema = z.object({ Id: z.string() })
const endedSchema = z.object({ State: z.object({ ExitCode: z.int() }) })
const FORCE = { force: '1', v: '1' }

/** How it ended; throws DockerError where it could not be run, or nobody can tell. */
export async function runCheckContainer(means: Means, run: CheckRun): Promise<Ended> {
  const { engine, images, owner } = means
  const endMs = performance.now() + run.timeoutMs
  await images.have(run.image)
  const name = containerName(`check_${run.name}`, owner)
  const remove = (which: string) =>
    engine.ask('DELETE', `/containers/${which}`, { query: FORCE, expect: [404, 409] })
  // What an agent before this one has left of it, or an attempt before this one.
  await remove(name)
  const create = { query: { name }, body: bodyOf(run, owner), timeoutMs: LIMITS.dockerStartMs }
  const { body } = await engine.ask('POST', '/containers/create', create)
  const { Id: id } = createdSchema.parse(body)
  try {
    await engine.ask('POST', `/containers/${id}/start`, { timeoutMs: LIMITS.dockerStartMs })
    const isLate = !(await hasEnded(engine, id, Math.max(1, Math.ceil(endMs - performance.now()))))
    const said = await logsOf(engine, id)
    if (isLate) return { ...said, isLate }
    const seen = await engine.ask('GET', `/containers/${id}/json`)
    return { ...said, isLate, code: endedSchema.parse(seen.body).State.ExitCode }
  } finally {
    // By its id: another attempt may have taken the name by now.
    await remove(id)
  }
}

function bodyOf({ image, command, hasGpus }: CheckRun, owner: Owner): Record<string, unknown> {
  return {
    Image: image,
    ...(command === undefined ? {} : { Entrypoint: command, Cmd: [] }),
    Labels: { [OWNER_LABEL]: ownerOf(owner) },
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      ...{ NetworkMode: 'host', UsernsMode: 'host', IpcMode: 'host', Init: true },
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '1' } },
      ...(hasGpus ? { DeviceRequests: [ALL_GPUS] } : {}),
    },
  }
}

const ALL_GPUS = { Driver: 'nvidia', Count: -1, Capabilities: [['gpu']] }

/** False when its time is up first. */
async function hasEnded(engine: Engine, id: string, withinMs: number): Promise<boolean> {
  const signal = AbortSignal.timeout(withinMs)
  try {
    const onChunk = (): void => undefined
    await engine.follow('POST', `/containers/${id}/wait`, { signal, onChunk })
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}

async function logsOf(engine: Engine, id: string): Promise<Pick<Ended, 'stdout' | 'stderr'>> {
  const query = { stdout: '1', stderr: '1', tail: String(LIMITS.keptLogLines) }
  const chunks: Buffer[] = []
  await engine.follow('GET', `/containers/${id}/logs`, {
    ...{ query, timeoutMs: LIMITS.dockerCallMs },
    onChunk: (chunk) => chunks.push(chunk),
  })
  const frames = framesOf(Buffer.concat(chunks))
  const of = (stream: number): string =>
    frames.flatMap((own) => (own.stream === stream ? own.text : [])).join('')
  return { stdout: of(1), stderr: of(2) }
}
