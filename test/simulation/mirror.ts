/**
 * The main table as it stands, to be read without a call: for the truth, and for polls that would
 * see nothing new. It follows the table's own stream.
 */
import { keys } from '#shared/store/keys.ts'
import type { MemoryStore } from '#shared/store/memory-store.ts'
import type { Change, Item, Key } from '#shared/store/store.ts'

const WORKLOADS = keys.spec('workload', '').pk

export type Mirror = {
  get(key: Key): Item | undefined
  /** In no order that matters. */
  partition(pk: string): readonly Item[]
  items(): readonly Item[]
  /** Some node is being tested: a verdict may be missing. */
  awaitsVerdict(): boolean
  /** Some workload is scaled, or was. */
  scales(): boolean
}

/** Tells `onChange` of every change but beats: those mean nothing to anybody but a reader. */
export function makeMirror(store: MemoryStore, onChange: (change: Change) => void): Mirror {
  const partitions = new Map<string, Map<string, Item>>()
  const tested = new Set<string>()
  const scaled = new Set<string>()
  store.changes((change) => {
    const { key, after } = change
    const partition = partitions.get(key.pk) ?? new Map<string, Item>()
    if (after === undefined) partition.delete(key.sk)
    else partition.set(key.sk, after)
    if (partition.size === 0) partitions.delete(key.pk)
    else partitions.set(key.pk, partition)
    if (key.pk === 'node') {
      if (after?.['phase'] === 'testing') tested.add(key.sk)
      else tested.delete(key.sk)
    }
    if (key.pk === WORKLOADS && 'scale' in Object(after?.['spec'])) scaled.add(key.sk)
    if (!key.pk.startsWith('beat#')) onChange(change)
  })
  return {
    get: ({ pk, sk }) => partitions.get(pk)?.get(sk),
    partition: (pk) => [...(partitions.get(pk)?.values() ?? [])],
    items: () => [...partitions.values()].flatMap((own) => [...own.values()]),
    awaitsVerdict: () => tested.size > 0,
    scales: () => scaled.size > 0,
  }
}
