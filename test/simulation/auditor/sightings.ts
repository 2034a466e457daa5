/**
 * Instances that EC2 listed for reconcile while no node named them: who saw them, and since when.
 *
 * Killing the wrong machine is worse than paying for a stray one, so an orphan must have been seen
 * in two listings a minute apart and be older than any launch in flight.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { SeenOf, Truth } from '../traffic.ts'
import type { Books } from './books.ts'
import { CLOCK_SLACK_MS } from './rule.ts'

type Sighting = { readonly firstAtMs: number; lastAtMs: number; claimedAtMs?: number }

export type Sightings = {
  hear(seen: SeenOf<'list'>): void
  /** Seen twice, old enough, and named by no node at that moment (now, where none is given). */
  wasOrphan(instanceId: string, atMs: number | undefined): boolean
  describe(instanceId: string): string
}

export function makeSightings(truth: Truth, books: Books): Sightings {
  const all = new Map<string, Sighting>()
  return {
    hear: ({ by, atMs, instances }) => {
      if (by.role !== 'reconcile') return
      for (const { instanceId, state } of instances) {
        const isAlive = state === 'pending' || state === 'running'
        const known = all.get(instanceId)
        if (!isAlive) all.delete(instanceId)
        else if (books.nodeOfInstance(instanceId) !== undefined) {
          if (known === undefined) continue
          known.claimedAtMs ??= atMs
          if (atMs - known.claimedAtMs > LIMITS.sweepEveryMs) all.delete(instanceId)
        } else if (known === undefined || known.claimedAtMs !== undefined) {
          all.set(instanceId, { firstAtMs: atMs, lastAtMs: atMs })
        } else known.lastAtMs = atMs
      }
    },
    wasOrphan: (instanceId, atMs = truth.nowMs()) => {
      const own = all.get(instanceId)
      const bornAtMs = truth.instance(instanceId)?.launchedAtMs ?? Infinity
      return (
        own !== undefined &&
        (own.claimedAtMs ?? Infinity) >= atMs &&
        own.lastAtMs - own.firstAtMs >= LIMITS.sweepEveryMs - CLOCK_SLACK_MS &&
        own.lastAtMs - bornAtMs >= LIMITS.sweepMinAgeMs - CLOCK_SLACK_MS
      )
    },
    describe: (instanceId) => {
      const own = all.get(instanceId)
      if (own === undefined) return 'never listed without a node'
      const { firstAtMs, lastAtMs } = own
      return `listed without a node from ${String(firstAtMs)} to ${String(lastAtMs)}`
    },
  }
}
