/**
 * The herd as it stands, for those who look and do not touch it: previews, costs, repack.
 */
import type { Clock } from '../cloud/clock.ts'
import { passSchema, type Pass } from '../model/facts.ts'
import type { Snapshot } from '../planner/snapshot.ts'
import { keys } from '../store/keys.ts'
import { loadSnapshot, type SnapshotSettings } from '../store/snapshot.ts'
import type { Store } from '../store/store.ts'

export type LookPorts = {
  readonly store: Pick<Store, 'get' | 'scan'>
  readonly clock: Pick<Clock, 'now'>
  readonly settings: SnapshotSettings
}

/** What a pass that begins now would read; throws StoreError where it cannot be read. */
export async function lookAtHerd({ store, clock, settings }: LookPorts): Promise<Snapshot> {
  const nowMs = clock.now()
  const item = await store.get(keys.pass())
  const pass = item === undefined ? firstPass(nowMs) : passSchema.parse(item)
  return loadSnapshot(store, { nowMs, pass, settings })
}

/** Before the first pass has run. */
const firstPass = (nowMs: number): Pass => ({
  kind: 'pass',
  tableUid: 'none',
  createdAtMs: nowMs,
  epoch: 0,
  startedAtMs: nowMs,
  coveredSinceMs: nowMs,
  suspects: {},
})
