/**
 * What the machines of a pool can run replicas in, as far as one of them has told.
 *
 * Only a machine that is up knows whether there is a container engine on it. So a pool from which
 * nothing was bought yet is thought to have one, as the images that drover boots do; the first
 * machine tells, and the pool's status remembers it when that machine is gone, or the same mistake
 * would be bought again and again.
 */
import { byKey, groupBy, inOrder } from '../../base/order.ts'
import type { Node } from '../../model/node.ts'
import type { PoolItem } from '../../model/spec-item.ts'
import type { Snapshot } from '../snapshot.ts'

/** Of a machine that has told nothing yet. */
export const ALL_RUNTIMES: readonly string[] = ['process', 'docker']
export const PROCESS: readonly string[] = ['process']

type Seen = Pick<Snapshot, 'pools' | 'poolStatuses'> & { readonly nodes: Iterable<Node> }

/** By pool: what its newest machine told, or the last one that did; absent where none has yet. */
export function runtimesByPool(seen: Seen): ReadonlyMap<string, readonly string[]> {
  const told = [...seen.nodes].filter((own) => own.runtimes.length > 0)
  const byPool = groupBy(told, (own) => own.pool)
  return new Map(
    seen.pools.flatMap((pool): [string, readonly string[]][] => {
      const [newest] = byPool.get(pool.name)?.toSorted(newestFirst) ?? []
      const runtimes = newest?.runtimes ?? remembered(pool, seen)
      return runtimes === undefined ? [] : [[pool.name, runtimes]]
    }),
  )
}

const newestFirst = inOrder<Node>(
  byKey((own) => -own.createdAtMs),
  byKey((own) => own.name),
)

/** A pool that was changed since may boot another image: its next machine tells anew. */
function remembered(pool: PoolItem, { poolStatuses }: Seen): readonly string[] | undefined {
  const status = poolStatuses.find((own) => own.uid === pool.uid)
  return status?.observedGeneration === pool.generation ? status.runtimes : undefined
}

/** Names of pools of which it is known that they run no containers. */
export function poolsWithoutContainers(snapshot: Snapshot): ReadonlySet<string> {
  if (!snapshot.workloads.some((own) => own.spec.image !== undefined)) return NONE
  const known = [...runtimesByPool(snapshot)]
  return new Set(known.flatMap(([name, runtimes]) => (runtimes.includes('docker') ? [] : [name])))
}

const NONE: ReadonlySet<string> = new Set()
