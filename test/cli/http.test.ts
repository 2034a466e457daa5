/** What happens between the command and a server that is down, slow, or not drover. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { drover } from './kit.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(handler: Handler): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`)
    handler(request, response, asked.length)
  })
  servers.push(server)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, asked }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

const EMPTY = { items: [] }

describe('a server that cannot be reached', () => {
  it('is tried four times, with longer and longer pauses, and then reported', async () => {
    const { url } = await serve(() => undefined)
    servers.splice(0).forEach((server) => server.close())
    const pauses: number[] = []
    let lastMs: number | undefined
    const transcript = await drover(['get', 'nodes'], url, {
      onSleep: (nowMs) => {
        if (lastMs !== undefined) pauses.push(nowMs - lastMs)
        lastMs = nowMs
      },
    })
    expect(transcript).toMatchInlineSnapshot(`
      "! error: no drover at http://drover.test (ECONNREFUSED)
      ! next: start one with npm start, or set DROVER_URL
      [exit 1]"
    `)
    expect(pauses).toEqual([500, 1000])
    await expect(await drover(['get', 'nodes', '--json'], url)).toMatchFileSnapshot(
      './golden/unreachable-json.txt',
    )
  })

  it('lets version tell its own', async () => {
    const { url } = await serve(() => undefined)
    servers.splice(0).forEach((server) => server.close())
    expect(await drover(['version'], url)).toMatchInlineSnapshot(`
      "command  0.1.0
      server   none: no drover at http://drover.test (ECONNREFUSED)
      [exit 0]"
    `)
  })

  it('is worth another try after 502, 503 and 504 where repeating is safe', async () => {
    const { url, asked } = await serve((_request, response, count) => {
      if (count < 4) answer(response, 501 + count, { message: 'Service Unavailable' })
      else answer(response, 200, EMPTY)
    })
    expect(await drover(['get', 'teams'], url)).toMatchInlineSnapshot(`
      "! no teams
      [exit 0]"
    `)
    expect(asked).toHaveLength(4)
    const busy = await serve((_request, response) => {
      answer(response, 503, { message: 'Service Unavailable' })
    })
    expect(await drover(['scale', 'web', '2'], busy.url)).toMatchInlineSnapshot(`
      "! error: the server answered 503: Service Unavailable
      ! next: retry; if it stays, look into the server's log
      [exit 1]"
    `)
    expect(busy.asked).toEqual(['POST /v1/workloads/web/scale'])
  })

  it('loses a connection in the middle and is asked again', async () => {
    const { url, asked } = await serve((_request, response, count) => {
      if (count === 1) response.destroy()
      else answer(response, 200, EMPTY)
    })
    expect(await drover(['get', 'teams', '--json'], url)).toMatch(/\[exit 0\]$/)
    expect(asked).toHaveLength(2)
  })

  it('may be too slow: no second try, for it is at work', async () => {
    const { url, asked } = await serve(() => undefined)
    const env = { DROVER_TIMEOUT_SECONDS: '0.05' }
    expect(await drover(['get', 'nodes'], url, { env })).toMatchInlineSnapshot(`
      "! error: http://drover.test did not answer within 0.05 s
      ! next: retry; the request may or may not have been carried out
      [exit 1]"
    `)
    expect(asked).toHaveLength(1)
  })
})

describe('Ctrl-C in the middle of a request', () => {
  it.each([
    ['get nodes --watch', 0],
    ['events --follow', 0],
    ['get nodes', 130],
    ['wait workload/web', 130],
  ])('%s', async (line, code) => {
    const interruption = new AbortController()
    const { url } = await serve(() => {
      interruption.abort()
    })
    const transcript = await drover(line.split(' '), url, { interruption })
    expect(transcript).toMatch(new RegExp(`\\[exit ${String(code)}\\]$`))
    expect(transcript).not.toContain('no drover')
  })
})

describe('a server that is not drover', () => {
  it('is told by its answers', async () => {
    const page = await serve((_request, response) => {
      answer(response, 200, '<html>welcome</html>')
    })
    expect(await drover(['get', 'nodes'], page.url)).toMatchInlineSnapshot(`
      "! error: GET /v1/nodes was answered with something that is not drover's
      ! next: check DROVER_URL, and that the command and the server are of like versions
      [exit 1]"
    `)
    const gateway = await serve((_request, response) => {
      answer(response, 403, { message: 'Forbidden' })
    })
    expect(await drover(['cost'], gateway.url)).toMatchInlineSnapshot(`
      "! error: the server answered 403: Forbidden
      ! next: check who you are (aws sts get-caller-identity) and that you may call the API
      [exit 1]"
    `)
    expect(await drover(['cost', '--json'], gateway.url)).toMatchInlineSnapshot(`
      "! {
      !   "type": "about:blank",
      !   "title": "HTTP 403",
      !   "status": 403,
      !   "code": "Http403",
      !   "detail": "the server answered 403: Forbidden"
      ! }
      [exit 1]"
    `)
  })

  it('may sit behind a path of its own, and must not lead elsewhere', async () => {
    const { url, asked } = await serve((request, response) => {
      if (request.url?.startsWith('/moved') === true) {
        response.writeHead(302, { location: '/elsewhere' })
        response.end()
      } else answer(response, 200, EMPTY)
    })
    expect(await drover(['get', 'teams'], `${url}/prod/`)).toMatch(/\[exit 0\]$/)
    expect(asked).toEqual(['GET /prod/v1/teams?limit=500'])
    expect(await drover(['get', 'teams'], `${url}/moved`)).toMatch(/no drover at .*\[exit 1\]$/s)
  })

  it('sends pages without end and is stopped', async () => {
    const { url } = await serve((_request, response) => {
      answer(response, 200, { items: [{}], next: 'more' })
    })
    expect(await drover(['get', 'teams'], url)).toMatchInlineSnapshot(`
      "! error: /v1/teams has more than 200 entries
      ! next: narrow the question down
      [exit 1]"
    `)
  })
})

describe('text from afar', () => {
  it('cannot repaint the terminal', async () => {
    const { url } = await serve((_request, response) => {
      answer(response, 404, {
        type: 'about:blank',
        title: 'x',
        status: 422,
        code: 'Invalid',
        detail: 'a\u001b[2Jb\u0007\rc',
      })
    })
    expect(await drover(['cost'], url)).toMatchInlineSnapshot(`
      "! error: a�[2Jb��c
      [exit 1]"
    `)
  })
})
