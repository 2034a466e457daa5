/**
 * What the machines of a pool can run replicas in, as far as one of them has told.
 *
 * Only a machine that is up knows whether there is a container engine on it. So a pool from which
 * nothing was bought yet is thought to have one, as the images that drover boots do; the first
 * machine tells, and the pool's status remembers it when that machine is gone, or the same mistake
 * would be bought again and again.
 */
import { byKey, groupBy, inOrder } from '../../base/order.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Node } from '../../model/node.ts'
import type { PoolStatus } from '../../model/status.ts'
import type { PoolItem } from '../../model/spec-item.ts'
import type { Snapshot } from '../snapshot.ts'

/** Of a machine that has told nothing yet. */
export const ALL_RUNTIMES: readonly string[] = ['process', 'docker']
export const PROCESS: readonly string[] = ['process']

type Runtimes = NonNullable<PoolStatus['runtimes']>
type Seen = Pick<Snapshot, 'nowMs' | 'pools' | 'poolStatuses'> & { readonly nodes: Iterable<Node> }

/** By pool: what its newest machine told, or the last one that did; absent where none has yet. */
export function runtimesByPool(seen: Seen): ReadonlyMap<string, Runtimes> {
  const told = [...seen.nodes].filter((own) => own.runtimes.length > 0)
  const byPool = groupBy(told, (own) => own.pool)
  return new Map(
    seen.pools.flatMap((pool): [string, Runtimes][] => {
      // One that was bought before the pool was changed tells of another image.
      const own = byPool.get(pool.name)?.filter((one) => one.createdAtMs >= pool.updatedAtMs)
      const [newest] = own?.toSorted(newestFirst) ?? []
      const told = newest && { names: newest.runtimes, sinceMs: newest.createdAtMs }
      const runtimes = told ?? remembered(pool, seen)
      return runtimes === undefined ? [] : [[pool.name, runtimes]]
    }),
  )
}

const newestFirst = inOrder<Node>(
  byKey((own) => -own.createdAtMs),
  byKey((own) => own.name),
)

/**
 * A pool that was changed since may boot another image, and so may any after some hours: its next
 * machine tells anew.
 */
function remembered(pool: PoolItem, { poolStatuses, nowMs }: Seen): Runtimes | undefined {
  const status = poolStatuses.find((own) => own.uid === pool.uid)
  if (status?.observedGeneration !== pool.generation || status.runtimes === undefined)
    return undefined
  const isOld = nowMs - status.runtimes.sinceMs >= LIMITS.poolRuntimesMs
  return isOld ? undefined : status.runtimes
}

/** Names of pools of which it is known that they run no containers. */
export function poolsWithoutContainers(snapshot: Snapshot): ReadonlySet<string> {
  const { workloads, revisions } = snapshot
  const isAsked =
    workloads.some((own) => own.spec.image !== undefined) ||
    revisions.some((own) => own.template.image !== undefined)
  if (!isAsked) return NONE
  const known = [...runtimesByPool(snapshot)]
  return new Set(known.flatMap(([name, { names }]) => (names.includes('docker') ? [] : [name])))
}

const NONE: ReadonlySet<string> = new Set()
