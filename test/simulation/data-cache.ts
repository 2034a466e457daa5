/**
 * The data on a simulated machine: fetched in its own time, kept over an agent's end, and whole or
 * not there.
 *
 * A fetch may fail, and one that is to be checked may find something else for once, as if the
 * source had been in the middle of a change.
 */
import { hash } from 'node:crypto'
import type { CachedData } from '#agent/events.ts'
import type { DataCache, FetchResult } from '#agent/ports.ts'
import type { Invocation } from './calls.ts'
import { whenAwake, type Machine } from './machine.ts'

const FETCH_MS = { min: 1_000, max: 40_000 }
const FAILS = 0.06
const DIFFERS = 0.04

export function dataCacheOf(machine: Machine, run: Invocation): DataCache {
  const { scheduler } = machine.setup.backends
  const ends = new Map<string, (result: FetchResult) => void>()
  return {
    whole: () => [...machine.data.values()],
    fetch: ({ key, digest }) =>
      new Promise((resolve) => {
        const end = (result: FetchResult): void => {
          if (ends.get(key) !== end) return
          ends.delete(key)
          whenAwake(machine, run, () => {
            resolve(result)
          })
        }
        ends.set(key, end)
        machine.fetches += 1
        const name = `fetch ${String(machine.fetches)} on ${machine.name}`
        const { chance } = machine.setup
        scheduler.at(scheduler.now() + chance.int(name, FETCH_MS), () => {
          if (ends.get(key) !== end || !run.alive) return
          const luck = chance.of(`luck of ${name}`)
          if (luck < FAILS) end({ failed: 'DataFetchFailed: simulated' })
          else if (luck < FAILS + DIFFERS && digest !== undefined) {
            end({ failed: 'DataChanged: simulated' })
          } else {
            machine.data.set(key, dataOf(key))
            end({ whole: dataOf(key) })
          }
        })
      }),
    stop: (key) => {
      ends.get(key)?.({ failed: 'DataFetchFailed: stopped' })
    },
    evict: (keep) => {
      for (const key of machine.data.keys()) if (!keep.includes(key)) machine.data.delete(key)
    },
  }
}

const dataOf = (key: string): CachedData => ({
  ...{ key, bytes: 1_000_000, path: `/data/${key}` },
  digest: hash('sha256', key),
})
