/**
 * Time to live in local mode: the engine keeps the setting but never acts on it, so a sweep does.
 *
 * A delete holds only while the item's `ttl` is still the one that was read: an agent may just have
 * renewed its beat.
 */
import { equal, type Store } from '#shared/store/store.ts'

/** Deletes every item of the table whose `ttl` has passed at `nowMs`; returns how many. */
export async function sweepExpired(store: Store, nowMs: number): Promise<number> {
  let swept = 0
  for (const { pk, sk, ttl } of await store.scan()) {
    if (typeof ttl !== 'number' || ttl * 1000 > nowMs) continue
    const when = [equal('ttl', ttl)]
    const { applied } = await store.write({ kind: 'delete', key: { pk, sk }, when })
    if (applied) swept += 1
  }
  return swept
}
