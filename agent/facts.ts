/**
 * Takes each kind of event into the state: what was seen, and nothing of what to do about it.
 *
 * An event about a process that is no longer the replica's (another pid, a replica long gone)
 * changes nothing, so late and doubled events are harmless.
 */
import type { Assignment, BoundReplica } from '#shared/model/assignment.ts'
import { isServingOn, templateKey } from '#shared/model/assignment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { cachedData, fetched, fetchFailed, fetchMovedOn } from './data/data-facts.ts'
import type { AdoptedProcess, AgentEvent, EventOf, RunningProcess } from './events.ts'
import { afterLook } from './health/health.ts'
import type { Persisted, PersistedReplica } from './persisted.ts'
import type { AgentState, Outgoing, ReplicaState } from './state.ts'

type Facts = {
  readonly [K in AgentEvent['kind']]: (state: AgentState, event: EventOf<K>) => AgentState
}

const facts: Facts = {
  booted,
  'assignment-read': (state, { assignment }) =>
    assignment.generation < state.generation ? state : takeAssignment(state, assignment),
  'process-started': (state, event) => {
    const replica = state.replicas[event.replicaId]
    if (replica === undefined)
      return withReplica(state, strayReplica(event.replicaId, event.process))
    if (replica.process.state === 'up') return state
    return withReplica(state, upReplica(replica, event.process))
  },
  'start-failed': (state, event) => {
    const replica = state.replicas[event.replicaId]
    if (replica?.process.state !== 'starting') return state
    return withReplica(state, endedReplica(replica, { reason: event.reason, atMs: event.nowMs }, 0))
  },
  'process-exited': exited,
  'probe-result': probed,
  'check-finished': (state, { attempt, result }) => {
    const { burnIn } = state
    if (burnIn?.attempt !== attempt || burnIn.running !== result.name) return state
    const { running: _, ...rest } = burnIn
    return { ...state, burnIn: { ...rest, results: [...burnIn.results, result] } }
  },
  looked: (state, { looks, nowMs }) => ({
    ...state,
    health: looks.reduce((health, look) => afterLook(health, look, nowMs), state.health),
  }),
  'data-progress': fetchMovedOn,
  'data-whole': fetched,
  'data-failed': fetchFailed,
  metadata: (state, { interruption, rebalance }) => ({
    ...state,
    ...(interruption === undefined ? {} : { interruption }),
    rebalance: state.rebalance || rebalance,
  }),
  'metadata-failed': (state, { silentMs }) => {
    const { powerOffAfterMs } = state.settings
    if (powerOffAfterMs === undefined || silentMs < powerOffAfterMs) return state
    const reason = `instance metadata has been silent for ${String(Math.round(silentMs / 1000))} s`
    return { ...state, powerOff: state.powerOff ?? { reason, done: false } }
  },
  'report-written': (state, { nowMs }) => ({
    ...state,
    report: { ...state.report, ...written(state.report, nowMs + LIMITS.reportRefreshMs) },
  }),
  'beat-written': (state, { nowMs }) => ({
    ...state,
    beat: written(state.beat, nowMs + LIMITS.beatEveryMs),
  }),
  'write-failed': (state, { what, nowMs }) => {
    if (what === 'persist') {
      const { persisted: _, ...rest } = state
      return { ...rest, persistAtMs: nowMs + LIMITS.agentRetryMaxMs }
    }
    return { ...state, [what]: retried(state[what], nowMs) }
  },
  tick: (state) => state,
}

/** The state with what the event tells. */
export function absorb<K extends AgentEvent['kind']>(
  state: AgentState,
  event: EventOf<K>,
): AgentState {
  const handle = facts[event.kind as K] as (state: AgentState, event: EventOf<K>) => AgentState
  return handle(state, event)
}

