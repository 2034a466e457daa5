/**
 * The loop around the step: feeds it events, carries out its effects, keeps its timers.
 *
 * It decides nothing. Two polls run beside it, the assignment's head and instance metadata; each
 * waits for its own answer before it asks again, and waits longer while it fails. With ports from
 * memory and a virtual clock this very loop runs in a simulation.
 */
import { describeError } from '#shared/base/errors.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import type { AgentEffect, EffectOf } from './effects.ts'
import { MetadataError } from './errors.ts'
import type { AgentEvent } from './events.ts'
import type { Persisted } from './persisted.ts'
import type { AgentPorts, FetchProgress } from './ports.ts'
import { initialState, type AgentSettings, type AgentState } from './state.ts'
import { nextTickAtMs, step } from './step.ts'

export type AgentOptions = {
  readonly settings: AgentSettings
  /** What the last run left in the state file. */
  readonly persisted?: Persisted
  readonly headPollMs: number
  readonly metadataPollMs: number
  readonly healthLookMs?: number
}

export type Agent = {
  readonly state: () => AgentState
  /** Ends the loop; the replicas run on. */
  readonly stop: () => void
}

type WithoutTime<E> = E extends unknown ? Omit<E, 'nowMs'> : never
type Tell = (event: WithoutTime<AgentEvent>) => void

/** Starts the loop: adopts what runs, then polls and acts until stopped. */
export function runAgent(ports: AgentPorts, options: AgentOptions): Agent {
  const { timers, runtime } = ports
  let state = initialState(options.settings)
  let stopped = false
  let cancelTick = (): void => undefined
  const queue: AgentEvent[] = []
  let draining = false

  const tell: Tell = (event) => {
    queue.push({ ...event, nowMs: timers.now() } as AgentEvent)
    if (draining || stopped) return
    draining = true
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const stepped = step(state, next)
        state = stepped.state
        for (const effect of stepped.effects) carryOut(effect, ports, tell)
      }
    } finally {
      draining = false
    }
    cancelTick()
    const atMs = nextTickAtMs(state, timers.now())
    if (atMs === undefined) return
    // Node's timers end at 2^31 ms; a late extra tick does no harm.
    const waitMs = Math.min(Math.max(0, atMs - timers.now()), LIMITS.reportRefreshMs)
    cancelTick = timers.after(waitMs, () => {
      tell({ kind: 'tick' })
    })
  }

  runtime.onExit((exit) => {
    tell({ kind: 'process-exited', ...exit })
  })
  const { persisted } = options
  const adopted = runtime.adopt()
  ports.log.info('agent started', { adopted: adopted.map((own) => own.replicaId) })
  const data = ports.data.whole()
  tell({
    ...{ kind: 'booted', adopted, data },
    ...(persisted === undefined ? {} : { persisted }),
  })
  const stopHead = poll(ports, { name: 'assignment', everyMs: options.headPollMs }, () =>
    readAssignment(ports, state, tell),
  )
  const stopMetadata = watchMetadata(ports, options.metadataPollMs, tell)
  const stopLooks = watchHealth(ports, options.healthLookMs ?? LIMITS.healthLookMs, {
    isBusy: () => state.burnIn?.running !== undefined,
    tell,
  })
  return {
    state: () => state,
    stop: () => {
      stopped = true
      cancelTick()
      stopHead()
      stopMetadata()
      stopLooks()
    },
  }
}

/** The head says whether the body is worth reading; the first read of a run always is. */
async function readAssignment(ports: AgentPorts, state: AgentState, tell: Tell): Promise<void> {
  const { arn } = state.settings
  const head = await ports.table.readHead(arn)
  const taken = state.assignment?.generation ?? 0
  if (head === undefined || head.generation <= taken) return
  const assignment = await ports.table.readAssignment(arn)
  if (assignment === undefined) return
  if (assignment.generation < state.generation) {
    ports.log.warn('an older assignment is ignored', {
      generation: assignment.generation,
      seen: state.generation,
    })
    return
  }
  tell({ kind: 'assignment-read', assignment })
}

/** Not while a check runs: it measures the machine, and whoever looks is part of that. */
function watchHealth(
  ports: AgentPorts,
  everyMs: number,
  { isBusy, tell }: { isBusy: () => boolean; tell: Tell },
): () => void {
  const { lookAtHealth } = ports
  if (lookAtHealth === undefined) return () => undefined
  return poll(ports, { name: 'health', everyMs }, async () => {
    if (isBusy()) return
    const looks = await lookAtHealth()
    if (looks.length > 0) tell({ kind: 'looked', looks })
  })
}

function watchMetadata(ports: AgentPorts, everyMs: number, tell: Tell): () => void {
  // Silence is added up failure by failure, each gap capped: a frozen process or a sleeping laptop
  // was not asking, so the time it slept through proves nothing. Nor does an answer that is late:
  // an emulator that all its machines keep busy must not lose all of them for it.
  const gapMaxMs = everyMs + 2 * LIMITS.metadataTimeoutMs
  let silentMs = 0
  let askedAtMs = ports.timers.now()
  return poll(ports, { name: 'metadata', everyMs, steady: true }, async () => {
    try {
      const notices = await ports.metadata.notices()
      silentMs = 0
      askedAtMs = ports.timers.now()
      tell({ kind: 'metadata', ...notices })
    } catch (error) {
      const nowMs = ports.timers.now()
      const isLate = error instanceof MetadataError && error.isLate
      if (!isLate) silentMs += Math.min(Math.max(0, nowMs - askedAtMs), gapMaxMs)
      askedAtMs = nowMs
      tell({ kind: 'metadata-failed', silentMs })
      throw error
    }
  })
}

