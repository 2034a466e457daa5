/**
 * Takes into the state what the cache tells: at boot, on the way of a fetch, and at its end.
 *
 * Progress is taken in by large steps only, because whatever moves in the state moves the report,
 * and a report is not free. The end of a fetch that nobody wanted any more is no failure.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { CachedData, EventOf } from '../events.ts'
import type { AgentState } from '../state.ts'
import type { DataState } from './data-state.ts'

/** What is there as the agent starts. */
export function cachedData({ data, nowMs }: EventOf<'booted'>): AgentState['data'] {
  return Object.fromEntries((data ?? []).map((own) => [own.key, wholeState(own, nowMs)]))
}

export function fetchMovedOn(state: AgentState, event: EventOf<'data-progress'>): AgentState {
  const { key, fetchedBytes, totalBytes, nowMs } = event
  const entry = state.data[key]
  if (entry?.fetching !== 'running') return state
  const isFirst = entry.totalBytes === undefined && totalBytes !== undefined
  const moreBytes = Math.abs(fetchedBytes - entry.fetchedBytes)
  const isMuch = moreBytes >= (totalBytes ?? 0) * LIMITS.dataProgressShare
  const isLater = nowMs - entry.toldAtMs >= LIMITS.dataProgressMs
  if (!isFirst && !(isMuch && isLater)) return state
  const { totalBytes: _, ...rest } = entry
  return withEntry(state, key, {
    ...rest,
    ...{ fetchedBytes, toldAtMs: nowMs },
    ...(totalBytes === undefined ? {} : { totalBytes }),
  })
}

export function fetched(state: AgentState, event: EventOf<'data-whole'>): AgentState {
  if (state.data[event.key]?.fetching === undefined) return state
  return withEntry(state, event.key, wholeState(event, event.nowMs))
}

export function fetchFailed(state: AgentState, event: EventOf<'data-failed'>): AgentState {
  const { key, reason, nowMs } = event
  const entry = state.data[key]
  if (entry?.fetching === undefined) return state
  const { fetching, ...rest } = entry
  if (fetching === 'ending') return withEntry(state, key, rest)
  const failed = { reason, atMs: nowMs }
  return withEntry(state, key, { ...rest, failures: entry.failures + 1, failed })
}

function wholeState({ digest, bytes, path }: Omit<CachedData, 'key'>, nowMs: number): DataState {
  return { whole: { digest, bytes, path }, fetchedBytes: bytes, toldAtMs: nowMs, failures: 0 }
}

function withEntry(state: AgentState, key: string, entry: DataState): AgentState {
  return { ...state, data: { ...state.data, [key]: entry } }
}
