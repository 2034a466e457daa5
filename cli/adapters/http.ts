/**
 * JSON over HTTP with patience: a time limit for each try, and more tries where repeating is safe.
 *
 * GET, PUT and DELETE say what should be, so they may be said again after a lost connection or a
 * gateway's 502, 503 or 504. POST is sent once: whether the first was carried out cannot be known.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { ApiRequest, ApiResponse, Http, Method } from '../api.ts'
import { ConnectionError, InterruptedError } from '../errors.ts'
import type { World } from '../world.ts'

export type HttpRequest = {
  readonly method: Method
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}
/** The headers to send: those given, and whatever proves who asks. */
export type Sign = (request: HttpRequest) => Promise<Readonly<Record<string, string>>>

export type HttpOptions = {
  readonly url: URL
  readonly world: Pick<World, 'clock' | 'fetch' | 'interrupted'>
  readonly sign?: Sign
  readonly timeoutMs?: number
}

const REPEATABLE: ReadonlySet<Method> = new Set(['GET', 'PUT', 'DELETE'])
const PASSING: ReadonlySet<number> = new Set([502, 503, 504])

export function makeHttp(options: HttpOptions): Http {
  return async (request) => {
    const tries = REPEATABLE.has(request.method) ? LIMITS.cliTries : 1
    for (let tried = 1; ; tried += 1) {
      const outcome = await once(request, options)
      const again = outcome instanceof Lost || PASSING.has(outcome.status)
      if (options.world.interrupted.aborted) throw new InterruptedError()
      if (!again || tried === tries) {
        if (outcome instanceof Lost) throw outcome.error
        return outcome
      }
      await options.world.clock.sleep(LIMITS.cliRetryFirstMs * 2 ** (tried - 1))
    }
  }
}

/** A try that got no answer. */
class Lost {
  readonly error: ConnectionError
  constructor(error: ConnectionError) {
    this.error = error
  }
}

async function once(request: ApiRequest, options: HttpOptions): Promise<ApiResponse | Lost> {
  const timeoutMs = options.timeoutMs ?? LIMITS.cliRequestTimeoutMs
  const timeout = AbortSignal.timeout(timeoutMs)
  const wire = wireRequest(request, options.url)
  // Signing is outside the try: credentials that cannot be had are not the network's fault.
  const headers = options.sign === undefined ? wire.headers : await options.sign(wire)
  try {
    const response = await options.world.fetch(wire.url, {
      method: wire.method,
      headers,
      redirect: 'error',
      signal: AbortSignal.any([timeout, options.world.interrupted]),
      ...(wire.body === undefined ? {} : { body: wire.body }),
    })
    return { status: response.status, body: bodyOf(await response.text()) }
  } catch (cause) {
    if (timeout.aborted) throw tooSlow(options.url, timeoutMs)
    return new Lost(unreachable(options.url, cause))
  }
}

function wireRequest(request: ApiRequest, base: URL): HttpRequest {
  const url = new URL(base)
  url.pathname = base.pathname.replace(/\/$/, '') + request.path
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  // Signatures count a space as %20, so it must travel as one.
  url.search = url.search.replaceAll('+', '%20')
  const body = request.body === undefined ? undefined : JSON.stringify(request.body)
  return {
    method: request.method,
    url,
    body,
    headers: {
      accept: 'application/json, application/problem+json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
  }
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function tooSlow(url: URL, timeoutMs: number): ConnectionError {
  return new ConnectionError({
    code: 'TimedOut',
    text: `${addressOf(url)} did not answer within ${String(timeoutMs / 1000)} s`,
    next: 'retry; the request may or may not have been carried out',
  })
}

function unreachable(url: URL, cause: unknown): ConnectionError {
  const code = systemCode(cause)
  return new ConnectionError({
    code: 'Unreachable',
    text: `no drover at ${addressOf(url)}${code === undefined ? '' : ` (${code})`}`,
    next: 'start one with npm start, or set DROVER_URL',
    cause,
  })
}

/** ECONNREFUSED and its like, however deep the runtime wraps it. */
function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  return systemCode(error.cause)
}

/** As the person gave it: no slash at the end, and no password on the screen. */
export function addressOf(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`
}
