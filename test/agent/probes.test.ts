import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import type { Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { healthSchema } from '#shared/model/workload.ts'
import { probe } from '#agent/adapters/probes.ts'
import { closed, listen } from './world.ts'

let web: Server
let address: string
let silent: ReturnType<typeof createTcpServer>
let silentAddress: string

beforeAll(async () => {
  web = createServer((request, response) => {
    if (request.url === '/hangs') return
    if (request.url === '/endless') {
      response.write('x')
      return
    }
    response.statusCode = Number(request.url?.slice(1))
    response.end('body')
  })
  address = (await listen(web)).replace('http://', '')
  silent = createTcpServer()
  silentAddress = await new Promise((resolve) => {
    silent.listen(0, '127.0.0.1', () => {
      const own = silent.address()
      resolve(`127.0.0.1:${String(typeof own === 'object' ? own?.port : 0)}`)
    })
  })
})
afterAll(async () => {
  await closed(web)
  silent.close()
})

const ask = (health: Record<string, unknown>, at: string = address): Promise<boolean> =>
  probe({
    health: healthSchema.parse({ timeoutSeconds: 1, ...health }),
    addresses: { http: at },
    cwd: tmpdir(),
    environment: { PATH: process.env.PATH ?? '', NAME: 'drover' },
    ...(health.exec === undefined
      ? {}
      : { command: (health.exec as { command: string[] }).command }),
  })
const http = (path: string) => ({ http: { path, port: 'http' } })
const exec = (script: string) => ({ exec: { command: ['sh', '-c', script] } })
/** Nobody listens on port 1. */
const NOBODY = '127.0.0.1:1'

describe('http', () => {
  it.each([
    ['/200', true],
    ['/204', true],
    ['/302', true],
    ['/400', false],
    ['/404', false],
    ['/503', false],
    ['/endless', true],
  ])('%s: %s', async (path, expected) => {
    expect(await ask(http(path))).toBe(expected)
  })

  it('that never answers ends in time', async () => {
    const startMs = performance.now()
    expect(await ask(http('/hangs'))).toBe(false)
    expect(performance.now() - startMs).toBeLessThan(1_800)
  })

  it('on a closed or unknown port', async () => {
    expect(await ask(http('/200'), NOBODY)).toBe(false)
    expect(await ask({ http: { path: '/200', port: 'other' } })).toBe(false)
  })
})

describe('tcp', () => {
  it('is content with an open port, whatever speaks there', async () => {
    expect(await ask({ tcp: { port: 'http' } }, silentAddress)).toBe(true)
    expect(await ask({ tcp: { port: 'http' } }, NOBODY)).toBe(false)
    expect(await ask({ tcp: { port: 'other' } })).toBe(false)
  })
})

describe('exec', () => {
  it('asks the exit code, in the replica’s own environment', async () => {
    expect(await ask(exec('test "$NAME" = drover'))).toBe(true)
    expect(await ask(exec('exit 3'))).toBe(false)
    expect(await ask({ exec: { command: ['no-such-program'] } })).toBe(false)
  })

  it.each([
    ['a shell line in one word', 'test -d /'.repeat(40)],
    ['a path below a file', `${process.execPath}/x`],
    ['nothing', ''],
  ])('that is %s cannot be started, and is a no', async (_, word) => {
    expect(await ask({ exec: { command: [word] } })).toBe(false)
  })

  it('that never ends is killed', async () => {
    const startMs = performance.now()
    expect(await ask(exec('sleep 30 & wait'))).toBe(false)
    expect(performance.now() - startMs).toBeLessThan(1_800)
  })
})