function booted(state: AgentState, event: EventOf<'booted'>): AgentState {
  const { arn, bootId } = state.settings
  const known = event.persisted?.arn === arn ? event.persisted : undefined
  const same = known?.bootId === bootId ? known : undefined
  const start: AgentState = {
    ...state,
    booted: true,
    generation: known?.generation ?? 0,
    sequence: same?.sequence ?? 0,
    ...(same?.burnIn === undefined ? {} : { burnIn: same.burnIn }),
    ...(same?.interruption === undefined ? {} : { interruption: same.interruption }),
    health: same?.health ?? {},
    data: cachedData(event),
    beat: { ...state.beat, dueAtMs: event.nowMs },
  }
  const adopted = event.adopted.map((process) => adoptedReplica(process, same))
  const remembered = same === undefined ? [] : rememberedReplicas(same)
  const next = { ...start, replicas: byId([...remembered, ...adopted]) }
  if (same?.assignment === undefined) return next
  const taken = takeAssignment(next, same.assignment)
  // The file may be older than the newest spawn: only what the table says can condemn a process.
  const named = new Set(same.assignment.replicas.map((bound) => bound.id))
  const unexplained = adopted.filter((replica) => !named.has(replica.id))
  return { ...taken, replicas: { ...taken.replicas, ...byId(unexplained) } }
}

function byId(replicas: readonly ReplicaState[]): Record<string, ReplicaState> {
  return Object.fromEntries(replicas.map((replica) => [replica.id, replica]))
}

/** Replicas the last run knew that have no process now: their counts must outlive the agent. */
function rememberedReplicas(persisted: Persisted): ReplicaState[] {
  return (persisted.assignment?.replicas ?? []).map((bound) => ({
    ...freshReplica(bound),
    ...historyOf(persisted.replicas[bound.id]),
  }))
}

function historyOf(past: PersistedReplica | undefined): Partial<ReplicaState> {
  if (past === undefined) return {}
  return {
    starts: past.starts,
    failures: past.failures,
    ...(past.startAtMs === undefined ? {} : { startAtMs: past.startAtMs }),
    ...(past.lastExit === undefined ? {} : { lastExit: past.lastExit }),
  }
}

function adoptedReplica(adopted: AdoptedProcess, persisted: Persisted | undefined): ReplicaState {
  const past = persisted?.replicas[adopted.replicaId]
  const same = past?.pid === adopted.process.pid ? past : undefined
  const { startAtMs: _, ...history } = historyOf(past)
  return {
    ...freshReplica({ ...adopted, id: adopted.replicaId, order: 'run' }),
    ...history,
    starts: Math.max(1, past?.starts ?? 0),
    process: { state: 'up', ...adopted.process },
    ports: adopted.process.ports,
    ready: same?.ready ?? false,
    ...(same?.stopSinceMs === undefined ? {} : { stop: { sinceMs: same.stopSinceMs } }),
  }
}

/** A process that nobody ordered: known, so that it can be stopped. */
function strayReplica(id: string, process: RunningProcess): ReplicaState {
  const nobody = {
    id,
    workload: id,
    version: '',
    gpus: [],
    graceSeconds: 0,
    order: 'stop',
  } as const
  return { ...upReplica(freshReplica(nobody), process), assigned: false, starts: 1 }
}

function freshReplica(
  bound: Pick<BoundReplica, 'id' | 'workload' | 'version' | 'order' | 'graceSeconds'> &
    Pick<ReplicaState, 'gpus'>,
): ReplicaState {
  const { id, workload, version, gpus, graceSeconds, order } = bound
  return {
    ...{ id, workload, version, gpus, graceSeconds, order },
    servesOn: false,
    assigned: true,
    process: { state: 'none' },
    ports: {},
    ready: false,
    starts: 0,
    failures: 0,
  }
}

function takeAssignment(state: AgentState, assignment: Assignment): AgentState {
  const bound = assignment.replicas.map((own) => {
    const known = state.replicas[own.id] ?? freshReplica(own)
    const template = assignment.templates[templateKey(own)]
    // A stop is never taken back, whatever a later assignment says; nor is having been left out.
    const order = known.order === 'stop' || !known.assigned ? 'stop' : own.order
    const { version, workload, gpus, graceSeconds } = own
    // Only now is it known of an adopted process that nothing will ever probe it.
    const isExplained = known.template === undefined && isUnprobed(template)
    return {
      ...known,
      ...{ version, workload, gpus, graceSeconds, order },
      ...(template === undefined ? {} : { template }),
      servesOn: isServingOn(own),
      assigned: true,
      ready: known.ready || (isExplained && known.process.state === 'up'),
    }
  })
  const named = new Set(bound.map((replica) => replica.id))
  const others = Object.values(state.replicas)
    .filter((replica) => !named.has(replica.id))
    .map((replica) => ({ ...replica, assigned: false }))
  return {
    ...state,
    generation: assignment.generation,
    assignment,
    replicas: byId([...bound, ...others]),
  }
}

