/**
 * What the load asks of the admin API, as a console, a few people and a deploy pipeline would
 * together: mostly reads, some plans, some writes. Each write changes something, so that a pass
 * follows it.
 */
import { idleWorkload } from '../measure/warm-herd.ts'

export type Route = {
  /** As the table shows it. */
  readonly name: string
  readonly method: 'GET' | 'PUT' | 'POST'
  /** How often it comes in a round. */
  readonly weight: number
  /** The nth request. */
  readonly make: (nth: number) => { readonly path: string; readonly body?: object }
}

/** Written to in turn, so that writers seldom meet. */
const TARGETS = 8
const REPLICAS = 2
const targetOf = (nth: number): string => `load-${String((nth % TARGETS) + 1)}`
const wish = (name: string): object => idleWorkload({ name, cpu: '10m', replicas: REPLICAS })

/** What must be there before the load begins. */
export const TARGET_DOCUMENTS: ReadonlyMap<string, object> = new Map(
  Array.from({ length: TARGETS }, (_, nth) => [targetOf(nth), wish(targetOf(nth))]),
)

const read = (name: string, path: (nth: number) => string): Route => ({
  ...{ name: `GET ${name}`, method: 'GET', weight: 2 },
  make: (nth) => ({ path: path(nth) }),
})

export const ROUTES: readonly Route[] = [
  read('/v1/workloads', () => '/v1/workloads'),
  read('/v1/workloads/{name}', (nth) => `/v1/workloads/${targetOf(nth)}`),
  read('/v1/nodes', () => '/v1/nodes'),
  read('/v1/replicas', () => '/v1/replicas'),
  read('/v1/workloads/{name}/explain', (nth) => `/v1/workloads/${targetOf(nth)}/explain`),
  read('/v1/cost', () => '/v1/cost'),
  read('/v1/events', () => '/v1/events'),
  {
    ...{ name: 'POST /v1/plan', method: 'POST', weight: 1 },
    make: (nth) => ({
      path: '/v1/plan',
      body: { documents: [idleWorkload({ name: `tried-${String(nth % TARGETS)}`, cpu: '1' })] },
    }),
  },
  {
    ...{ name: 'PUT /v1/workloads/{name}', method: 'PUT', weight: 1 },
    // Its priority rolls nothing, and is another each time the same one is written.
    make: (nth) => ({
      path: `/v1/workloads/${targetOf(nth)}`,
      body: { ...wish(targetOf(nth)), priority: 1 + (Math.floor(nth / TARGETS) % 1_000) },
    }),
  },
  {
    ...{ name: 'POST /v1/workloads/{name}/scale', method: 'POST', weight: 1 },
    make: (nth) => ({
      path: `/v1/workloads/${targetOf(nth)}/scale`,
      body: { replicas: 1 + (Math.floor(nth / TARGETS) % 3) },
    }),
  },
]
