/**
 * Data from a web server.
 *
 * Redirects are followed by hand: few, and never from a secure address to one that is not. An
 * object is gone on with under `If-Range`, so a server whose object has changed sends it from its
 * begin. Source: RFC 9110, sections 13.1.5 and 14.
 */
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { LIMITS } from '#shared/model/limits.ts'
import { DataError } from '../../errors.ts'
import { calm, isSingle, nameOf, type From, type Opened, type Source } from './source.ts'

/** `url` is an object's address, or ends with a slash and has a manifest that lists objects. */
export function openHttpSource(url: string): Source {
  return {
    list: () => {
      if (isSingle(url)) return Promise.resolve([{ path: nameOf(url) }])
      throw new DataError({ text: 'what stands below a web address cannot be listed' })
    },
    open: (path, from, signal) => {
      const address = isSingle(url) ? url : url + path.split('/').map(encodeURIComponent).join('/')
      return open(address, from, signal)
    },
  }
}

async function open(address: string, from: From, signal: AbortSignal): Promise<Opened> {
  const response = await ask(address, headersFor(from), signal)
  if (response.status === 416 && from.fromByte > 0) {
    await response.body?.cancel()
    return open(address, { fromByte: 0 }, signal)
  }
  if (!response.ok || response.body === null) throw await refused(address, response)
  const { headers } = response
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (encoding !== 'identity') {
    await response.body.cancel()
    throw new DataError({ text: `${shortOf(address)} is sent with ${encoding}, not as it is` })
  }
  const etag = headers.get('etag')
  const facts = sizesOf(response, from.fromByte)
  if (facts === undefined) {
    await response.body.cancel()
    throw new DataError({ text: `${shortOf(address)}: another part came than was asked for` })
  }
  return {
    // The DOM's type of a stream and Node's are the same thing here.
    body: calm(Readable.fromWeb(response.body as unknown as ReadableStream<Uint8Array>)),
    ...facts,
    // A weak tag promises much the same, and half a file needs the very same.
    ...(etag === null || etag.startsWith('W/') ? {} : { validator: etag }),
  }
}

function headersFor({ fromByte, validator }: From): Record<string, string> {
  return {
    'accept-encoding': 'identity',
    ...(fromByte === 0 ? {} : { range: `bytes=${String(fromByte)}-` }),
    ...(fromByte === 0 || validator === undefined ? {} : { 'if-range': validator }),
  }
}

async function ask(
  address: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  let url = address
  for (let hops = 0; hops <= LIMITS.dataRedirectsMax; hops += 1) {
    const response = await reach(url, headers, signal)
    const to = response.headers.get('location')
    if (response.status < 300 || response.status >= 400 || to === null) return response
    await response.body?.cancel()
    const next = URL.canParse(to, url) ? new URL(to, url) : undefined
    const isWeb = next?.protocol === 'https:' || next?.protocol === 'http:'
    const isWorse = url.startsWith('https:') && next?.protocol === 'http:'
    if (next === undefined || !isWeb || isWorse) {
      throw new DataError({ text: `${shortOf(url)} leads to ${to.slice(0, 80)}` })
    }
    url = next.href
  }
  throw new DataError({ text: `${shortOf(address)} leads on and on` })
}

async function reach(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  try {
    return await fetch(url, { headers, signal, redirect: 'manual' })
  } catch (cause) {
    if (signal.aborted) throw cause
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
    throw new DataError({
      ...{ text: `${shortOf(url)}: ${why instanceof Error ? why.message : String(why)}`, cause },
      isPassing: true,
    })
  }
}

async function refused(address: string, response: Response): Promise<DataError> {
  await response.body?.cancel()
  const { status, statusText } = response
  const isPassing = status >= 500 || status === 408 || status === 429
  return new DataError({ text: `${shortOf(address)}: ${String(status)} ${statusText}`, isPassing })
}

/** Undefined for a part that was not asked for. */
function sizesOf(
  { status, headers }: Response,
  fromByte: number,
): Pick<Opened, 'fromByte' | 'size'> | undefined {
  if (status === 206) {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(
      headers.get('content-range') ?? '',
    ) ?? ['', '', '']
    if (first === '' || Number(first) !== fromByte) return undefined
    return total === '*' ? { fromByte } : { fromByte, size: Number(total) }
  }
  const length = headers.get('content-length')
  return length === null ? { fromByte: 0 } : { fromByte: 0, size: Number(length) }
}

/** Without the query, which may hold a signature. */
function shortOf(address: string): string {
  const { host, pathname } = new URL(address)
  return `${host}${pathname}`.slice(-120)
}
