/**
 * All that an agent knows, as one frozen JSON value.
 *
 * The step makes a new one from the old one and an event; nothing else changes it. What a replica
 * *should* do is derived from it each time (order, assignment, notice), never stored twice.
 */
import type { Assignment, GpuShare } from '#shared/model/assignment.ts'
import type { AskedCheck } from '#shared/model/burn-in.ts'
import type { Report, ReportedReplica } from '#shared/model/report.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import type { Template } from '#shared/model/version.ts'
import type { DataState } from './data/data-state.ts'
import type { Interruption, RunningProcess } from './events.ts'
import type { Health } from './health/health.ts'
import type { Persisted } from './persisted.ts'

export type ProcessState =
  | { readonly state: 'none' }
  /** A start was ordered and has not been answered. */
  | { readonly state: 'starting' }
  | ({ readonly state: 'up' } & RunningProcess)

export type ProbeState = {
  readonly nextAtMs: number
  readonly inFlight: boolean
  /** In a row. */
  readonly failures: number
  /** Since this process started. */
  readonly succeeded: boolean
}

/** Why a replica should not run. */
export type StopCause = 'PowerOff' | 'Unassigned' | 'Ordered' | 'Interrupted' | 'DataChanged'

export type ReplicaState = {
  readonly id: string
  readonly workload: string
  readonly version: string
  readonly gpus: readonly GpuShare[]
  readonly graceSeconds: number
  /** Absent for an adopted process that no assignment has explained yet. */
  readonly template?: Template
  readonly order: 'run' | 'stop'
  /** It leaves its load balancer, and serves on until that is done. */
  readonly servesOn: boolean
  /** False once the newest assignment no longer names it. */
  readonly assigned: boolean
  readonly process: ProcessState
  /** Of the last process, to be kept by the next. */
  readonly ports: Readonly<Record<string, number>>
  readonly ready: boolean
  readonly probe?: ProbeState
  /** How often a start was ordered, or its data failed; all but the first are restarts. */
  readonly starts: number
  /** Ends in a row without a long healthy life between them: the exponent of the back-off. */
  readonly failures: number
  /** Back-off: not to be started before. */
  readonly startAtMs?: number
  readonly stop?: {
    readonly sinceMs: number
    /** Absent for a stop that an earlier agent began. */
    readonly cause?: StopCause
    readonly killedAtMs?: number
  }
  readonly lastExit?: NonNullable<ReportedReplica['lastExit']>
}

export type BurnInState = {
  readonly attempt: number
  readonly suite: string
  readonly wanted: readonly AskedCheck[]
  readonly running?: string
  readonly results: readonly CheckResult[]
}

/** The report but for its counter and its time: equal content need not be written again. */
export type ReportContent = Omit<Report, 'sequence' | 'atMs'>

export type Outgoing = {
  readonly inFlight: boolean
  /** In a row. */
  readonly failures: number
  /** Not to be written before; absent: nothing is due. */
  readonly dueAtMs?: number
}

export type AgentSettings = {
  readonly arn: string
  readonly bootId: string
  readonly agentVersion: string
  /** Of this machine, as they were when the agent started; none where it has none. */
  readonly gpus?: Report['gpus']
  /** What replicas can run in here. */
  readonly runtimes: Report['runtimes']
  /** Silence of instance metadata after which the agent ends itself; absent: never. */
  readonly powerOffAfterMs?: number
}

export type AgentState = {
  readonly settings: AgentSettings
  readonly booted: boolean
  /** The highest generation ever seen, also in earlier boots. */
  readonly generation: number
  readonly assignment?: Assignment
  readonly replicas: Readonly<Record<string, ReplicaState>>
  readonly burnIn?: BurnInState
  readonly health: Health
  /** By key, the data that is wanted, or whole and kept. */
  readonly data: Readonly<Record<string, DataState>>
  /** The keys that the cache was last told to keep. */
  readonly keptData?: readonly string[]
  readonly interruption?: Interruption
  readonly rebalance: boolean
  readonly powerOff?: { readonly reason: string; readonly done: boolean }
  readonly sequence: number
  readonly report: Outgoing & { readonly content?: ReportContent }
  readonly beat: Outgoing
  /** What the state file holds; absent when it must be written whatever it holds. */
  readonly persisted?: Persisted
  /** After a failed write of the state file: not to be tried before. */
  readonly persistAtMs?: number
}

/** The state before `booted`: it knows who it is and nothing else. */
export function initialState(settings: AgentSettings): AgentState {
  return {
    settings,
    booted: false,
    generation: 0,
    replicas: {},
    health: {},
    data: {},
    rebalance: false,
    sequence: 0,
    report: { inFlight: false, failures: 0 },
    beat: { inFlight: false, failures: 0 },
  }
}
