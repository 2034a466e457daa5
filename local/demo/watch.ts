/**
 * A customer who never stops asking: counts a service's ready replicas and calls each of them,
 * again and again, while everything around it changes.
 *
 * The addresses are those that the API calls ready at that moment, as a load balancer would have
 * them.
 */
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Herd } from './herd.ts'

export type Failure = {
  readonly atMs: number
  readonly replica: string
  readonly node: string
  readonly text: string
}

export type Watched = {
  readonly looks: number
  readonly calls: number
  /** The fewest ready replicas that were ever seen, and the fewest that answered. */
  readonly fewestReady: number
  readonly fewestAnswering: number
  readonly failures: readonly Failure[]
  /** Looks at the API itself that failed: drover may be down while its replicas serve on. */
  readonly blind: number
}

export type Watch = { seen(): Watched; stop(): Promise<Watched> }

const LOOK_MS = 100
const CALL_MS = 2_000

/** Watches from now on. `herd` is asked anew each time: drover may come back at another address. */
export function watchService(herd: () => Herd, workload: string): Watch {
  const seen = {
    looks: 0,
    calls: 0,
    fewestReady: Infinity,
    fewestAnswering: Infinity,
    failures: [] as Failure[],
    blind: 0,
  }
  let stopped = false
  const look = async (): Promise<void> => {
    const replicas = await herd()
      .replicas(workload)
      .catch(() => undefined)
    if (replicas === undefined) {
      seen.blind += 1
      return
    }
    const ready = replicas.filter((own) => own.ready)
    const outcomes = await Promise.all(
      ready.map(async ({ id, node = '', addresses }) => {
        const address = Object.values(addresses)[0] ?? ''
        const text = await call(`http://${address}/`)
        if (text !== undefined)
          seen.failures.push({ atMs: Date.now(), replica: id, node, text: `${address}: ${text}` })
        return text === undefined
      }),
    )
    seen.looks += 1
    seen.calls += outcomes.length
    seen.fewestReady = Math.min(seen.fewestReady, ready.length)
    seen.fewestAnswering = Math.min(seen.fewestAnswering, outcomes.filter(Boolean).length)
  }
  const run = async (): Promise<void> => {
    while (!stopped) {
      await look()
      await sleep(LOOK_MS)
    }
  }
  const running = run()
  const copy = (): Watched => ({ ...seen, failures: [...seen.failures] })
  return {
    seen: copy,
    stop: async () => {
      stopped = true
      await running
      return copy()
    },
  }
}

/** Undefined when it answers well, else what went wrong. Each call is a connection of its own. */
function call(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: CALL_MS }, (response) => {
      response.resume()
      response.once('end', () => {
        const { statusCode } = response
        resolve(statusCode === 200 ? undefined : `status ${String(statusCode)}`)
      })
    })
    request.once('timeout', () => request.destroy(new Error(`no answer in ${String(CALL_MS)} ms`)))
    request.once('error', (error) => {
      resolve(error.message)
    })
  })
}
