/**
 * What one replica needs right now: the level-triggered heart of the agent.
 *
 * It looks at what should be (run or stop) and what is (no process, one on its way, one up) and
 * names the next effect. It remembers nothing of how things came to be, so a lost or repeated event
 * cannot lead it astray, and a replica whose start is unanswered gets no second process.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { ReportedPhase } from '#shared/model/report.ts'
import type { AgentEffect, ProcessTarget, ReplicaLaunch } from './effects.ts'
import { dataPathOf, servesOther, standOf, type DataStand } from './data/stand.ts'
import type { AgentState, ReplicaState, StopCause } from './state.ts'

export type Settled = {
  /** Undefined: there is nothing left to know about it. */
  readonly replica: ReplicaState | undefined
  readonly effects: readonly AgentEffect[]
}

type StopRule = {
  readonly cause: StopCause
  readonly when: (replica: ReplicaState, state: AgentState, nowMs: number) => boolean
}

const stopRules: readonly StopRule[] = [
  { cause: 'PowerOff', when: (_, state) => state.powerOff !== undefined },
  { cause: 'Unassigned', when: (replica) => !replica.assigned },
  {
    cause: 'Ordered',
    when: ({ order, servesOn, process }) =>
      order === 'stop' && !(servesOn && process.state === 'up'),
  },
  // The last moment at which it can still use all of its grace. Before it, reconcile decides.
  {
    cause: 'Interrupted',
    when: (replica, state, nowMs) => nowMs >= lastCallMs(replica, state),
  },
  // It is started again, with the right data.
  { cause: 'DataChanged', when: servesOther },
]

/** Why the replica should not run, if so; the first rule that matches names it. */
export function stopCause(
  replica: ReplicaState,
  state: AgentState,
  nowMs: number,
): StopCause | undefined {
  return stopRules.find(({ when }) => when(replica, state, nowMs))?.cause
}

/** When the machine's announced end leaves just the replica's grace; infinite without an end. */
export function lastCallMs(replica: ReplicaState, state: AgentState): number {
  if (state.interruption === undefined) return Infinity
  return state.interruption.deadlineMs - replica.graceSeconds * 1000
}

/** Why it can never start here, whatever time does. */
export function refusalOf(
  { template }: ReplicaState,
  { settings }: AgentState,
): string | undefined {
  if (template === undefined) return 'TemplateMissing'
  if (template.image === undefined) {
    return template.command === undefined ? 'CommandMissing' : undefined
  }
  return settings.runtimes.includes('docker') ? undefined : 'NoContainerRuntime'
}

/** When SIGKILL is next due for a replica that was told to stop. */
export function killAtMs(replica: ReplicaState, state: AgentState): number {
  const { stop } = replica
  if (stop === undefined) return Infinity
  if (stop.killedAtMs !== undefined) return stop.killedAtMs + LIMITS.killRepeatMs
  const most = state.powerOff === undefined ? Infinity : LIMITS.powerOffGraceSeconds
  return stop.sinceMs + Math.min(replica.graceSeconds, most) * 1000
}

/** The phase that a report names. */
export function phaseOf(
  replica: ReplicaState,
  state: AgentState,
  stopping: boolean,
): ReportedPhase {
  switch (replica.process.state) {
    case 'none': {
      if (stopping) return 'gone'
      if (refusalOf(replica, state) !== undefined) return 'failed'
      const stand = standOf(replica, state)
      if (stand.is !== 'whole') return stand.is
      return replica.startAtMs === undefined ? 'starting' : 'failed'
    }
    case 'starting':
      return stopping ? 'stopping' : 'starting'
    case 'up':
      if (stopping) return 'stopping'
      return replica.ready ? 'ready' : 'running'
  }
}

/** The replica after what is due now was ordered, and those orders. */
export function settleReplica(replica: ReplicaState, state: AgentState, nowMs: number): Settled {
  const cause = stopCause(replica, state, nowMs)
  switch (replica.process.state) {
    case 'starting':
      return { replica, effects: [] }
    case 'none':
      return cause === undefined ? settleStart(replica, state, nowMs) : settleGone(replica)
    case 'up': {
      const target = {
        replicaId: replica.id,
        pid: replica.process.pid,
        startTime: replica.process.startTime,
      }
      return cause === undefined
        ? settleProbe(replica, state, nowMs)
        : settleStop(replica, target, { cause, state, nowMs })
    }
  }
}

