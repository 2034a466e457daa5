/**
 * A herd as seen from outside: the admin API and the controls, asked over HTTP.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { describeError, DroverError } from '#shared/base/errors.ts'
import {
  nodePageSchema,
  replicaPageSchema,
  workloadPageSchema,
  type NodeAnswer,
  type ReplicaAnswer,
} from '#shared/protocol/api.ts'

export type Workload = z.infer<typeof workloadPageSchema>['items'][number]

const REQUEST_MS = 5_000

export class HerdError extends DroverError {
  constructor(text: string, seen?: unknown) {
    super({ code: 'HerdFailed', text, seen })
  }
}

const instancesSchema = z.object({
  items: z.array(
    z.object({
      instanceId: z.string(),
      instanceType: z.string(),
      zone: z.string(),
      capacityType: z.string(),
      state: z.string(),
      agentPid: z.int().optional(),
    }),
  ),
})
export type LiveInstance = z.infer<typeof instancesSchema>['items'][number]

export type Herd = {
  readonly url: string
  workloads(): Promise<readonly Workload[]>
  nodes(): Promise<readonly NodeAnswer[]>
  replicas(workload: string): Promise<readonly ReplicaAnswer[]>
  /** Those that run or are about to. */
  instances(): Promise<readonly LiveInstance[]>
  send(method: 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<void>
}

export function makeHerd(url: string): Herd {
  const get = async <T>(path: string, schema: z.ZodType<T>): Promise<T> => {
    const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(REQUEST_MS) })
    const text = await response.text()
    if (response.status !== 200)
      throw new HerdError(`GET ${path}: ${String(response.status)}`, text)
    return schema.parse(JSON.parse(text))
  }
  return {
    url,
    workloads: async () => (await get('/v1/workloads?limit=500', workloadPageSchema)).items,
    nodes: async () => (await get('/v1/nodes?limit=500', nodePageSchema)).items,
    replicas: async (workload) =>
      (await get(`/v1/replicas?limit=500&workload=${workload}`, replicaPageSchema)).items,
    instances: async () => {
      const { items } = await get('/local/instances', instancesSchema)
      return items.filter(({ state }) => state === 'pending' || state === 'running')
    },
    send: async (method, path, body) => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        signal: AbortSignal.timeout(REQUEST_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new HerdError(`${method} ${path}: ${text.slice(0, 300)}`)
    },
  }
}

/** True when as many replicas are ready as are wanted, of the version that is wanted. */
export function isSettled({ generation, status }: Workload): boolean {
  return (
    status.deleting !== true &&
    status.observedGeneration === generation &&
    status.ready === status.desired &&
    status.updated === status.desired
  )
}

export type UntilOptions = { readonly what: string; readonly withinMs: number }

const LOOK_MS = 100

/**
 * Looks until there is something to see; throws HerdError with the last failure when time is up.
 */
export async function until<T>(
  { what, withinMs }: UntilOptions,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const endMs = performance.now() + withinMs
  let last = ''
  for (;;) {
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
      last = ''
    } catch (error) {
      last = `; last: ${describeError(error)}`
    }
    if (performance.now() > endMs) {
      throw new HerdError(`not within ${String(withinMs / 1000)} s: ${what}${last}`)
    }
    await sleep(LOOK_MS)
  }
}
