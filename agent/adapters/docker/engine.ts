/**
 * The Docker Engine's HTTP API over its socket: only what an agent needs of it.
 *
 * Each call has a connection and a hard end of its own. The version is agreed on anew by whoever
 * opens it, because no single one is spoken by all engines in use: 20.10 knows none above 1.41, and
 * 29.0 none below 1.44. Source: Docker Engine API, versions 1.41 to 1.51.
 */
import { request, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { LIMITS } from '#shared/model/limits.ts'
import { DockerError } from '../../errors.ts'

export type Method = 'HEAD' | 'GET' | 'POST' | 'DELETE'

export type Call = {
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** For the whole call; without it, `LIMITS.dockerCallMs`. */
  readonly timeoutMs?: number
  /** Statuses from 300 on that are an answer as good as another. */
  readonly expect?: readonly number[]
}

export type Answer = { readonly status: number; readonly body: unknown }

export type Flow = Call & {
  /** The longest silence between two pieces. */
  readonly idleMs?: number
  readonly onChunk: (chunk: Buffer) => void
  readonly signal?: AbortSignal
}

export type Engine = {
  readonly version: string
  /** Throws DockerError for a status that is not expected, and where there is no answer. */
  ask(method: Method, path: string, call?: Call): Promise<Answer>
  /** As `ask`, but piece by piece, and for as long as it takes. Resolves at its end. */
  follow(method: Method, path: string, flow: Flow): Promise<void>
}

const NEWEST = '1.51'
const OLDEST = '1.41'

/** Throws DockerError where no engine answers at the socket, or only one that is too old. */
export async function openEngine(socketPath: string): Promise<Engine> {
  const ping = await send({ socketPath, method: 'HEAD', path: '/_ping' })
  ping.resume()
  const offered = String(ping.headers['api-version'] ?? '')
  const version = isBefore(offered, NEWEST) ? offered : NEWEST
  if (!/^1\.\d+$/.test(offered) || isBefore(version, OLDEST)) {
    const text = `the Docker Engine speaks version ${offered} of its API, ${OLDEST} is needed`
    throw new DockerError({ text, next: 'install Docker 20.10 or newer' })
  }
  const path = (own: string): string => `/v${version}${own}`
  return {
    version,
    ask: (method, own, call = {}) => ask({ socketPath, method, path: path(own), ...call }),
    follow: (method, own, flow) => follow({ socketPath, method, path: path(own), ...flow }),
  }
}

/** Minor versions are numbers: 1.9 is before 1.41. */
function isBefore(a: string, b: string): boolean {
  return Number(a.split('.')[1]) < Number(b.split('.')[1])
}

type Sent = Call & {
  readonly socketPath: string
  readonly method: Method
  readonly path: string
  readonly signal?: AbortSignal
}

async function ask(sent: Sent): Promise<Answer> {
  const timeoutMs = sent.timeoutMs ?? LIMITS.dockerCallMs
  const response = await send({ ...sent, signal: AbortSignal.timeout(timeoutMs) })
  const text = await read(response, sent)
  const status = response.statusCode ?? 0
  if (status >= 300 && !(sent.expect?.includes(status) ?? false)) throw refused(sent, status, text)
  return { status, body: parsed(text) }
}

async function follow(sent: Sent & Flow): Promise<void> {
  const { onChunk, idleMs, timeoutMs, signal } = sent
  const ends = new AbortController()
  const signals = [ends.signal, ...(signal === undefined ? [] : [signal])]
  if (timeoutMs !== undefined) signals.push(AbortSignal.timeout(timeoutMs))
  const ended = AbortSignal.any(signals)
  const response = await send({ ...sent, signal: ended })
  const status = response.statusCode ?? 0
  if (status >= 300) throw refused(sent, status, await read(response, sent))
  let idle: NodeJS.Timeout | undefined
  const heard = (): void => {
    clearTimeout(idle)
    if (idleMs === undefined) return
    idle = setTimeout(() => {
      ends.abort(new Error(`silent for ${String(idleMs)} ms`))
    }, idleMs)
  }
  try {
    heard()
    for await (const chunk of response) {
      heard()
      onChunk(chunk as Buffer)
    }
    // A stream that was broken off by us ends like any other.
    ended.throwIfAborted()
  } catch (cause) {
    throw broken(sent, cause)
  } finally {
    clearTimeout(idle)
  }
}

function send(sent: Sent): Promise<IncomingMessage> {
  const { socketPath, method, path, query, body, headers, signal } = sent
  const search = new URLSearchParams(query).toString()
  const data = body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const call = request(
      {
        ...{ socketPath, method, path: search === '' ? path : `${path}?${search}`, agent: false },
        headers: {
          host: 'docker',
          ...(data === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) }),
          ...headers,
        },
        signal: signal ?? AbortSignal.timeout(LIMITS.dockerCallMs),
      },
      resolve,
    )
    call.once('error', (cause) => {
      reject(broken(sent, cause))
    })
    call.end(data)
  })
}

async function read(response: IncomingMessage, sent: Sent): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer)
  } catch (cause) {
    throw broken(sent, cause)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** An engine answers in JSON, but for what its router says itself. */
function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return text
  }
}

function refused({ method, path }: Sent, status: number, text: string): DockerError {
  const body = parsed(text)
  const isTold = typeof body === 'object' && body !== null && 'message' in body
  const message = isTold ? String(body.message) : text.trim()
  return new DockerError({
    text: `${method} ${path}: ${message}`,
    ...{ status, said: message },
    next: 'the agent tries again; see the log of dockerd',
  })
}

function broken({ method, path }: Sent, cause: unknown): DockerError {
  return new DockerError({
    text: `${method} ${path}: the Docker Engine does not answer`,
    cause,
    next: 'the agent tries again; is dockerd running, and may the agent use its socket?',
  })
}

/** The engine at the socket, once it answers; throws DockerError when it has not for so long. */
export async function waitForEngine(socketPath: string, waitMs: number): Promise<Engine> {
  const endMs = performance.now() + waitMs
  for (let pauseMs = LIMITS.agentRetryFirstMs; ; pauseMs *= 2) {
    try {
      return await openEngine(socketPath)
    } catch (error) {
      if (performance.now() + pauseMs > endMs) throw error
      await sleep(Math.min(pauseMs, LIMITS.agentRetryMaxMs))
    }
  }
}

const infoSchema = z.object({ SecurityOptions: z.array(z.string()).nullish() })

/** True for an engine that runs as no root: its `host` network is one of its own. */
export async function isRootless(engine: Engine): Promise<boolean> {
  const { SecurityOptions } = infoSchema.parse((await engine.ask('GET', '/info')).body)
  return SecurityOptions?.some((own) => own.includes('name=rootless')) ?? false
}

const FRAME_HEAD_BYTES = 8

type Frame = {
  /** 1 for what was said, 2 for what was complained of. */
  readonly stream: number
  readonly text: string
}

/** What stands in a stream of frames: a byte for which stream, three of nothing, a length, text. */
export function framesOf(bytes: Buffer): readonly Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at + FRAME_HEAD_BYTES <= bytes.length;) {
    const length = bytes.readUInt32BE(at + 4)
    const from = at + FRAME_HEAD_BYTES
    const text = bytes.subarray(from, from + length).toString('utf8')
    frames.push({ stream: bytes.readUInt8(at), text })
    at = from + length
  }
  return frames
}

export function textOfFrames(bytes: Buffer): string {
  return framesOf(bytes)
    .map((own) => own.text)
    .join('')
}
