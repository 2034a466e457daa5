/**
 * A web server that serves objects, and serves them as badly as it is told to.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { closed, listen } from './world.ts'

export type DataServer = {
  readonly url: string
  readonly objects: Map<string, Buffer>
  /** Every request: its path, and where its range began. */
  readonly asked: string[]
  /** Of each path, how many bytes come before the connection breaks; each is used once. */
  readonly cuts: Map<string, number[]>
  /** Paths whose answer never goes on after its first byte. */
  readonly stalls: Set<string>
  readonly statuses: Map<string, number>
  readonly redirects: Map<string, string>
  hasRanges: boolean
  hasTags: boolean
  pauseMs: number
  /** Bytes are held back until it is called. */
  readonly holdBack: () => () => void
  readonly mostAtOnce: () => number
  close(): Promise<void>
}

export const sha256Of = (bytes: Buffer | string): string =>
  createHash('sha256').update(bytes).digest('hex')

export async function startDataServer(): Promise<DataServer> {
  let gate = Promise.resolve()
  let [open, most] = [0, 0]
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = decodeURIComponent(request.url ?? '').slice(1)
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]
    server.asked.push(range === undefined ? path : `${path} from ${range}`)
    await gate
    if (server.pauseMs > 0) await sleep(server.pauseMs)
    const to = server.redirects.get(path)
    const bytes = server.objects.get(path)
    const status = server.statuses.get(path) ?? (to === undefined ? undefined : 302)
    if (status !== undefined || bytes === undefined) {
      response.writeHead(status ?? 404, to === undefined ? {} : { location: to }).end('no')
      return
    }
    const tag = `"${sha256Of(bytes).slice(0, 8)}"`
    const condition = request.headers['if-range']
    const isSame = condition === undefined || (server.hasTags && condition === tag)
    const start = range !== undefined && server.hasRanges && isSame ? Number(range) : 0
    if (start > 0 && start >= bytes.length) {
      response.writeHead(416, { 'content-range': `bytes */${String(bytes.length)}` }).end()
      return
    }
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': bytes.length - start,
      ...(server.hasTags ? { etag: tag } : {}),
      ...(start > 0 ? { 'content-range': rangeOf(start, bytes.length) } : {}),
    })
    const cut = server.cuts.get(path)?.shift()
    const body = bytes.subarray(start)
    if (server.stalls.has(path)) response.write(body.subarray(0, 1))
    else if (cut === undefined) response.end(body)
    else response.write(body.subarray(0, cut), () => request.socket.destroy())
  }
  const web = createServer((request, response) => {
    open += 1
    most = Math.max(most, open)
    response.once('close', () => {
      open -= 1
    })
    void answer(request, response)
  })
  const server: DataServer = {
    url: await listen(web),
    ...{ objects: new Map(), asked: [], cuts: new Map(), stalls: new Set() },
    ...{ statuses: new Map(), redirects: new Map(), hasRanges: true, hasTags: true, pauseMs: 0 },
    holdBack: () => {
      let go = (): void => undefined
      gate = new Promise((resolve) => {
        go = resolve
      })
      return go
    },
    mostAtOnce: () => most,
    close: () => closed(web),
  }
  return server
}

function rangeOf(start: number, length: number): string {
  return `bytes ${String(start)}-${String(length - 1)}/${String(length)}`
}

/** The manifest of those objects, as text. */
export function manifestOf(objects: ReadonlyMap<string, Buffer>, under = ''): string {
  const listed = [...objects]
    .filter(([path]) => path.startsWith(under))
    .map(([path, bytes]) => ({
      path: path.slice(under.length),
      size: bytes.length,
      sha256: sha256Of(bytes),
    }))
  return JSON.stringify({ objects: listed })
}
