/**
 * A target group and the proxy in front of it: its requests go round the healthy targets.
 *
 * A client's connection is never closed by the proxy while it is idle, for the client may be about
 * to send on it. And where a real load balancer would try all targets when none is healthy, this
 * one says 503, because a person who tries something by hand wants to be told.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { targetKey, type Target, type TargetHealth } from '#shared/model/service.ts'
import { BalancerError } from '#shared/cloud/balancer-error.ts'
import { forward, forwardUpgrade, refuse, type Outcome, type Place } from './exchange.ts'
import { answerText } from './headers.ts'
import { portsFor } from './ports.ts'
import { makeLocalTarget, type LocalTarget, type TargetRules } from './target.ts'

export type Service = {
  readonly targetGroupArn: string
  /** Where to send requests. */
  readonly url: string
  /** Those that came, and those of them that were not answered as they should. */
  readonly requests: number
  readonly failed: number
  readonly targets: readonly (TargetHealth & { readonly requests: number })[]
}

export type TargetGroup = {
  health(): readonly TargetHealth[]
  register(targets: readonly Target[]): void
  deregister(targets: readonly Target[]): void
  service(): Service
  close(): Promise<void>
}

const HOST = '127.0.0.1'
const NONE = 'no target is healthy'

/** Opens its proxy; throws BalancerError where the port that the ARN asks for is taken. */
export async function openTargetGroup(
  targetGroupArn: string,
  rules: TargetRules,
): Promise<TargetGroup> {
  const targets = new Map<string, LocalTarget>()
  const counts = { requests: 0, failed: 0, turn: 0 }
  const next = (): { own: LocalTarget; place: Place } | undefined => {
    const healthy = [...targets.values()].flatMap((own) => {
      const place = own.place()
      return place === undefined ? [] : [{ own, place }]
    })
    counts.turn += 1
    return healthy[counts.turn % healthy.length]
  }
  const onEnd = (outcome: Outcome): void => {
    if (outcome === 'failed') counts.failed += 1
  }
  const server = makeServer()
  server.on('request', (request, response) => {
    counts.requests += 1
    const to = next()
    if (to !== undefined) {
      to.own.carry(forward(request, response, to.place), onEnd)
      return
    }
    counts.failed += 1
    request.resume()
    refuse(response, 503, NONE)
  })
  server.on('upgrade', (request, socket, head) => {
    // From here on Node leaves the socket's errors to us, and one that nobody hears ends drover.
    socket.on('error', () => undefined)
    counts.requests += 1
    const to = next()
    if (to !== undefined) {
      to.own.carry(forwardUpgrade({ request, socket, head }, to.place), onEnd)
      return
    }
    counts.failed += 1
    socket.end(answerText(503, 'Service Unavailable', `${NONE}\n`))
  })
  const url = await listen(server, targetGroupArn)
  return {
    health: () => [...targets.values()].map((own) => own.health()),
    register: (wanted) => {
      for (const target of wanted) {
        const known = targets.get(targetKey(target))
        if (known !== undefined && known.health().state !== 'draining') continue
        const own = known ?? makeLocalTarget(target, rules)
        targets.set(targetKey(target), own)
        own.register()
      }
    },
    deregister: (unwanted) => {
      for (const key of unwanted.map(targetKey)) {
        const known = targets.get(key)
        if (known === undefined || known.health().state === 'draining') continue
        known.deregister(() => targets.delete(key))
      }
    },
    service: () => ({
      ...{ targetGroupArn, url, requests: counts.requests, failed: counts.failed },
      targets: [...targets.values()].map((own) => ({ ...own.health(), requests: own.requests() })),
    }),
    close: () => {
      for (const own of targets.values()) own.close()
      targets.clear()
      return close(server)
    },
  }
}

/** Only a WebSocket's request may change the protocol; any other is answered as if it had not. */
const shouldUpgradeCallback = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket'

/** 0 is never. */
const makeServer = (): Server =>
  createServer({ keepAliveTimeout: 0, requestTimeout: 0, shouldUpgradeCallback })

async function listen(server: Server, targetGroupArn: string): Promise<string> {
  for (const port of portsFor(targetGroupArn)) {
    if (!(await takes(server, port))) continue
    const { port: taken } = server.address() as AddressInfo
    return `http://${HOST}:${String(taken)}`
  }
  throw new BalancerError({
    text: 'the port of the target group is taken',
    seen: targetGroupArn,
    next: 'stop what listens there, or end the ARN with the number of another port',
  })
}

/** False where the port is somebody else's. */
function takes(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false)
      else reject(error)
    }
    server.once('error', onError)
    server.listen(port, HOST, () => {
      server.off('error', onError)
      resolve(true)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve()
    })
    server.closeAllConnections()
  })
}
