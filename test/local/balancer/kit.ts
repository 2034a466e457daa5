/**
 * Targets with real sockets, a local balancer in front of them, and clients that send each request
 * once.
 */
import { createHash } from 'node:crypto'
import {
  createServer,
  request as sendRequest,
  type Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, vi } from 'vitest'
import {
  makeLocalBalancer,
  type LocalBalancer,
  type LocalBalancerOptions,
} from '#local/balancer/local-balancer.ts'
import type { Service } from '#local/balancer/target-group.ts'
import { targetKey, type Target, type TargetState } from '#shared/model/service.ts'

export type TestTarget = {
  readonly target: Target
  readonly server: Server
  /** Connections it has taken that carried a request. */
  requests(): number
  /** As a process that dies: no answer to anybody. */
  kill(): void
}

/** Longer than any test: nothing is checked twice. */
export const NEVER_MS = 1_000_000
/** Names of groups are their own in each test, and so are their ports. */
let count = 0

export type Bench = {
  readonly balancer: LocalBalancer
  readonly arn: string
  start(listener: RequestListener, instanceId?: string): Promise<TestTarget>
  /** Starts one, registers it and waits until it is healthy. */
  serve(listener: RequestListener): Promise<TestTarget>
  service(): Service
  url(): string
  until(own: TestTarget, state: TargetState | 'gone'): Promise<void>
  close(): Promise<void>
}

export function openBench(options: Partial<LocalBalancerOptions> = {}): Bench {
  count += 1
  const id = `${String(process.pid)}-${String(count)}`
  const arn = `arn:aws:elasticloadbalancing:local:000000000000:targetgroup/test/${id}`
  const targets: TestTarget[] = []
  const balancer = makeLocalBalancer({ hostOf: () => '127.0.0.1', checkEveryMs: 20, ...options })
  const start: Bench['start'] = async (listener, instanceId) => {
    const own = await startTarget(listener, instanceId ?? `i-${String(targets.length)}`)
    targets.push(own)
    return own
  }
  const until: Bench['until'] = ({ target }, state) =>
    vi.waitFor(
      async () => {
        const found = (await balancer.health(arn)).find(
          (own) => targetKey(own) === targetKey(target),
        )
        expect(found?.state ?? 'gone').toBe(state)
      },
      { timeout: 10_000, interval: 5 },
    )
  const service = (): Service => {
    const [own] = balancer.services()
    expect(own).toBeDefined()
    return own!
  }
  return {
    ...{ balancer, arn, start, until, service },
    url: () => service().url,
    serve: async (listener) => {
      const own = await start(listener)
      await balancer.register(arn, [own.target])
      await until(own, 'healthy')
      return own
    },
    close: async () => {
      await balancer.close()
      for (const own of targets) own.kill()
    },
  }
}

async function startTarget(listener: RequestListener, instanceId: string): Promise<TestTarget> {
  let requests = 0
  const server = createServer(listener)
  server.on('request', () => {
    requests += 1
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return {
    target: { instanceId, port },
    server,
    requests: () => requests,
    kill: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

export type Answer = {
  readonly status: number
  readonly body: Buffer
  headers: IncomingHttpHeaders
}
export type Ask = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  readonly agent?: Agent
}

/** Sends a request once; rejects where the connection breaks. */
export function ask(
  url: string,
  { method = 'GET', headers, body, agent }: Ask = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = sendRequest(url, { method, headers, ...(agent ? { agent } : {}) }, (answer) => {
      readAll(answer).then((own) => {
        resolve({ status: answer.statusCode ?? 0, body: own, headers: answer.headers })
      }, reject)
    })
    request.once('error', reject)
    request.end(body)
  })
}

export async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

export const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** A promise and what resolves it. */
export function signal<T = undefined>(): { promise: Promise<T>; give: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>()
  return { promise, give: resolve }
}
