/**
 * One request on its way to one target: sent once, over a connection of its own.
 *
 * A connection that is kept open between requests may be closed by the target at the very moment
 * the next request is sent, and then nobody knows whether it was carried out. A load balancer would
 * send some of those again. This one must never send anything twice, so that what a roll-out breaks
 * is seen; so it opens a connection for each request, which costs next to nothing on one machine.
 * Both bodies flow through as they come, and who goes away at one end is gone at the other.
 */
import {
  request as sendRequest,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http'
import type { Duplex } from 'node:stream'
import { answerHeaders, answerText, headText, requestHeaders } from './headers.ts'

/** Of silence, after which an ALB gives up by default. */
const IDLE_MS = 60_000

export type Place = { readonly host: string; readonly port: number }

export type Outcome =
  | 'answered'
  /** The target did not answer, or not to the end. */
  | 'failed'
  /** The client went away first. */
  | 'left'

export type Exchange = {
  /** Called once, at the end of it. */
  onEnd(tell: (outcome: Outcome) => void): void
  /** Ends it as failed, now. */
  cut(): void
}

type Ending = Exchange & {
  /** The first call decides; true if it was this one. */
  end(outcome: Outcome): boolean
}

function makeEnding(cut: () => void): Ending {
  let outcome: Outcome | undefined
  let tell: ((own: Outcome) => void) | undefined
  return {
    onEnd: (listener) => {
      tell = listener
    },
    end: (own) => {
      if (outcome !== undefined) return false
      outcome = own
      tell?.(own)
      return true
    },
    cut,
  }
}

/** Hands a request on and its answer back; what fails is answered 502, and silence 504. */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  place: Place,
): Exchange {
  const upstream = open(request, place, requestHeaders(request))
  const ending = makeEnding(() => {
    fail(502, 'the target was deregistered, and its deregistration delay is over')
  })
  let hasAnswer = false
  const stop = (): void => {
    request.unpipe(upstream)
    // What is left of the body is read and forgotten, or the client would never see the answer.
    request.resume()
    upstream.destroy()
  }
  const fail = (status: number, text: string): void => {
    if (!ending.end('failed')) return
    stop()
    if (response.headersSent) response.destroy()
    else refuse(response, status, text)
  }
  upstream.setTimeout(IDLE_MS, () => {
    fail(504, `the target was silent for ${String(IDLE_MS / 1000)} s`)
  })
  upstream.once('response', (answer) => {
    hasAnswer = true
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answerHeaders(answer))
    // An answer that streams begins now, and not with its first byte.
    response.flushHeaders()
    answer.once('error', () => {
      fail(502, 'the target broke off')
    })
    answer.pipe(response)
  })
  upstream.on('error', (error) => {
    // A target may answer before it has read everything, and close: then the answer decides.
    if (!hasAnswer) fail(502, `the target failed: ${error.message}`)
  })
  response.once('finish', () => {
    if (ending.end('answered')) stop()
  })
  response.once('close', () => {
    if (ending.end('left')) stop()
  })
  // What takes a body is told at once, for the first of it may be long in coming.
  if (hasBody(request)) upstream.flushHeaders()
  request.pipe(upstream)
  return ending
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined

/** Hands on a request to change the protocol; once it is granted, bytes flow both ways. */
export function forwardUpgrade({ request, socket, head }: Upgrade, place: Place): Exchange {
  const upstream = open(request, place, {
    ...requestHeaders(request),
    connection: 'Upgrade',
    upgrade: request.headers.upgrade,
  })
  let far: Duplex | undefined
  const breakOff = (outcome: Outcome): void => {
    ending.end(outcome)
    upstream.destroy()
    far?.destroy()
    socket.destroy()
  }
  const ending = makeEnding(() => {
    breakOff('failed')
  })
  const refuseUpgrade = (status: number, reason: string, text: string): void => {
    upstream.destroy()
    socket.end(answerText(status, reason, text))
  }
  upstream.setTimeout(IDLE_MS, () => {
    if (far === undefined) breakOff('failed')
  })
  upstream.once('upgrade', (answer, own, ownHead) => {
    far = own
    socket.write(headText(answer))
    socket.write(ownHead)
    own.write(head)
    own.once('error', () => {
      breakOff('failed')
    })
    own.once('close', () => {
      ending.end('answered')
      endSoon(socket)
    })
    own.pipe(socket)
    socket.pipe(own)
  })
  upstream.once('response', ({ statusCode = 502, statusMessage = '' }) => {
    ending.end('answered')
    refuseUpgrade(statusCode, statusMessage, '')
  })
  upstream.on('error', (error) => {
    if (!ending.end('failed')) return
    refuseUpgrade(502, 'Bad Gateway', `the target failed: ${error.message}\n`)
  })
  socket.once('error', () => {
    breakOff('left')
  })
  socket.once('close', () => {
    ending.end(far === undefined ? 'left' : 'answered')
    if (far === undefined) upstream.destroy()
    else endSoon(far)
  })
  upstream.end()
  return ending
}

/** Once what was written to it has left. */
function endSoon(stream: Duplex): void {
  stream.end(() => {
    stream.destroy()
  })
}

export type Upgrade = {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

function open(
  request: IncomingMessage,
  { host, port }: Place,
  headers: OutgoingHttpHeaders,
): ClientRequest {
  const { method = 'GET', url = '/' } = request
  const kept = { connection: 'keep-alive', ...headers }
  // Without an agent there is a connection for it alone. The target is told to keep it all the
  // same: one that answers early reads the rest then, instead of closing on what is under way.
  return sendRequest({ host, port, method, path: url, headers: kept, agent: false })
}

/** An answer of the proxy's own. */
export function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
  response.end(`${text}\n`)
}
