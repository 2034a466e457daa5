/**
 * The whole agent as one pure function: what is known, and what just happened, give what is known
 * next and what to do.
 *
 * It works in two halves. `absorb` writes down what the event tells; `settle` then looks at
 * everything that is known, as if for the first time, and orders what is due. No order hangs on
 * having seen a particular event, so lost, late and doubled ones cost nothing but time.
 */
import { frozen } from '#shared/base/frozen.ts'
import { nextFetchAtMs, settleData } from './data/settle-data.ts'
import type { AgentEffect } from './effects.ts'
import type { AgentEvent } from './events.ts'
import { absorb } from './facts.ts'
import { nextLookMs, settleReplica } from './replica.ts'
import { settleBeat, settlePersist, settleReport } from './reporting.ts'
import type { AgentState, ReplicaState } from './state.ts'

export type Step = {
  readonly state: AgentState
  /** To be carried out in order. */
  readonly effects: readonly AgentEffect[]
}

/** One step. Pure; the state is deeply frozen JSON, and so are the effects. */
export function step(state: AgentState, event: AgentEvent): Step {
  const known = absorb(state, event)
  return frozen(known.booted ? settle(known, event.nowMs) : { state: known, effects: [] })
}

/**
 * When a tick is next due if nothing happens until then, milliseconds since the epoch; undefined
 * for never. A tick before it does nothing.
 */
export function nextTickAtMs(state: AgentState, nowMs: number): number | undefined {
  const { report, beat, persisted, persistAtMs } = state
  const looks = Object.values(state.replicas).map((replica) => nextLookMs(replica, state, nowMs))
  const dueMs = Math.min(
    ...looks,
    nextFetchAtMs(state, nowMs),
    report.inFlight ? Infinity : (report.dueAtMs ?? Infinity),
    beat.inFlight ? Infinity : (beat.dueAtMs ?? Infinity),
    persisted === undefined ? (persistAtMs ?? Infinity) : Infinity,
  )
  return Number.isFinite(dueMs) ? dueMs : undefined
}

const stages = [
  settleReplicas,
  settleData,
  settleBurnIn,
  settlePowerOff,
  settleReport,
  settleBeat,
] as const

function settle(start: AgentState, nowMs: number): Step {
  let state = start
  const effects: AgentEffect[] = []
  for (const stage of stages) {
    const settled = stage(state, nowMs)
    state = settled.state
    effects.push(...settled.effects)
  }
  // The file first: what is ordered below it must not be forgotten by a crash in between.
  const kept = settlePersist(state, nowMs)
  return { state: kept.state, effects: [...kept.effects, ...effects] }
}

function settleReplicas(state: AgentState, nowMs: number): Step {
  const effects: AgentEffect[] = []
  const replicas: Record<string, ReplicaState> = {}
  for (const replica of Object.values(state.replicas)) {
    const settled = settleReplica(replica, state, nowMs)
    effects.push(...settled.effects)
    if (settled.replica !== undefined) replicas[replica.id] = settled.replica
  }
  return { state: { ...state, replicas }, effects }
}

/**
 * One check at a time: they measure the machine, and would measure each other. So a newer attempt
 * waits for what still runs of an older one, and drops its results.
 */
function settleBurnIn(state: AgentState): Step {
  const asked = state.assignment?.burnIn
  const isFree = state.burnIn?.running === undefined
  const newer = asked !== undefined && asked.attempt > (state.burnIn?.attempt ?? 0)
  const burnIn =
    newer && isFree
      ? { attempt: asked.attempt, suite: asked.suite, wanted: asked.checks, results: [] }
      : state.burnIn
  if (burnIn === undefined) return { state, effects: [] }
  const check = burnIn.wanted[burnIn.results.length]
  if (burnIn.running !== undefined || check === undefined) {
    return { state: { ...state, burnIn }, effects: [] }
  }
  return {
    state: { ...state, burnIn: { ...burnIn, running: check.name } },
    effects: [{ kind: 'run-check', attempt: burnIn.attempt, check }],
  }
}

function settlePowerOff(state: AgentState): Step {
  const { powerOff } = state
  const busy = Object.values(state.replicas).some((replica) => replica.process.state !== 'none')
  if (powerOff === undefined || powerOff.done || busy) return { state, effects: [] }
  return {
    state: { ...state, powerOff: { ...powerOff, done: true } },
    effects: [{ kind: 'power-off', reason: powerOff.reason }],
  }
}