type PollOptions = {
  readonly name: string
  readonly everyMs: number
  /** Keeps its pace while it fails: its silence is itself a fact that somebody waits for. */
  readonly steady?: boolean
}

function poll(ports: AgentPorts, options: PollOptions, ask: () => Promise<void>): () => void {
  const { timers, log } = ports
  let stopped = false
  let failures = 0
  let cancel = (): void => undefined
  const again = async (): Promise<void> => {
    try {
      await ask()
      if (failures > 0) log.info(`${options.name}: answered again`, { failures })
      failures = 0
    } catch (error) {
      // The first of a row, and then now and then: an outage must not fill the disk with itself.
      if (failures % 20 === 0) log.warn(`${options.name}: ${describeError(error)}`, { failures })
      failures += 1
    }
    if (stopped) return
    const backOffMs = options.everyMs * 2 ** Math.min(failures, 10)
    const waitMs = Math.min(backOffMs, Math.max(LIMITS.agentRetryMaxMs, options.everyMs))
    cancel = timers.after(options.steady === true ? options.everyMs : waitMs, () => void again())
  }
  void again()
  return () => {
    stopped = true
    cancel()
  }
}

/** With what replicas use, as far as it is known by then. */
async function beat(
  { table, measureUsage }: AgentPorts,
  whose: { readonly arn: string; readonly bootId: string },
): Promise<void> {
  const usage = measureUsage === undefined ? {} : await measureUsage()
  await table.writeBeat(Object.keys(usage).length === 0 ? whose : { ...whose, usage })
}

type CarryOut = {
  readonly [K in AgentEffect['kind']]: (effect: EffectOf<K>, ports: AgentPorts, tell: Tell) => void
}

const carriers: CarryOut = {
  'start-process': ({ launch, ports: wanted }, ports, tell) => {
    const { replicaId } = launch
    void ports.runtime.start(launch, wanted).then((result) => {
      if ('failed' in result) {
        ports.log.warn('a replica did not start', { replicaId, reason: result.failed })
        tell({ kind: 'start-failed', replicaId, reason: result.failed.slice(0, 200) })
        return
      }
      ports.log.info('a replica started', { replicaId, pid: result.started.pid })
      tell({ kind: 'process-started', replicaId, process: result.started })
    })
  },
  'signal-process': (target, ports) => {
    ports.log.info('a replica is asked to stop', { replicaId: target.replicaId })
    ports.runtime.signal(target, 'SIGTERM')
  },
  'kill-process': (target, ports) => {
    ports.log.warn('a replica is killed after its grace', { replicaId: target.replicaId })
    ports.runtime.signal(target, 'SIGKILL')
  },
  probe: (request, ports, tell) => {
    const { replicaId, pid } = request
    void ports.runtime
      .probe(request)
      .catch((error: unknown): boolean => {
        ports.log.warn(`a probe could not be made: ${describeError(error)}`, { replicaId })
        return false
      })
      .then((ok) => {
        tell({ kind: 'probe-result', replicaId, pid, ok })
      })
  },
  'run-check': ({ attempt, check }, ports, tell) => {
    void ports
      .runCheck(check)
      .catch((error: unknown): CheckResult => {
        const text = describeError(error).slice(0, 500)
        return { name: check.name, verdict: 'INFRA', measures: {}, text }
      })
      .then((result) => {
        ports.log.info('a check finished', { attempt, result })
        tell({ kind: 'check-finished', attempt, result })
      })
  },
  'fetch-data': (request, ports, tell) => {
    const { key } = request
    const onProgress = (told: FetchProgress): void => {
      tell({ kind: 'data-progress', key, ...told })
    }
    void ports.data.fetch(request, onProgress).then((result) => {
      if ('failed' in result) {
        const { failed: reason } = result
        ports.log.warn('data did not come', { key, version: request.data.version, reason })
        tell({ kind: 'data-failed', key, reason: reason.slice(0, 200) })
        return
      }
      ports.log.info('data is whole', result.whole)
      tell({ kind: 'data-whole', ...result.whole })
    })
  },
  'stop-fetch': ({ key }, ports) => {
    ports.data.stop(key)
  },
  'evict-data': ({ keep }, ports) => {
    ports.data.evict(keep)
  },
  'write-report': ({ report }, ports, tell) => {
    ports.table.writeReport(report).then(
      () => {
        tell({ kind: 'report-written' })
      },
      (error: unknown) => {
        ports.log.warn(`report: ${describeError(error)}`, { sequence: report.sequence })
        tell({ kind: 'write-failed', what: 'report' })
      },
    )
  },
  'write-beat': ({ arn, bootId }, ports, tell) => {
    beat(ports, { arn, bootId }).then(
      () => {
        tell({ kind: 'beat-written' })
      },
      (error: unknown) => {
        ports.log.warn(`beat: ${describeError(error)}`)
        tell({ kind: 'write-failed', what: 'beat' })
      },
    )
  },
  persist: ({ persisted }, ports, tell) => {
    try {
      ports.persist(persisted)
    } catch (error) {
      ports.log.error(`the state file cannot be written: ${describeError(error)}`)
      tell({ kind: 'write-failed', what: 'persist' })
    }
  },
  'clean-up': ({ replicaId }, ports) => {
    ports.runtime.cleanUp(replicaId).catch((error: unknown) => {
      ports.log.warn(`files of a gone replica stay: ${describeError(error)}`, { replicaId })
    })
  },
  'power-off': ({ reason }, ports) => {
    ports.log.error('the agent ends itself', { reason })
    ports.powerOff(reason)
  },
}

function carryOut<K extends AgentEffect['kind']>(
  effect: EffectOf<K>,
  ports: AgentPorts,
  tell: Tell,
): void {
  const carry = carriers[effect.kind as K] as CarryOut[K]
  carry(effect, ports, tell)
}
