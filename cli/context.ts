/**
 * Binds a command's context: the API at its address, and where lines go.
 */
import { LIMITS } from '#shared/model/limits.ts'
import { addressOf, makeHttp } from './adapters/http.ts'
import { gatewayRegion, makeSign } from './adapters/sign.ts'
import { makeApi } from './api.ts'
import type { Context } from './command.ts'
import { UsageError } from './errors.ts'
import type { Globals } from './program.ts'
import { harmless, paintFor } from './render/paint.ts'
import type { World } from './world.ts'

export const DEFAULT_URL = 'http://127.0.0.1:8787'

export function makeContext(world: World, { url: given, json }: Globals): Context {
  const url = urlFrom(given ?? world.env['DROVER_URL'] ?? '')
  const region = gatewayRegion(url)
  const sign =
    region === undefined ? {} : { sign: makeSign({ region, now: () => world.clock.now() }) }
  const http = makeHttp({ url, world, timeoutMs: timeoutFrom(world), ...sign })
  const line = (text: string): void => {
    world.out.write(`${harmless(text)}\n`)
  }
  return {
    world,
    api: makeApi(http),
    url: addressOf(url),
    json,
    style: {
      paint: paintFor(world.env, world.out.isTty),
      width: world.out.isTty ? world.out.columns : undefined,
    },
    line,
    note: (text) => {
      world.err.write(`${harmless(text)}\n`)
    },
    show: (body, lines) => {
      if (json) world.out.write(`${JSON.stringify(body, undefined, 2)}\n`)
      else for (const text of lines()) line(text)
    },
    next: (text) => {
      if (!json) line(`next: ${text}`)
    },
  }
}

function urlFrom(text: string): URL {
  const url = URL.parse(text === '' ? DEFAULT_URL : text)
  if (url !== null && url.username + url.password !== '') {
    const next = 'leave them out: on AWS drover signs its requests with your credentials'
    throw new UsageError('the URL of drover holds a user or a password', next)
  }
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new UsageError(`"${text}" is no http or https URL`, 'set DROVER_URL, or give --url')
}

function timeoutFrom({ env }: World): number {
  const text = env['DROVER_TIMEOUT_SECONDS'] ?? ''
  if (text === '') return LIMITS.cliRequestTimeoutMs
  const seconds = Number(text)
  if (seconds > 0 && seconds <= 600) return seconds * 1000
  throw new UsageError(`DROVER_TIMEOUT_SECONDS: "${text}" is no number of seconds up to 600`)
}
