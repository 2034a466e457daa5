/**
 * How things stand with the data that a replica serves: whole, on its way, or not to be had.
 *
 * A version of data is fetched once for all replicas of a node and is known by its key. What the
 * cache holds under a key never changes while a process of that key runs, so what is whole now is
 * what every such process was started with. The assignment may come to name a digest that is not
 * the cache's; then what is there is as good as missing.
 */
import { dataKey } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Report } from '#shared/model/report.ts'
import type { AgentState, ReplicaState } from '../state.ts'
import type { DataState } from './data-state.ts'

export type DataStand =
  | { readonly is: 'whole'; readonly path?: string }
  | { readonly is: 'fetching' }
  | { readonly is: 'failed'; readonly reason: string; readonly atMs: number }

/** The key of what the replica serves; undefined where it serves none, or is not explained yet. */
export function dataKeyOf({ template }: ReplicaState): string | undefined {
  return template?.data === undefined ? undefined : dataKey(template.data)
}

/** What the data must hold, where that is known. */
export function expectedDigest(state: AgentState, key: string): string | undefined {
  return state.assignment?.data?.find((own) => own.key === key)?.digest
}

/** Whether the cache holds something whole that is not what it must be. */
export function holdsOther(state: AgentState, key: string): boolean {
  const [expected, held] = [expectedDigest(state, key), state.data[key]?.whole?.digest]
  return expected !== undefined && held !== undefined && held !== expected
}

/** Whole with no path for a replica without data. */
export function standOf(replica: ReplicaState, state: AgentState): DataStand {
  const key = dataKeyOf(replica)
  if (key === undefined) return { is: 'whole' }
  const entry = state.data[key]
  if (entry?.whole !== undefined && !holdsOther(state, key)) {
    return { is: 'whole', path: entry.whole.path }
  }
  return entry?.failed === undefined ? { is: 'fetching' } : { is: 'failed', ...entry.failed }
}

/** Where a replica's data lies, wherever it stands with it: a running process has it there. */
export function dataPathOf(replica: ReplicaState, state: AgentState): string | undefined {
  const key = dataKeyOf(replica)
  return key === undefined ? undefined : state.data[key]?.whole?.path
}

/** A process that was started with data that the node must not serve any more. */
export function servesOther(replica: ReplicaState, state: AgentState): boolean {
  if (replica.process.state !== 'up') return false
  const key = dataKeyOf(replica)
  return replica.stop?.cause === 'DataChanged' || (key !== undefined && holdsOther(state, key))
}

/** What a report says of the node's data; undefined where there is none. */
export function toldOfData(state: AgentState): Report['data'] {
  const keys = Object.keys(state.data).sort().slice(0, LIMITS.dataPerNodeMax)
  if (keys.length === 0) return undefined
  return keys.flatMap((key) => {
    const entry = state.data[key]
    return entry === undefined ? [] : [toldOf(key, entry)]
  })
}

function toldOf(key: string, entry: DataState): NonNullable<Report['data']>[number] {
  const { whole, failed, fetchedBytes, totalBytes } = entry
  if (whole !== undefined) {
    const { digest, bytes } = whole
    return { key, state: 'whole', digest, fetchedBytes: bytes, totalBytes: bytes }
  }
  return {
    key,
    state: failed === undefined ? 'fetching' : 'failed',
    fetchedBytes,
    ...(totalBytes === undefined ? {} : { totalBytes }),
    ...(failed === undefined ? {} : { reason: failed.reason }),
  }
}
