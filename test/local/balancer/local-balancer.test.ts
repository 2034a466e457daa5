import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { makeLocalBalancer } from '#local/balancer/local-balancer.ts'
import { BalancerError } from '#shared/cloud/balancer-error.ts'
import { targetKey, type Target } from '#shared/model/service.ts'
import { describeBalancer, type BalancerHarness } from '../../conformance/balancer.ts'
import { ask, NEVER_MS, openBench, type Bench } from './kit.ts'

const arnOf = (name: string, id: string): string =>
  `arn:aws:elasticloadbalancing:local:000000000000:targetgroup/${name}/${id}`

async function listen(port = 0): Promise<Server> {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return server
}
const portOf = (server: Server): number => (server.address() as AddressInfo).port
const WAIT = { timeout: 10_000, interval: 5 }

describeBalancer('local', () => {
  const servers = new Map<number, Server>()
  const failed = new Set<string>()
  let made = 0
  const balancer = makeLocalBalancer({
    hostOf: (instanceId) => (instanceId === 'i-ended' ? undefined : '127.0.0.1'),
    checkEveryMs: 20,
  })
  const targetGroupArn = arnOf('conformance', 'a')
  const open = async (instanceId: string): Promise<Target> => {
    const server = await listen()
    servers.set(portOf(server), server)
    return { instanceId, port: portOf(server) }
  }
  const statesOf = async () => balancer.health(targetGroupArn)
  const harness: BalancerHarness = {
    ...{ balancer, targetGroupArn, unknownArn: 'arn:aws:elasticloadbalancing:local:0:listener/x' },
    targets: (count) =>
      Promise.all(
        Array.from({ length: count }, () => {
          made += 1
          return open(`i-${String(made)}`)
        }),
      ),
    beside: ({ instanceId }) => open(instanceId),
    ended: () => Promise.resolve({ instanceId: 'i-ended', port: 80 }),
    fail: (target) => {
      failed.add(targetKey(target))
      servers.get(target.port)?.close()
      return Promise.resolve()
    },
    check: () =>
      vi.waitFor(async () => {
        for (const own of await statesOf()) {
          expect(own.state).toBe(failed.has(targetKey(own)) ? 'unhealthy' : 'healthy')
        }
      }, WAIT),
    drain: () =>
      vi.waitFor(async () => {
        expect((await statesOf()).filter(({ state }) => state === 'draining')).toEqual([])
      }, WAIT),
    close: async () => {
      await balancer.close()
      for (const server of servers.values()) server.close()
    },
  }
  return Promise.resolve(harness)
})

describe('the local balancer', () => {
  const benches: Bench[] = []
  const bench = (...options: Parameters<typeof openBench>): Bench => {
    const own = openBench(...options)
    benches.push(own)
    return own
  }
  afterEach(async () => {
    await Promise.all(benches.splice(0).map((own) => own.close()))
  })

  it('listens on the port that ends the ARN', async () => {
    const free = await listen()
    const port = portOf(free)
    await new Promise((resolve) => free.close(resolve))
    const { balancer } = bench()
    await balancer.register(arnOf('web', String(port)), [])
    expect(balancer.services()[0]?.url).toBe(`http://127.0.0.1:${String(port)}`)
  })

  it('says so where that port is taken, and opens once it is free', async () => {
    const other = await listen()
    const { balancer } = bench()
    const arn = arnOf('web', String(portOf(other)))
    const failure = await balancer.register(arn, []).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(BalancerError)
    expect((failure as BalancerError).message).toMatch(/port .* taken/)
    await new Promise((resolve) => other.close(resolve))
    await balancer.register(arn, [])
    expect(balancer.services()).toHaveLength(1)
  })

  it('listens on the same port after a restart', async () => {
    const arn = arnOf('stable', 'abc')
    const first = bench()
    await first.balancer.register(arn, [])
    const url = first.balancer.services()[0]?.url
    await first.close()
    const second = bench()
    await second.balancer.register(arn, [])
    expect(second.balancer.services()[0]?.url).toBe(url)
    const beside = bench()
    await beside.balancer.register(arn, [])
    expect(beside.balancer.services()[0]?.url).not.toBe(url)
  })

  it('opens one proxy for registrations that come together', async () => {
    const { balancer, arn } = bench()
    await Promise.all([1, 2, 3].map(() => balancer.register(arn, [])))
    expect(balancer.services()).toHaveLength(1)
  })

  it('asks for a path where the group has one, and takes nothing but 200', async () => {
    let status = 500
    const own = bench({ healthPathOf: () => '/healthz' })
    const target = await own.start((request, response) => {
      response.writeHead(request.url === '/healthz' ? status : 404).end()
    })
    await own.balancer.register(own.arn, [target.target])
    await vi.waitFor(() => {
      expect(target.requests()).toBeGreaterThan(3)
    }, WAIT)
    await own.until(target, 'initial')
    status = 200
    await own.until(target, 'healthy')
    status = 503
    await own.until(target, 'unhealthy')
    status = 200
    await own.until(target, 'healthy')
  })

  it('calls a target unused once its instance does not run any more', async () => {
    const ended = new Set<string>()
    const own = bench({ hostOf: (id) => (ended.has(id) ? undefined : '127.0.0.1') })
    const target = await own.serve((_request, response) => response.end())
    ended.add(target.target.instanceId)
    await own.until(target, 'unused')
    expect((await ask(own.url())).status).toBe(503)
  })

  it('takes requests no more once it is closed, however often', async () => {
    const own = bench({ checkEveryMs: NEVER_MS })
    await own.serve((_request, response) => response.end())
    const url = own.url()
    await own.balancer.close()
    await own.balancer.close()
    await expect(ask(url)).rejects.toThrow('ECONNREFUSED')
    expect(own.balancer.services()).toEqual([])
  })
})
