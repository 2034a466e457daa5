/**
 * A bus that remembers what was published, for tests, the simulator and local mode.
 */
import type { DroverEvent } from '../model/event.ts'
import type { Bus } from './bus.ts'

export type MemoryBus = Bus & {
  /** The newest events, oldest first; at most `keep` of them. */
  readonly published: readonly DroverEvent[]
}

/** Enough for a test to look at, little enough for a simulated year. */
const KEEP_EVENTS = 10_000

export function makeMemoryBus(keep: number = KEEP_EVENTS): MemoryBus {
  const published: DroverEvent[] = []
  return {
    published,
    publish: (events) => {
      published.push(...events)
      if (published.length > keep) published.splice(0, published.length - keep)
      return Promise.resolve()
    },
  }
}
