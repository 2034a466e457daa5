/**
 * What a request brings along, read carefully: its body, its page, its If-Match.
 *
 * Nothing here trusts the client. A body is counted while it is read, for its declared length may
 * lie; a reader answers either a value or the problem to send back.
 */
import type { z } from 'zod'
import { LIMITS } from '#shared/model/limits.ts'
import { parseBody, screen } from '#shared/protocol/body.ts'
import { faultsOf } from '#shared/protocol/faults.ts'
import { invalid, problem } from './problem.ts'

export type Read<T> = { ok: true; value: T } | { ok: false; response: Response }

const JSON_TYPE = /^application\/([\w.+-]+\+)?json\s*(;|$)/i

/** The body as JSON; `undefined` when there is none. */
export async function readBody(request: Request): Promise<Read<unknown>> {
  const declared = Number(request.headers.get('content-length') ?? 0)
  if (declared > LIMITS.bodyDrainMaxBytes) return refuse(tooLarge())
  const bytes = await readCapped(request)
  if (bytes === undefined) return refuse(tooLarge())
  const type = request.headers.get('content-type') ?? 'nothing'
  if (bytes.byteLength > 0 && !JSON_TYPE.test(type)) return refuse(notJson(type))
  const parsed = parseBody(bytes)
  if (parsed.ok) return parsed
  return refuse(problem({ status: 400, ...parsed.fault }))
}

/** As readBody, for requests that mean nothing without one. */
export async function readNeededBody(request: Request): Promise<Read<unknown>> {
  const body = await readBody(request)
  if (!body.ok || body.value !== undefined) return body
  return refuse(
    problem({ status: 400, code: 'MalformedJson', detail: 'the body is empty; it must be JSON' }),
  )
}

/** The body checked against a request schema; an absent one counts as `{}`. */
export async function readRequest<T extends z.ZodType>(
  request: Request,
  schema: T,
): Promise<Read<z.infer<T>>> {
  const body = await readBody(request)
  if (!body.ok) return body
  const bad = screen(body.value)
  if (bad.length > 0) return refuse(invalid(bad))
  const parsed = schema.safeParse(body.value ?? {}, { reportInput: true })
  if (parsed.success) return { ok: true, value: parsed.data }
  return refuse(invalid(faultsOf(parsed.error.issues, schema)))
}

/**
 * The bytes, or undefined for too many. Those are still taken in and thrown away, up to a limit: a
 * client that is cut off while it sends may never see why.
 */
async function readCapped(request: Request): Promise<Uint8Array | undefined> {
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let total = 0
  for await (const chunk of request.body as AsyncIterable<Uint8Array>) {
    total += chunk.byteLength
    if (total > LIMITS.bodyDrainMaxBytes) return undefined
    if (total <= LIMITS.bodyMaxBytes) chunks.push(chunk)
  }
  return total > LIMITS.bodyMaxBytes ? undefined : Buffer.concat(chunks)
}

function tooLarge(): Response {
  return problem({
    status: 413,
    code: 'TooLarge',
    detail: `the body must have at most ${String(LIMITS.bodyMaxBytes)} bytes`,
  })
}

function notJson(type: string): Response {
  return problem({
    status: 415,
    code: 'NotJson',
    detail: `the content-type must be application/json, not ${type.slice(0, 100)}`,
    headers: { accept: 'application/json' },
  })
}

export type PageQuery = { limit: number; after?: string }

/** `limit` and `after` of a list. */
export function readPage(query: (name: string) => string | undefined): Read<PageQuery> {
  const limit = query('limit') ?? String(LIMITS.pageDefaultItems)
  const count = /^\d{1,4}$/.test(limit) ? Number(limit) : 0
  if (count < 1 || count > LIMITS.pageMaxItems) {
    return refuse(
      badQuery('limit', `must be 1 to ${String(LIMITS.pageMaxItems)}, not ${quoted(limit)}`),
    )
  }
  const after = readCursor(query('after'))
  if (!after.ok) return after
  return { ok: true, value: { limit: count, ...(after.value ? { after: after.value } : {}) } }
}

/** Longer than any name or id that a page ends with. */
const CURSOR_MAX_CHARS = 200

function readCursor(after: string | undefined): Read<string | undefined> {
  if (after === undefined || (after.length <= CURSOR_MAX_CHARS && /^[\x20-\x7e]*$/.test(after))) {
    return { ok: true, value: after }
  }
  return refuse(badQuery('after', `must be the next of an earlier page, not ${quoted(after)}`))
}

/** A switch in the query: absent, `true` or `false`. */
export function readFlag(name: string, value: string | undefined): Read<boolean> {
  if (value === undefined || value === 'false') return { ok: true, value: false }
  if (value === 'true') return { ok: true, value: true }
  return refuse(badQuery(name, `must be true or false, not ${quoted(value)}`))
}

function badQuery(name: string, text: string): Response {
  return problem({ status: 400, code: 'BadQuery', detail: `${name} ${text}` })
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 60).toWellFormed())

/** Which generations a writer accepts to overwrite; `any` is `If-Match: *`. */
export type Match = 'any' | readonly number[]

const IF_MATCH = /^"\d{1,15}"(\s*,\s*"\d{1,15}")*$/

/** `If-Match: "3"`, a list of such, or `*`; undefined when the client does not care. */
export function readIfMatch(header: string | undefined): Read<Match | undefined> {
  if (header === undefined) return { ok: true, value: undefined }
  const text = header.trim()
  if (text === '*') return { ok: true, value: 'any' }
  if (IF_MATCH.test(text)) {
    return { ok: true, value: [...text.matchAll(/\d+/g)].map(([digits]) => Number(digits)) }
  }
  return refuse(
    problem({
      status: 400,
      code: 'BadIfMatch',
      detail: `If-Match must be like "3", quotes included; it was: ${header.slice(0, 60)}`,
    }),
  )
}

function refuse(response: Response): { ok: false; response: Response } {
  return { ok: false, response }
}
