/** The proxy of a target group, with real sockets at both ends. */
import { Agent, request as sendRequest, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ask, hashOf, NEVER_MS, openBench, readAll, signal, type Bench } from './kit.ts'

const benches: Bench[] = []
function bench(...options: Parameters<typeof openBench>): Bench {
  const own = openBench(...options)
  benches.push(own)
  return own
}
afterEach(async () => {
  await Promise.all(benches.splice(0).map((own) => own.close()))
})

const MIB = 1_048_576

describe('a request', () => {
  it('goes round the healthy targets', async () => {
    const own = bench({ checkEveryMs: NEVER_MS })
    for (const name of ['a', 'b', 'c']) await own.serve((_request, response) => response.end(name))
    const seen: string[] = []
    for (let i = 0; i < 9; i += 1) seen.push((await ask(own.url())).body.toString())
    expect(seen.toSorted().join('')).toBe('aaabbbccc')
    expect(new Set(seen.slice(0, 3)).size).toBe(3)
    const { requests, failed, targets } = own.service()
    expect({ requests, failed }).toEqual({ requests: 9, failed: 0 })
    expect(targets.map((target) => target.requests)).toEqual([3, 3, 3])
  })

  it('arrives as it was sent, but for what speaks of the connection', async () => {
    const own = bench()
    await own.serve((request, response) => {
      const { method, url, headers, rawHeaders } = request
      response.setHeader('set-cookie', ['a=1', 'b=2'])
      response.setHeader('x-once', 'x')
      response.setHeader('connection', 'x-once')
      response.writeHead(201, 'Made').end(JSON.stringify({ method, url, headers, rawHeaders }))
    })
    const { status, body, headers } = await ask(`${own.url()}/a%20b?c=%C3%A9`, {
      method: 'PATCH',
      headers: { 'x-own': 'y', 'x-hop': 'z', connection: 'x-hop', 'x-forwarded-for': '10.0.0.1' },
    })
    const sent = JSON.parse(body.toString()) as { headers: Record<string, string> }
    expect(sent).toMatchObject({ method: 'PATCH', url: '/a%20b?c=%C3%A9' })
    expect(sent.headers).toMatchObject({
      host: new URL(own.url()).host,
      'x-own': 'y',
      'x-forwarded-for': '10.0.0.1, 127.0.0.1',
      connection: 'keep-alive',
    })
    expect(sent.headers['x-hop']).toBeUndefined()
    expect(status).toBe(201)
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(headers['x-once']).toBeUndefined()
  })

  it('gets a connection of its own to the target, and keeps that to the client', async () => {
    const own = bench({ checkEveryMs: NEVER_MS })
    let connections = 0
    const target = await own.serve((_request, response) => response.end())
    target.server.on('connection', () => {
      connections += 1
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ports = new Set<unknown>()
    agent.on('free', (socket: { localPort: number }) => ports.add(socket.localPort))
    for (let i = 0; i < 5; i += 1) await ask(own.url(), { agent })
    agent.destroy()
    expect(connections).toBe(5)
    expect(ports.size).toBe(1)
  })

  it.each([true, false])('carries 10 MiB there and back (length told: %s)', async (told) => {
    const own = bench()
    await own.serve((request, response) => {
      const length = request.headers['content-length']
      response.writeHead(200, length === undefined ? {} : { 'content-length': length })
      request.pipe(response)
    })
    const body = randomBytes(10 * MIB)
    const headers = told
      ? { 'content-length': String(body.length) }
      : { 'transfer-encoding': 'chunked' }
    const answer = await ask(own.url(), { method: 'POST', headers, body })
    expect(hashOf(answer.body)).toBe(hashOf(body))
    expect(answer.headers['content-length']).toBe(told ? String(body.length) : undefined)
  })

  it('flows as it comes, in both directions', async () => {
    const own = bench()
    await own.serve((request, response) => {
      response.flushHeaders()
      request.on('data', (chunk: Buffer) => response.write(`<${chunk.toString()}>`))
      request.on('end', () => response.end())
    })
    const request = sendRequest(own.url(), { method: 'POST' })
    request.flushHeaders()
    const answer = await new Promise<IncomingMessage>((resolve) =>
      request.once('response', resolve),
    )
    const chunks = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    for (const word of ['one', 'two']) {
      request.write(word)
      expect((await chunks.next()).value?.toString()).toBe(`<${word}>`)
    }
    request.end()
    expect((await chunks.next()).done).toBe(true)
  })

  it('has its answer although the target did not read all of it', async () => {
    const own = bench()
    await own.serve((_request, response) => response.writeHead(413).end('too large'))
    const body = Buffer.alloc(MIB)
    const answer = await ask(own.url(), { method: 'PUT', body })
    expect([answer.status, answer.body.toString()]).toEqual([413, 'too large'])
  })

  it.each(['HEAD', 'DELETE', 'OPTIONS'])('may be a %s', async (method) => {
    const own = bench()
    await own.serve((_request, response) => response.writeHead(204).end())
    expect((await ask(own.url(), { method })).status).toBe(204)
  })

  it('is aborted at the target when its client goes away', async () => {
    const own = bench()
    const came = signal()
    const closed = signal()
    const target = await own.serve((_request, response) => {
      response.once('close', () => closed.give(undefined))
      came.give(undefined)
    })
    const request = sendRequest(own.url()).on('error', () => undefined)
    request.end()
    await came.promise
    request.destroy()
    await closed.promise
    await own.balancer.deregister(own.arn, [target.target])
    await own.until(target, 'gone')
    expect(own.service().failed).toBe(0)
  })

  it('is told that no target is healthy', async () => {
    const own = bench()
    await own.balancer.register(own.arn, [])
    const { status, body } = await ask(own.url(), { method: 'POST', body: Buffer.alloc(MIB) })
    expect([status, body.toString()]).toEqual([503, 'no target is healthy\n'])
    expect(own.service()).toMatchObject({ requests: 1, failed: 1, targets: [] })
  })
})

describe('a target that dies unannounced', () => {
  it('costs the requests that were sent there, and they are counted', async () => {
    const own = bench({ checkEveryMs: NEVER_MS })
    await own.serve((_request, response) => response.end('alive'))
    const dying = await own.serve((_request, response) => response.end())
    dying.kill()
    const statuses: number[] = []
    for (let i = 0; i < 6; i += 1) statuses.push((await ask(own.url())).status)
    expect(statuses.toSorted()).toEqual([200, 200, 200, 502, 502, 502])
    expect(own.service()).toMatchObject({ requests: 6, failed: 3 })
  })

  it('answers 502 to what it had taken, and sends it to nobody else', async () => {
    const own = bench({ checkEveryMs: NEVER_MS })
    const came = signal()
    const dying = await own.serve(() => {
      came.give(undefined)
    })
    const answer = ask(own.url(), { method: 'POST', body: Buffer.from('x') })
    await came.promise
    const other = await own.serve((_request, response) => response.end())
    dying.kill()
    expect((await answer).status).toBe(502)
    expect(other.requests()).toBe(0)
    expect(own.service().failed).toBe(1)
  })

  it('breaks an answer off that had begun', async () => {
    const own = bench({ checkEveryMs: NEVER_MS })
    const dying = await own.serve((_request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('only this')
    })
    const request = sendRequest(own.url())
    request.end()
    const answer = await new Promise<IncomingMessage>((resolve) =>
      request.once('response', resolve),
    )
    dying.kill()
    await expect(readAll(answer)).rejects.toThrow('aborted')
    expect(own.service().failed).toBe(1)
  })
})

describe('a target that is deregistered', () => {
  it('gets nothing new, and finishes what it has', async () => {
    const own = bench()
    const came = signal()
    const release = signal()
    const leaving = await own.serve((_request, response) => {
      came.give(undefined)
      void release.promise.then(() => response.end('at last'))
    })
    const long = ask(own.url())
    await came.promise
    const staying = await own.serve((_request, response) => response.end('new'))
    await own.balancer.deregister(own.arn, [leaving.target])
    for (let i = 0; i < 10; i += 1) expect((await ask(own.url())).body.toString()).toBe('new')
    await own.until(leaving, 'draining')
    expect(leaving.requests()).toBe(1)
    release.give(undefined)
    expect((await long).body.toString()).toBe('at last')
    await own.until(leaving, 'gone')
    expect(staying.requests()).toBe(10)
    expect(own.service().failed).toBe(0)
  })

  it('loses what is still open after the deregistration delay', async () => {
    const own = bench({ deregistrationDelayMs: 100 })
    const begun = signal()
    const leaving = await own.serve((request, response) => {
      if (request.url !== '/begun') return
      response.write('a little')
      begun.give(undefined)
    })
    const silent = ask(own.url())
    const broken = ask(`${own.url()}/begun`)
    const outcome = broken.catch((error: unknown) => String(error))
    await begun.promise
    await own.balancer.deregister(own.arn, [leaving.target])
    await own.until(leaving, 'draining')
    const { status, body } = await silent
    expect(status).toBe(502)
    expect(body.toString()).toContain('deregistration delay')
    expect(await outcome).toMatch(/aborted/)
    await own.until(leaving, 'gone')
    expect(own.service().failed).toBe(2)
  })

  it('is kept when it is registered again meanwhile', async () => {
    const own = bench({ deregistrationDelayMs: 100 })
    const release = signal()
    const came = signal()
    const target = await own.serve((_request, response) => {
      came.give(undefined)
      void release.promise.then(() => response.end('kept'))
    })
    const long = ask(own.url())
    await came.promise
    await own.balancer.deregister(own.arn, [target.target])
    await own.balancer.register(own.arn, [target.target])
    await sleep(200)
    release.give(undefined)
    expect((await long).body.toString()).toBe('kept')
    await own.until(target, 'healthy')
  })

  it('fails no request of many, where each is told before it is ended', async () => {
    const own = bench()
    const work = (): Parameters<Bench['serve']>[0] => {
      let count = 0
      return (request, response) => {
        count += 1
        void readAll(request).then(async (body) => {
          await sleep(count % 20)
          response.end(body)
        })
      }
    }
    const targets = [await own.serve(work()), await own.serve(work()), await own.serve(work())]
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    let sent = 0
    let replaced = 0
    const statuses = new Map<number, number>()
    const client = async (): Promise<void> => {
      while (sent < 1_000 || replaced < 15) {
        sent += 1
        const body = Buffer.from(`request ${String(sent)}`)
        const answer = await ask(own.url(), { method: 'POST', body, agent })
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
        expect(answer.body.equals(body)).toBe(true)
      }
    }
    const replace = async (): Promise<void> => {
      while (sent < 1_000 || replaced < 15) {
        targets.push(await own.serve(work()))
        const leaving = targets.shift()!
        await own.balancer.deregister(own.arn, [leaving.target])
        await own.until(leaving, 'gone')
        leaving.kill()
        replaced += 1
      }
    }
    await Promise.all([replace(), ...Array.from({ length: 16 }, client)])
    agent.destroy()
    expect([...statuses.keys()]).toEqual([200])
    expect(own.service()).toMatchObject({ requests: sent, failed: 0 })
  })
})

describe('a WebSocket', () => {
  const UPGRADE = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'k' }
  const HELLO =
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Accept: a\r\n\r\nhello'

  async function serveEcho(own: Bench) {
    const target = await own.serve((_request, response) => response.end())
    target.server.on('upgrade', (_request, socket: Duplex, head) => {
      socket.write(HELLO)
      socket.write(head)
      socket.pipe(socket)
    })
    return target
  }

  async function openSocket(own: Bench): Promise<{ socket: Duplex; read: () => Promise<string> }> {
    const request = sendRequest(own.url(), { headers: UPGRADE })
    request.end()
    const { promise, give } = signal<{ answer: IncomingMessage; socket: Duplex; head: Buffer }>()
    request.once('upgrade', (answer, socket, head) => {
      give({ answer, socket, head })
    })
    const { answer, socket, head } = await promise
    expect(answer.headers['sec-websocket-accept']).toBe('a')
    socket.unshift(head)
    const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    return { socket, read: async () => String((await chunks.next()).value) }
  }

  it('is passed through, and drains like a request', async () => {
    const own = bench()
    const target = await serveEcho(own)
    const { socket, read } = await openSocket(own)
    expect(await read()).toBe('hello')
    await own.balancer.deregister(own.arn, [target.target])
    socket.write('ping')
    expect(await read()).toBe('ping')
    await own.until(target, 'draining')
    socket.end()
    await own.until(target, 'gone')
    expect(own.service()).toMatchObject({ requests: 1, failed: 0 })
  })

  it('is cut off after the deregistration delay', async () => {
    const own = bench({ deregistrationDelayMs: 50 })
    const target = await serveEcho(own)
    const { socket } = await openSocket(own)
    socket.on('error', () => undefined).resume()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await own.balancer.deregister(own.arn, [target.target])
    await closed
    await own.until(target, 'gone')
    expect(own.service().failed).toBe(1)
  })

  it('is refused where the target refuses it, fails, or is not there', async () => {
    const own = bench({ checkEveryMs: NEVER_MS })
    await own.balancer.register(own.arn, [])
    const knock = async (): Promise<number> => (await ask(own.url(), { headers: UPGRADE })).status
    expect(await knock()).toBe(503)
    const target = await own.serve((_request, response) => response.end())
    target.server.on('upgrade', (_request, socket: Duplex) => {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
    })
    expect(await knock()).toBe(403)
    target.kill()
    expect(await knock()).toBe(502)
  })

  it('whose client is gone before it is refused harms nobody', async () => {
    const own = bench()
    const target = await serveEcho(own)
    target.kill()
    await own.until(target, 'unhealthy')
    const { port, hostname } = new URL(own.url())
    const lines = Object.entries(UPGRADE).map(([name, value]) => `${name}: ${value}\r\n`)
    for (let i = 0; i < 5; i += 1) {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      socket.write(`GET / HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`)
      await vi.waitUntil(() => own.service().requests === i + 1)
      socket.resetAndDestroy()
      await once(socket, 'close')
    }
    expect((await ask(own.url())).status).toBe(503)
  })

  it('is no excuse for other protocols: those are answered as if they had not asked', async () => {
    const own = bench()
    await own.serve((request, response) => response.end(String(request.headers.upgrade)))
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': '' }
    const { status, body } = await ask(own.url(), { headers })
    expect([status, body.toString()]).toEqual([200, 'undefined'])
  })
})
