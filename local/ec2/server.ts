/**
 * The emulated EC2's wire front: one HTTP server for the Query protocol, the price list and every
 * instance's metadata.
 *
 * It translates and nothing more; what happens is decided by the world behind it. An answer that
 * the world lost is a socket closed after the work was done, just as a client of the real one meets
 * it.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import { perform } from './actions.ts'
import { makeMetadata, type Metadata } from './metadata.ts'
import { getProducts, GET_PRODUCTS } from './price-list.ts'
import { Query } from './query.ts'
import { errorXml, responseXml } from './xml.ts'

export type Ec2ServerOptions = {
  readonly world: MemoryEc2
  readonly clock: () => number
  /** 0, the default, takes a free one. */
  readonly port?: number
  readonly host?: string
}

export type Ec2Server = {
  /** The endpoint for the EC2 and the Pricing client. */
  readonly url: string
  metadataUrl(instanceId: string): string
  close(): Promise<void>
}

/** No request of EC2's comes near it. */
const BODY_MAX_BYTES = 1_000_000
const METADATA_PATH = /^\/metadata\/(i-[0-9a-f]+)(\/.*?)\/?$/

export async function startEc2Server(options: Ec2ServerOptions): Promise<Ec2Server> {
  const { world, clock, port = 0, host = '127.0.0.1' } = options
  const metadata = makeMetadata(world, clock)
  const server = createServer((request, response) => {
    // A request that breaks off gives its socket up before anyone can ask for it.
    const { socket } = request
    serve(world, metadata, { request, response }).catch(() => {
      socket.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const url = `http://${host}:${String((server.address() as AddressInfo).port)}`
  return {
    url,
    metadataUrl: (instanceId) => `${url}/metadata/${instanceId}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve()
        })
      })
      server.closeAllConnections()
      await closed
    },
  }
}

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse }

async function serve(world: MemoryEc2, metadata: Metadata, exchange: Exchange): Promise<void> {
  const { request, response } = exchange
  const path = new URL(request.url ?? '/', 'http://ec2').pathname
  const [, instanceId, rest] = METADATA_PATH.exec(path) ?? []
  const body = await bodyOf(request)
  if (instanceId !== undefined && rest !== undefined) {
    const method = request.method ?? 'GET'
    const header = (name: string): string | undefined => request.headers[name]?.toString()
    const answer = metadata.answer({ method, instanceId, path: rest, header })
    response.writeHead(answer.httpStatus, { 'content-type': 'text/plain', ...answer.headers })
    response.end(answer.body)
  } else if (request.headers['x-amz-target'] === GET_PRODUCTS) {
    const answer = getProducts(world, body)
    response.writeHead(answer.httpStatus, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(JSON.stringify(answer.body))
  } else {
    serveQuery(world, exchange, body)
  }
}

function serveQuery(world: MemoryEc2, { request, response }: Exchange, body: string): void {
  const query = Query.parse(body)
  const requestId = randomUUID()
  const answer = perform(world, query)
  const headers = { 'content-type': 'text/xml;charset=UTF-8', 'x-amzn-requestid': requestId }
  if (answer.answer === 'lost') {
    request.socket.destroy()
  } else if (answer.answer === 'refused') {
    response.writeHead(answer.httpStatus, headers)
    response.end(errorXml(requestId, answer.code, answer.text))
  } else {
    response.writeHead(200, headers)
    response.end(responseXml(query.text('Action') ?? '', requestId, answer.value))
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_MAX_BYTES) throw new RangeError('the request is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
