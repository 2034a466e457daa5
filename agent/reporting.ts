/**
 * What the agent tells: its report when something changed, its beat in between, its own memory on
 * disk.
 *
 * Changes wait a moment for one another, so a herd of events makes one report. While a write is
 * under way nothing else is sent; what changed meanwhile follows it. A report never outgrows its
 * item: it is thinned step by step, the least needed words first.
 */
import { sameJson } from '#shared/base/equal.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Report, ReportedReplica } from '#shared/model/report.ts'
import { toldOfData } from './data/stand.ts'
import type { AgentEffect } from './effects.ts'
import { toldOfHealth } from './health/health.ts'
import type { Persisted, PersistedReplica } from './persisted.ts'
import { phaseOf, stopCause } from './replica.ts'
import type { AgentState, ReplicaState, ReportContent } from './state.ts'

export type Told = { readonly state: AgentState; readonly effects: readonly AgentEffect[] }

/** Orders the report if its content changed, or its time has come. */
export function settleReport(state: AgentState, nowMs: number): Told {
  const content = reportContent(state, nowMs)
  const { report } = state
  const changed = !sameJson(content, report.content)
  // A pending back-off stays: a table that fails is not asked more often because more happens.
  const waits = report.failures > 0 && report.dueAtMs !== undefined
  const soonMs = Math.min(report.dueAtMs ?? Infinity, nowMs + LIMITS.reportCoalesceMs)
  const dueAtMs = changed && !waits ? soonMs : report.dueAtMs
  const due = {
    ...report,
    content: changed ? content : (report.content ?? content),
    ...(dueAtMs === undefined ? {} : { dueAtMs }),
  }
  if (due.inFlight || dueAtMs === undefined || nowMs < dueAtMs) {
    return { state: { ...state, report: due }, effects: [] }
  }
  const sequence = state.sequence + 1
  const { dueAtMs: _, ...rest } = due
  return {
    state: { ...state, sequence, report: { ...rest, inFlight: true } },
    effects: [
      { kind: 'write-report', report: thinReport({ ...due.content, sequence, atMs: nowMs }) },
    ],
  }
}

/** Orders the beat when its time has come. */
export function settleBeat(state: AgentState, nowMs: number): Told {
  const { beat, settings } = state
  if (beat.inFlight || beat.dueAtMs === undefined || nowMs < beat.dueAtMs) {
    return { state, effects: [] }
  }
  const { dueAtMs: _, ...rest } = beat
  return {
    state: { ...state, beat: { ...rest, inFlight: true } },
    effects: [{ kind: 'write-beat', arn: settings.arn, bootId: settings.bootId }],
  }
}

/** Orders the state file when it no longer says what is known. */
export function settlePersist(state: AgentState, nowMs: number): Told {
  const wanted = persistedOf(state)
  if (state.persistAtMs !== undefined && nowMs < state.persistAtMs) return { state, effects: [] }
  if (state.persisted !== undefined && samePersisted(state.persisted, wanted)) {
    return { state, effects: [] }
  }
  const { persistAtMs: _, ...rest } = state
  return {
    state: { ...rest, persisted: wanted },
    effects: [{ kind: 'persist', persisted: wanted }],
  }
}

/** The report's content as of now. */
export function reportContent(state: AgentState, nowMs: number): ReportContent {
  const { arn, bootId, agentVersion, runtimes, gpus } = state.settings
  const { burnIn, interruption } = state
  const health = toldOfHealth(state.health)
  const data = toldOfData(state)
  return {
    kind: 'report',
    ...{ arn, bootId, agentVersion },
    observedGeneration: state.assignment?.generation ?? 0,
    runtimes: [...runtimes],
    ...(gpus === undefined ? {} : { gpus: [...gpus] }),
    replicas: Object.values(state.replicas).map((replica) => reported(replica, state, nowMs)),
    ...(burnIn === undefined
      ? {}
      : {
          burnIn: {
            attempt: burnIn.attempt,
            suite: burnIn.suite,
            state: burnIn.results.length === burnIn.wanted.length ? 'finished' : 'running',
            checks: [...burnIn.results],
          },
        }),
    ...(data === undefined ? {} : { data }),
    ...(health === undefined ? {} : { health }),
    ...(interruption === undefined ? {} : { interruption }),
    ...(state.rebalance ? { rebalance: true } : {}),
  }
}

