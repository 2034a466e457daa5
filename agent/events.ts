/**
 * Everything that can happen to an agent, as data.
 *
 * Time comes in with each event, so the step that judges it needs no clock and a simulation can own
 * time. An event states what was seen; what follows from it is the step's business alone.
 */
import type { Assignment, GpuShare } from '#shared/model/assignment.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import type { Look } from './health/looks.ts'
import type { Persisted } from './persisted.ts'

/** A live process group; its leader is known for sure only by pid and start time together. */
export type RunningProcess = {
  readonly pid: number
  /** Opaque; equal exactly when it is the same process (Linux: clock ticks since boot). */
  readonly startTime: string
  readonly startedAtMs: number
  /** By port name. */
  readonly ports: Readonly<Record<string, number>>
  /** By port name: `10.0.0.7:20113`. */
  readonly addresses: Readonly<Record<string, string>>
}

/** A process that an earlier run of the agent started and that is still the same one. */
export type AdoptedProcess = {
  readonly replicaId: string
  readonly workload: string
  readonly version: string
  readonly gpus: readonly GpuShare[]
  readonly graceSeconds: number
  readonly process: RunningProcess
}

/** Data that lies whole in the node's cache. */
export type CachedData = {
  readonly key: string
  readonly digest: string
  readonly bytes: number
  /** The directory that holds its objects. */
  readonly path: string
}

export type Interruption = { readonly action: string; readonly deadlineMs: number }

type Facts =
  /** First event of all. `persisted` is what the last run wrote, if it was of this machine. */
  | {
      readonly kind: 'booted'
      readonly persisted?: Persisted
      readonly adopted: readonly AdoptedProcess[]
      /** What the cache holds whole; absent where there is no cache. */
      readonly data?: readonly CachedData[]
    }
  | { readonly kind: 'assignment-read'; readonly assignment: Assignment }
  | {
      readonly kind: 'process-started'
      readonly replicaId: string
      readonly process: RunningProcess
    }
  | { readonly kind: 'start-failed'; readonly replicaId: string; readonly reason: string }
  /** Neither code nor signal: it was no child of this agent, so nobody could ask. */
  | {
      readonly kind: 'process-exited'
      readonly replicaId: string
      readonly pid: number
      readonly code?: number
      readonly signal?: string
      readonly reason?: 'OutOfMemory'
    }
  | {
      readonly kind: 'probe-result'
      readonly replicaId: string
      readonly pid: number
      readonly ok: boolean
    }
  | { readonly kind: 'check-finished'; readonly attempt: number; readonly result: CheckResult }
  /** What was seen of the machine's health, area by area. */
  | { readonly kind: 'looked'; readonly looks: readonly Look[] }
  /** What instance metadata answered. A notice is never taken back. */
  | { readonly kind: 'metadata'; readonly interruption?: Interruption; readonly rebalance: boolean }
  /** Instance metadata has not answered for `silentMs`. */
  | { readonly kind: 'metadata-failed'; readonly silentMs: number }
  /** All bytes that are here by now, of as many as there are where that is known. */
  | {
      readonly kind: 'data-progress'
      readonly key: string
      readonly fetchedBytes: number
      readonly totalBytes?: number
    }
  | ({ readonly kind: 'data-whole' } & CachedData)
  | { readonly kind: 'data-failed'; readonly key: string; readonly reason: string }
  | { readonly kind: 'report-written' }
  | { readonly kind: 'beat-written' }
  | { readonly kind: 'write-failed'; readonly what: 'report' | 'beat' | 'persist' }
  | { readonly kind: 'tick' }

/** `nowMs` is the agent's own clock, milliseconds since the epoch. */
export type AgentEvent = Facts & { readonly nowMs: number }
export type EventOf<K extends AgentEvent['kind']> = Extract<AgentEvent, { kind: K }>
