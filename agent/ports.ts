/**
 * What the agent's loop needs of the world: the adapters behind it on a node, memory versions in
 * tests and in the simulation.
 */
import type { Assignment, AssignmentHead } from '#shared/model/assignment.ts'
import type { AskedCheck } from '#shared/model/burn-in.ts'
import type { Data } from '#shared/model/data.ts'
import type { Report, Usage } from '#shared/model/report.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import type { Logger } from '#shared/base/log.ts'
import type { ProbeRequest, ProcessTarget, ReplicaLaunch } from './effects.ts'
import type { AdoptedProcess, CachedData, Interruption, RunningProcess } from './events.ts'
import type { Look } from './health/looks.ts'
import type { Persisted } from './persisted.ts'

export type Timers = {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls `run` once after `ms`; the result cancels it. */
  after(ms: number, run: () => void): () => void
}

/** Every call throws TableError when the table cannot be reached or does not answer in time. */
export type AgentTable = {
  /** Eventually consistent: cheap enough to be asked every two seconds. */
  readHead(arn: string): Promise<AssignmentHead | undefined>
  /** Strongly consistent. */
  readAssignment(arn: string): Promise<Assignment | undefined>
  writeReport(report: Report): Promise<void>
  /** Stamps the beat with DynamoDB's own time. */
  writeBeat(beat: {
    arn: string
    bootId: string
    usage?: Readonly<Record<string, Usage>>
  }): Promise<void>
}

export type Notices = { readonly interruption?: Interruption; readonly rebalance: boolean }
export type Metadata = {
  /** Throws MetadataError when instance metadata does not answer. */
  notices(): Promise<Notices>
}

export type Exit = {
  replicaId: string
  pid: number
  code?: number
  signal?: string
  /** Where the runtime knows more than code and signal tell. */
  reason?: 'OutOfMemory'
}
export type StartResult =
  | { readonly started: RunningProcess }
  /** It did not come to life; the reason is fit for a report. */
  | { readonly failed: string }

export type Runtime = {
  /** The processes of earlier agents that still run. Called once, before anything is started. */
  adopt(): readonly AdoptedProcess[]
  /** Starts the command as a group of its own. Never throws. */
  start(launch: ReplicaLaunch, ports: Readonly<Record<string, number>>): Promise<StartResult>
  /** SIGTERM or SIGKILL to the whole group. */
  signal(target: ProcessTarget, signal: 'SIGTERM' | 'SIGKILL'): void
  /** Called once for each process that ended, however it began. */
  onExit(listener: (exit: Exit) => void): void
  /** Whether the replica answers its health check. Never throws, always ends. */
  probe(request: ProbeRequest): Promise<boolean>
  /** Removes the files of a replica that is gone for good. */
  cleanUp(replicaId: string): Promise<void>
}

/** Runs one check and says what came of it. Never throws, always ends. */
export type RunCheck = (check: AskedCheck) => Promise<CheckResult>

/**
 * Looks at the machine's health, each time at what is new. Never throws; an area that cannot be
 * looked at is left out.
 */
export type LookAtHealth = () => Promise<readonly Look[]>

export type FetchRequest = {
  readonly key: string
  readonly data: Data
  /** What it must hold, where that is known. */
  readonly digest?: string
}
export type FetchProgress = { readonly fetchedBytes: number; readonly totalBytes?: number }
export type FetchResult =
  | { readonly whole: CachedData }
  /** Fit for a report: `DataFetchFailed: …`, `DataChanged: …`, `DataDoesNotFit: …`. */
  | { readonly failed: string }

/** The data on this node's disk, each version of it whole or as good as not there. */
export type DataCache = {
  /** Called once, before anything is fetched. */
  whole(): readonly CachedData[]
  /** One at a time a key. Never throws, always ends; at once where all is there already. */
  fetch(request: FetchRequest, onProgress: (told: FetchProgress) => void): Promise<FetchResult>
  /** Ends the fetch of that key, if there is one; what is there of it may be of use later. */
  stop(key: string): void
  /** What else is there may go: what is old, and what is in the way. Never throws. */
  evict(keep: readonly string[]): void
}

/**
 * What each replica used since it was last asked, by its id. Never throws, and always ends before a
 * beat is late.
 */
export type MeasureUsage = () => Promise<Readonly<Record<string, Usage>>>

export type AgentPorts = {
  readonly timers: Timers
  readonly table: AgentTable
  readonly metadata: Metadata
  readonly runtime: Runtime
  readonly runCheck: RunCheck
  readonly data: DataCache
  /** Absent: nobody watches. */
  readonly lookAtHealth?: LookAtHealth
  /** Absent: nothing is measured. */
  readonly measureUsage?: MeasureUsage
  /** Throws when the state file cannot be written. */
  readonly persist: (persisted: Persisted) => void
  readonly powerOff: (reason: string) => void
  readonly log: Logger
}
