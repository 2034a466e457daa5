/**
 * What the node's data needs right now: what to fetch, what to let go, and what to keep.
 *
 * Like the replicas' part it is level-triggered: it looks at which data the replicas want and at
 * what is whole, and orders the rest, one fetch a key and a few at once. Everything that nobody
 * wants or keeps is forgotten here and left to the cache, which may have it still when it is
 * wanted again: asking it then costs nothing.
 */
import { sameMembers } from '#shared/base/equal.ts'
import type { Data } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { AgentEffect } from '../effects.ts'
import { refusalOf, stopCause } from '../replica.ts'
import type { AgentState, ReplicaState } from '../state.ts'
import type { DataState } from './data-state.ts'
import { dataKeyOf, expectedDigest, holdsOther } from './stand.ts'

export type DataSettled = { readonly state: AgentState; readonly effects: readonly AgentEffect[] }

const NOTHING_YET = { fetchedBytes: 0, failures: 0 } as const

/** Orders what is due of the node's data. */
export function settleData(state: AgentState, nowMs: number): DataSettled {
  const wanted = wantedData(state, nowMs)
  const entries: Record<string, DataState> = {}
  for (const key of wanted.keys()) entries[key] = state.data[key] ?? { ...NOTHING_YET, toldAtMs: 0 }
  const keep = keptKeys(state, wanted)
  for (const [key, entry] of Object.entries(state.data)) {
    const isKept = keep === undefined || keep.includes(key)
    const isHeld = entry.fetching !== undefined || (entry.whole !== undefined && isKept)
    if (isHeld) entries[key] = entry
  }
  const effects: AgentEffect[] = []
  for (const [key, entry] of Object.entries(entries)) {
    if (entry.fetching !== 'running' || wanted.has(key)) continue
    entries[key] = { ...entry, fetching: 'ending' }
    effects.push({ kind: 'stop-fetch', key })
  }
  const evicts = keep !== undefined && isNews(state, keep)
  if (evicts) effects.push({ kind: 'evict-data', keep })
  const next = { ...state, data: entries, ...(evicts ? { keptData: keep } : {}) }
  return orderFetches(next, wanted, { nowMs, effects })
}

function orderFetches(
  state: AgentState,
  wanted: ReadonlyMap<string, Data>,
  { nowMs, effects }: { nowMs: number; effects: readonly AgentEffect[] },
): DataSettled {
  const entries = { ...state.data }
  const orders: AgentEffect[] = []
  for (const [key, data] of wanted) {
    if (tryAtMs(key, { ...state, data: entries }) > nowMs) continue
    const { whole: _, asked: _before, ...entry } = entries[key] ?? { ...NOTHING_YET, toldAtMs: 0 }
    const digest = expectedDigest(state, key)
    const asked = digest === undefined ? {} : { asked: digest }
    entries[key] = { ...entry, ...asked, fetching: 'running', toldAtMs: nowMs }
    orders.push({ kind: 'fetch-data', key, data, ...(digest === undefined ? {} : { digest }) })
  }
  return { state: { ...state, data: entries }, effects: [...effects, ...orders] }
}

/** When a fetch is next due if nothing happens until then; infinite for never. */
export function nextFetchAtMs(state: AgentState, nowMs: number): number {
  const wanted = [...wantedData(state, nowMs).keys()]
  return Math.min(Infinity, ...wanted.map((key) => tryAtMs(key, state)))
}

/** When the wanted data is to be fetched; infinite while it need not or cannot be. */
function tryAtMs(key: string, state: AgentState): number {
  const entry = state.data[key]
  if (entry?.fetching !== undefined) return Infinity
  const isWrong = holdsOther(state, key)
  if (entry?.whole !== undefined && !isWrong) return Infinity
  // What it was started with stays as it is for as long as a process runs.
  if (isWrong && Object.values(state.replicas).some((own) => isUsing(own, key))) return Infinity
  const inFlight = Object.values(state.data).filter((own) => own.fetching !== undefined)
  if (inFlight.length >= LIMITS.dataFetchesAtOnce) return Infinity
  // What failed for another digest may be there for this one.
  if (entry?.failed === undefined || entry.asked !== expectedDigest(state, key)) return 0
  const pauseMs = LIMITS.dataRetryFirstMs * 2 ** Math.min(entry.failures - 1, 20)
  return entry.failed.atMs + Math.min(pauseMs, LIMITS.dataRetryMaxMs)
}

function isUsing(replica: ReplicaState, key: string): boolean {
  return replica.process.state !== 'none' && dataKeyOf(replica) === key
}

/** By key, what the replicas that are to run here serve. */
function wantedData(state: AgentState, nowMs: number): ReadonlyMap<string, Data> {
  const wanted = new Map<string, Data>()
  for (const replica of Object.values(state.replicas)) {
    const { template } = replica
    const key = dataKeyOf(replica)
    if (key === undefined || template?.data === undefined) continue
    const cause = stopCause(replica, state, nowMs)
    const isToRun = cause === undefined || cause === 'DataChanged'
    if (isToRun && refusalOf(replica, state) === undefined) wanted.set(key, template.data)
  }
  return wanted
}

/** What must not be evicted; undefined while that is not known. */
function keptKeys(
  state: AgentState,
  wanted: ReadonlyMap<string, Data>,
): readonly string[] | undefined {
  const { assignment, replicas } = state
  const all = Object.values(replicas)
  const isUnexplained = (own: ReplicaState): boolean =>
    own.process.state !== 'none' && own.template === undefined
  if (assignment === undefined || all.some(isUnexplained)) return undefined
  const inUse = all.flatMap((own) => {
    const key = dataKeyOf(own)
    return key === undefined || own.process.state === 'none' ? [] : [key]
  })
  const named = (assignment.data ?? []).map((own) => own.key)
  return [...new Set([...wanted.keys(), ...inUse, ...named])].sort()
}

/** An agent that has never had data has nothing to say to its cache. */
function isNews({ keptData, data }: AgentState, keep: readonly string[]): boolean {
  if (keptData === undefined) return keep.length > 0 || Object.keys(data).length > 0
  return !sameMembers(keptData, keep)
}
