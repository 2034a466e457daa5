/**
 * The headers of a request and of an answer as the proxy hands them on.
 *
 * Some speak of one connection alone, and say nothing true of the next one. Names come in lower
 * case and each with all its values, because a cookie may be set twice.
 */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'

const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding'],
  ...['upgrade', 'proxy-authenticate', 'proxy-authorization'],
  // The proxy itself asks for the body.
  'expect',
])

/** Those that go on: neither of the connection by their nature nor named so by the sender. */
function lasting({ headers, headersDistinct }: IncomingMessage): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((own) => own.trim().toLowerCase())
  return Object.fromEntries(
    Object.entries(headersDistinct).filter(
      ([name]) => !OF_THE_CONNECTION.has(name) && !named.includes(name),
    ),
  )
}

/** What the target is told; who really asks stands in `x-forwarded-for`, as behind an ALB. */
export function requestHeaders(request: IncomingMessage): OutgoingHttpHeaders {
  const { headers, socket } = request
  const isChunked = headers['transfer-encoding'] !== undefined
  const before = headers['x-forwarded-for']
  const client = socket.remoteAddress ?? ''
  return {
    ...lasting(request),
    // Sent twice it would be a fault of Node's own client; the first is what Node's server reads.
    ...(headers.host === undefined ? {} : { host: headers.host }),
    ...(isChunked ? { 'transfer-encoding': 'chunked' } : {}),
    'x-forwarded-for': [before, client].filter(Boolean).join(', '),
    'x-forwarded-port': String(socket.localPort ?? ''),
    'x-forwarded-proto': 'http',
  }
}

export const answerHeaders = (answer: IncomingMessage): OutgoingHttpHeaders => lasting(answer)

/** An answer's first lines as they came, for a connection that is no longer HTTP. */
export function headText(answer: IncomingMessage): string {
  const { statusCode = 0, statusMessage = '', rawHeaders } = answer
  const lines = rawHeaders.flatMap((name, i) =>
    i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1] ?? ''}`] : [],
  )
  return [`HTTP/1.1 ${String(statusCode)} ${statusMessage}`, ...lines, '', ''].join('\r\n')
}

/** A whole answer, for a connection that Node's server has given away. */
export function answerText(status: number, reason: string, text: string): string {
  const length = Buffer.byteLength(text)
  return [
    `HTTP/1.1 ${String(status)} ${reason}`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${String(length)}`,
    'connection: close',
    '',
    text,
  ].join('\r\n')
}