function settleGone(replica: ReplicaState): Settled {
  if (replica.assigned) return { replica, effects: [] }
  return { replica: undefined, effects: [{ kind: 'clean-up', replicaId: replica.id }] }
}

function settleStart(replica: ReplicaState, state: AgentState, nowMs: number): Settled {
  const refusal = refusalOf(replica, state)
  if (refusal !== undefined && replica.lastExit === undefined) {
    return { replica: { ...replica, lastExit: { reason: refusal, atMs: nowMs } }, effects: [] }
  }
  const stand = standOf(replica, state)
  if (stand.is !== 'whole') return { replica: withoutData(replica, stand), effects: [] }
  const launch = launchOf(replica, state)
  const early = replica.startAtMs !== undefined && nowMs < replica.startAtMs
  if (launch === undefined || early) return { replica, effects: [] }
  const { startAtMs: _, ...rest } = replica
  return {
    replica: { ...rest, process: { state: 'starting' }, starts: replica.starts + 1 },
    effects: [{ kind: 'start-process', launch, ports: replica.ports }],
  }
}

/** Data that cannot be had counts like a start that failed, each time, for all who wait for it. */
function withoutData(replica: ReplicaState, stand: DataStand): ReplicaState {
  if (stand.is !== 'failed' || replica.lastExit?.atMs === stand.atMs) return replica
  const { reason, atMs } = stand
  return { ...replica, starts: replica.starts + 1, lastExit: { reason, atMs } }
}

function settleStop(
  replica: ReplicaState,
  target: ProcessTarget,
  { cause, state, nowMs }: { cause: StopCause; state: AgentState; nowMs: number },
): Settled {
  const effects: AgentEffect[] = []
  let stop = replica.stop
  if (stop === undefined) {
    stop = { sinceMs: nowMs, cause }
    effects.push({ kind: 'signal-process', ...target })
  }
  if (nowMs >= killAtMs({ ...replica, stop }, state)) {
    stop = { ...stop, killedAtMs: nowMs }
    effects.push({ kind: 'kill-process', ...target })
  }
  return { replica: { ...replica, ready: false, stop }, effects }
}

function settleProbe(replica: ReplicaState, state: AgentState, nowMs: number): Settled {
  const { process, probe } = replica
  const health = replica.template?.health
  const launch = launchOf(replica, state)
  if (process.state !== 'up' || health === undefined || launch === undefined) {
    return { replica, effects: [] }
  }
  const due = probe ?? {
    nextAtMs: process.startedAtMs + health.initialDelaySeconds * 1000,
    inFlight: false,
    failures: 0,
    succeeded: replica.ready,
  }
  if (due.inFlight || nowMs < due.nextAtMs) {
    return { replica: { ...replica, probe: due }, effects: [] }
  }
  const { pid, ports, addresses } = process
  return {
    replica: { ...replica, probe: { ...due, inFlight: true } },
    effects: [{ kind: 'probe', replicaId: replica.id, pid, health, launch, ports, addresses }],
  }
}

function launchOf(replica: ReplicaState, state: AgentState): ReplicaLaunch | undefined {
  const node = state.assignment?.node
  const { id, workload, version, template, gpus, graceSeconds } = replica
  if (node === undefined || template === undefined) return undefined
  if (refusalOf(replica, state) !== undefined) return undefined
  const dataPath = dataPathOf(replica, state)
  return {
    ...{ replicaId: id, workload, node, version, template, gpus, graceSeconds },
    ...(dataPath === undefined ? {} : { dataPath }),
  }
}

/** When the replica next needs a look if nothing happens until then. */
export function nextLookMs(replica: ReplicaState, state: AgentState, nowMs: number): number {
  const { process, probe, startAtMs } = replica
  if (stopCause(replica, state, nowMs) !== undefined) {
    return process.state === 'up' ? killAtMs(replica, state) : Infinity
  }
  const lastCall = lastCallMs(replica, state)
  switch (process.state) {
    case 'starting':
      return lastCall
    case 'none':
      return Math.min(
        lastCall,
        refusalOf(replica, state) === undefined && standOf(replica, state).is === 'whole'
          ? (startAtMs ?? Infinity)
          : Infinity,
      )
    case 'up':
      return Math.min(lastCall, probe?.inFlight === false ? probe.nextAtMs : Infinity)
  }
}
