/**
 * The data cache of a simulated machine: what is whole there outlives the agent and goes with the
 * machine; what is on its way goes with the agent.
 *
 * A source holds what its first reader found in it, told by a digest. On a bad day somebody has
 * written over it for a moment, and whoever reads it then gets something else.
 */
import { hash } from 'node:crypto'
import type { CachedData } from '#agent/events.ts'
import type { DataCache, FetchRequest, FetchResult } from '#agent/ports.ts'
import type { Data } from '#shared/model/data.ts'
import type { Invocation } from './calls.ts'
import { whenAwake, type Machine } from './machine.ts'
import { isMissing } from './serving.ts'

const FETCH_MS = { min: 1_000, max: 90_000 }
const AT_ONCE_MS = 5
const BYTES = { min: 1_000, max: 50_000_000 }

const digestOf = (data: Data): string => hash('sha256', `${data.version} ${data.source}`)

export function makeDataCache(machine: Machine, run: Invocation): DataCache {
  const { backends, chance } = machine.setup
  const { scheduler } = backends
  /** By key, how to answer who waits for it. */
  const open = new Map<string, (result: FetchResult) => void>()
  return {
    whole: () => [...machine.cache.values()],
    fetch: (request, onProgress) =>
      new Promise((resolve) => {
        const { key } = request
        const answer = (result: FetchResult): void => {
          if (open.get(key) !== answer) return
          open.delete(key)
          if ('whole' in result) machine.cache.set(key, result.whole)
          resolve(result)
        }
        open.set(key, answer)
        const after = (ms: number, act: () => void): void => {
          scheduler.at(scheduler.now() + ms, () => {
            whenAwake(machine, run, act)
          })
        }
        const held = machine.cache.get(key)
        if (held !== undefined && (request.digest ?? held.digest) === held.digest) {
          after(AT_ONCE_MS, () => {
            answer({ whole: held })
          })
          return
        }
        machine.cache.delete(key)
        machine.fetches += 1
        const name = `${key} ${machine.name} ${String(machine.fetches)}`
        const takesMs = chance.int(`fetch ${name}`, FETCH_MS)
        const totalBytes = chance.int(`bytes ${key}`, BYTES)
        after(Math.floor(takesMs / 2), () => {
          const fetchedBytes = Math.floor(totalBytes / 2)
          if (open.get(key) === answer) onProgress({ fetchedBytes, totalBytes })
        })
        after(takesMs, () => {
          answer(comesTo(machine, request, { name, bytes: totalBytes }))
        })
      }),
    stop: (key) => {
      open.get(key)?.({ failed: 'DataFetchFailed: nobody wants it any more' })
    },
    evict: (keep) => {
      for (const key of machine.cache.keys()) {
        const name = `evict ${key} ${machine.name} ${String(scheduler.now())}`
        if (!keep.includes(key) && chance.of(name) < 0.5) machine.cache.delete(key)
      }
    },
  }
}

type Fetch = { readonly name: string; readonly bytes: number }

function comesTo(
  { setup }: Machine,
  { key, data, digest }: FetchRequest,
  { name, bytes }: Fetch,
): FetchResult {
  const { faults } = setup
  if (isMissing(data)) return { failed: 'DataFetchFailed: 404' }
  if (faults.strikes('fetchFails', name)) return { failed: 'DataFetchFailed: silence for 30 s' }
  const own = digest ?? digestOf(data)
  const found = faults.strikes('sourceChanged', name) ? hash('sha256', `other ${own}`) : own
  if (digest !== undefined && found !== digest) {
    const told = `expected ${digest.slice(0, 8)}, and the source holds ${found.slice(0, 8)}`
    return { failed: `DataChanged: ${told}` }
  }
  return { whole: { key, digest: found, bytes, path: `/data/${key}` } satisfies CachedData }
}