function reported(replica: ReplicaState, state: AgentState, nowMs: number): ReportedReplica {
  const stopping = stopCause(replica, state, nowMs) !== undefined
  const phase = phaseOf(replica, state, stopping)
  const { process, lastExit } = replica
  return {
    id: replica.id,
    version: replica.version,
    phase,
    ready: phase === 'ready',
    // Who waits for data has seen every process of it end.
    restarts: phase === 'fetching' ? replica.starts : Math.max(0, replica.starts - 1),
    ...(process.state === 'up' ? { startedAtMs: process.startedAtMs } : {}),
    addresses: process.state === 'up' ? { ...process.addresses } : {},
    gpus: [...replica.gpus],
    ...(lastExit === undefined ? {} : { lastExit }),
  }
}

type Thinner = (replica: ReportedReplica) => ReportedReplica
const withoutExit: Thinner = ({ lastExit: _, ...rest }) => rest
const thinners: readonly Thinner[] = [
  (replica) => (replica.phase === 'failed' ? replica : withoutExit(replica)),
  withoutExit,
  (replica) => (replica.ready ? replica : { ...replica, addresses: {} }),
  (replica) => ({ ...replica, addresses: {} }),
]

/** The report, short enough for its item; what people need least goes first. */
export function thinReport(report: Report, maxBytes: number = LIMITS.reportMaxBytes): Report {
  let thin = { ...report, replicas: report.replicas.slice(0, LIMITS.replicasPerNodeMax * 2) }
  for (const thinner of thinners) {
    if (Buffer.byteLength(JSON.stringify(thin)) <= maxBytes) break
    thin = { ...thin, replicas: thin.replicas.map(thinner) }
  }
  return thin
}

function persistedOf(state: AgentState): Persisted {
  const { arn, bootId } = state.settings
  const { generation, sequence, assignment, burnIn, health, interruption } = state
  const replicas = Object.values(state.replicas).map(
    (replica) => [replica.id, persistedReplica(replica)] as const,
  )
  return {
    ...{ arn, bootId, generation, sequence },
    ...(assignment === undefined ? {} : { assignment }),
    ...(burnIn === undefined
      ? {}
      : {
          burnIn: {
            attempt: burnIn.attempt,
            suite: burnIn.suite,
            wanted: [...burnIn.wanted],
            results: [...burnIn.results],
          },
        }),
    ...(Object.keys(health).length === 0 ? {} : { health }),
    ...(interruption === undefined ? {} : { interruption }),
    replicas: Object.fromEntries(replicas),
  }
}

function persistedReplica(replica: ReplicaState): PersistedReplica {
  const { starts, failures, ready, startAtMs, process, stop, lastExit } = replica
  return {
    ...{ starts, failures, ready },
    ...(startAtMs === undefined ? {} : { startAtMs }),
    ...(process.state === 'up' ? { pid: process.pid } : {}),
    ...(stop === undefined ? {} : { stopSinceMs: stop.sinceMs }),
    ...(lastExit === undefined ? {} : { lastExit }),
  }
}

/**
 * The big part, the assignment, is told apart by its generation: equal ones say the same to an
 * agent.
 */
function samePersisted(a: Persisted, b: Persisted): boolean {
  const { assignment: assignmentA, ...restA } = a
  const { assignment: assignmentB, ...restB } = b
  return assignmentA?.generation === assignmentB?.generation && sameJson(restA, restB)
}