function upReplica(replica: ReplicaState, process: RunningProcess): ReplicaState {
  const { probe: _, ...rest } = replica
  return {
    ...rest,
    process: { state: 'up', ...process },
    ports: process.ports,
    ready: isUnprobed(replica.template),
  }
}

/** Without a health check a replica is ready as soon as its process is up. */
function isUnprobed(template: ReplicaState['template']): boolean {
  return template !== undefined && template.health === undefined
}

function exited(state: AgentState, event: EventOf<'process-exited'>): AgentState {
  const replica = state.replicas[event.replicaId]
  if (replica?.process.state !== 'up' || replica.process.pid !== event.pid) return state
  const { code, signal, nowMs } = event
  const exit = {
    ...(code === undefined ? {} : { code }),
    ...(signal === undefined ? {} : { signal }),
    reason: exitReason(replica, event),
    atMs: nowMs,
  }
  return withReplica(state, endedReplica(replica, exit, nowMs - replica.process.startedAtMs))
}

function exitReason(replica: ReplicaState, event: EventOf<'process-exited'>): string {
  if (replica.stop?.killedAtMs !== undefined) return 'KilledAfterGrace'
  if (replica.stop?.cause === 'DataChanged') return 'DataChanged'
  if (replica.stop !== undefined) return 'Stopped'
  if (event.reason !== undefined) return event.reason
  if (event.signal !== undefined) return 'Signalled'
  if (event.code === undefined) return 'EndedUnwatched'
  return event.code === 0 ? 'Completed' : 'Error'
}

/** Without a process, and with the pause that its record of failures has earned it. */
function endedReplica(
  replica: ReplicaState,
  lastExit: NonNullable<ReplicaState['lastExit']>,
  upMs: number,
): ReplicaState {
  const { probe: _probe, stop: _stop, ...rest } = replica
  const failures = upMs >= LIMITS.restartResetMs ? 0 : replica.failures
  const pauseMs = Math.min(LIMITS.restartFirstMs * 2 ** failures, LIMITS.restartMaxMs)
  return {
    ...rest,
    process: { state: 'none' },
    ready: false,
    failures: failures + 1,
    startAtMs: lastExit.atMs + pauseMs,
    lastExit,
  }
}

function probed(state: AgentState, event: EventOf<'probe-result'>): AgentState {
  const replica = state.replicas[event.replicaId]
  const health = replica?.template?.health
  if (replica?.probe === undefined || health === undefined) return state
  if (replica.process.state !== 'up' || replica.process.pid !== event.pid) return state
  const succeeded = replica.probe.succeeded || event.ok
  const failures = event.ok ? 0 : replica.probe.failures + 1
  const everyMs = health.intervalSeconds * 1000
  // A process that has just started answers soon or not at all: do not make it wait a long
  // interval.
  const waitMs = succeeded ? everyMs : Math.min(everyMs, LIMITS.firstProbeEveryMs)
  return withReplica(state, {
    ...replica,
    ready: event.ok || (replica.ready && failures < health.failureThreshold),
    probe: { nextAtMs: event.nowMs + waitMs, inFlight: false, failures, succeeded },
  })
}

function withReplica(state: AgentState, replica: ReplicaState): AgentState {
  return { ...state, replicas: { ...state.replicas, [replica.id]: replica } }
}

function written(outgoing: Outgoing, nextMs: number): Outgoing {
  // What changed while the write was under way is due already, and sooner.
  return { inFlight: false, failures: 0, dueAtMs: Math.min(outgoing.dueAtMs ?? Infinity, nextMs) }
}

function retried(outgoing: Outgoing, nowMs: number): Outgoing {
  const pauseMs = LIMITS.agentRetryFirstMs * 2 ** Math.min(outgoing.failures, 20)
  return {
    ...outgoing,
    inFlight: false,
    failures: outgoing.failures + 1,
    dueAtMs: nowMs + Math.min(pauseMs, LIMITS.agentRetryMaxMs),
  }
}
