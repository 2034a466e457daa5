/**
 * Everything an agent can do to the world, as data.
 *
 * A step returns effects and never carries them out, so a test reads them like a story and a
 * simulation answers them as it likes. Whoever carries one out answers with the event named here.
 */
import type { GpuShare } from '#shared/model/assignment.ts'
import type { AskedCheck } from '#shared/model/burn-in.ts'
import type { Data } from '#shared/model/data.ts'
import type { Report } from '#shared/model/report.ts'
import type { Template } from '#shared/model/version.ts'
import type { Health } from '#shared/model/workload.ts'
import type { Persisted } from './persisted.ts'

/** What a replica's environment is made from; the same for its process and its exec probe. */
export type ReplicaLaunch = {
  readonly replicaId: string
  readonly workload: string
  readonly node: string
  readonly version: string
  readonly template: Template
  readonly gpus: readonly GpuShare[]
  readonly graceSeconds: number
  /** Where the data lies that it serves, whole; absent where it serves none. */
  readonly dataPath?: string
}

/** A process group by its leader; nothing is sent where the start time no longer matches. */
export type ProcessTarget = {
  readonly replicaId: string
  readonly pid: number
  readonly startTime: string
}

export type ProbeRequest = {
  readonly replicaId: string
  readonly pid: number
  readonly health: Health
  readonly launch: ReplicaLaunch
  readonly ports: Readonly<Record<string, number>>
  readonly addresses: Readonly<Record<string, string>>
}

export type AgentEffect =
  /**
   * Answered by process-started or start-failed. `ports` are those it had before, to keep if free.
   */
  | {
      readonly kind: 'start-process'
      readonly launch: ReplicaLaunch
      readonly ports: Readonly<Record<string, number>>
    }
  /** SIGTERM to the group; a process-exited follows when the leader ends. */
  | ({ readonly kind: 'signal-process' } & ProcessTarget)
  /** SIGKILL to the group. */
  | ({ readonly kind: 'kill-process' } & ProcessTarget)
  /** Answered by probe-result, always, within the probe's timeout. */
  | ({ readonly kind: 'probe' } & ProbeRequest)
  /** Answered by check-finished, always. */
  | { readonly kind: 'run-check'; readonly attempt: number; readonly check: AskedCheck }
  /**
   * Answered by data-whole or data-failed, always, and by data-progress on the way. With a digest
   * only data that holds that is whole.
   */
  | {
      readonly kind: 'fetch-data'
      readonly key: string
      readonly data: Data
      readonly digest?: string
    }
  /** Ends the fetch, which is then answered. */
  | { readonly kind: 'stop-fetch'; readonly key: string }
  /** Of everything else the cache may let go what is old, or in the way. */
  | { readonly kind: 'evict-data'; readonly keep: readonly string[] }
  /** Answered by report-written or write-failed. */
  | { readonly kind: 'write-report'; readonly report: Report }
  /** Answered by beat-written or write-failed. */
  | { readonly kind: 'write-beat'; readonly arn: string; readonly bootId: string }
  /** Done before the effects that follow it; answered by write-failed only when it fails. */
  | { readonly kind: 'persist'; readonly persisted: Persisted }
  /** The replica is gone for good: its files may go. */
  | { readonly kind: 'clean-up'; readonly replicaId: string }
  /** Nothing runs any more: end the agent, and with it the machine. */
  | { readonly kind: 'power-off'; readonly reason: string }

export type EffectOf<K extends AgentEffect['kind']> = Extract<AgentEffect, { kind: K }>
