/**
 * The ports of one run of an agent on a simulated machine.
 *
 * Calls that ask whether something has changed are held until it has: the answer then comes when
 * the first poll after the change would have brought it. Calls that do something are parked like
 * everybody else's and may fail, get lost, or be the last thing the agent ever did.
 */
import type { ProbeRequest, ReplicaLaunch } from '#agent/effects.ts'
import { TableError } from '#agent/errors.ts'
import type { AgentPorts, AgentTable, Metadata, Runtime, StartResult } from '#agent/ports.ts'
import { silentLogger } from '#shared/base/log.ts'
import {
  assignmentHeadSchema,
  assignmentSchema,
  type Assignment,
} from '#shared/model/assignment.ts'
import { GPU_RESET, type AskedCheck } from '#shared/model/burn-in.ts'
import { dataKey } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import { agentKeys } from '#shared/protocol/agent-keys.ts'
import type { Item } from '#shared/store/store.ts'
import type { Invocation } from './calls.ts'
import { makeDataCache } from './data-cache.ts'
import { afterReset, look } from './hardware.ts'
import {
  adoptedOf,
  isHealthy,
  processEnds,
  whenAwake,
  writeBeat,
  type Machine,
  type Process,
  runningOf,
} from './machine.ts'
import { lookAtHealth } from './watch.ts'

const TABLE_MS = { min: 2, max: 20 }
const LATE_REPORT_MS = { min: 30_000, max: 200_000 }
const START_MS = { min: 20, max: 400 }
const CHECK_MS = { min: 300, max: 3_000 }
const STARTUP_MS = { min: 300, max: 6_000 }
const CRASH_AFTER_MS = { min: 1_000, max: 15_000 }
const KILL_MS = 40
const DAY_SECONDS = 86_400

export function makeAgentPorts(machine: Machine, run: Invocation): AgentPorts {
  const { scheduler } = machine.setup.backends
  return {
    timers: {
      now: () => scheduler.now() + run.skewMs,
      after: (ms, act) =>
        scheduler.at(scheduler.now() + ms, () => {
          whenAwake(machine, run, act)
        }),
    },
    table: tableOf(machine, run),
    metadata: metadataOf(machine, run),
    runtime: runtimeOf(machine, run),
    runCheck: (check) => runCheck(machine, run, check),
    data: makeDataCache(machine, run),
    lookAtHealth: lookAtHealth(machine, run),
    persist: (persisted) => {
      machine.persisted = persisted
    },
    powerOff: () => {
      machine.setup.backends.ec2.kill(machine.instanceId)
    },
    log: silentLogger,
  }
}

type Called<T> = {
  readonly port: 'store' | 'runtime' | 'check'
  readonly method: string
  readonly latencyMs: { min: number; max: number }
  readonly act: () => Promise<T>
}

/** A parked call whose answer waits until the agent's process gets a CPU. */
function call<T>(machine: Machine, run: Invocation, called: Called<T>): Promise<T> {
  const { calls } = machine.setup.backends
  const failure = (text: string): Error => new TableError({ text, next: 'the agent tries again' })
  return new Promise((resolve, reject) => {
    calls.call(run, { ...called, failure }).then(
      (value) => {
        whenAwake(machine, run, () => {
          resolve(value)
        })
      },
      (error: unknown) => {
        whenAwake(machine, run, () => {
          reject(error as Error)
        })
      },
    )
  })
}

const parsed = new WeakMap<Item, Assignment>()

/** An item that stays the same is read by its agent again and again after restarts. */
function parseAssignment(item: Item): Assignment {
  const known = parsed.get(item)
  if (known !== undefined) return known
  const fresh = assignmentSchema.parse(item)
  parsed.set(item, fresh)
  return fresh
}

function tableOf(machine: Machine, run: Invocation): AgentTable {
  const { backends, chance, faults, peek } = machine.setup
  const { store, scheduler, see, takeChanges } = backends
  const get = (key: { pk: string; sk: string }, method: string): Promise<Item | undefined> =>
    call(machine, run, { port: 'store', method, latencyMs: TABLE_MS, act: () => store.get(key) })
  const headKey = agentKeys.assignmentHead(machine.arn)
  /** Nothing that a poll could show: only a newer assignment than the one taken in is news. */
  const isNoNews = (): boolean => {
    const state = machine.run?.agent.state()
    if (state === undefined) return false
    return Number(peek(headKey)?.['generation'] ?? 0) <= (state.assignment?.generation ?? 0)
  }
  const readHead: AgentTable['readHead'] = async () => {
    while (isNoNews()) await headMoves(machine, run)
    const item = await get(headKey, 'readHead')
    return item === undefined ? undefined : assignmentHeadSchema.parse(item)
  }
  return {
    readHead,
    readAssignment: async (arn) => {
      const item = await get(agentKeys.assignment(arn), 'readAssignment')
      return item === undefined ? undefined : parseAssignment(item)
    },
    writeReport: (report) => {
      const isLate = faults.strikes('reportLate', `${run.label} ${String(report.sequence)}`)
      return call(machine, run, {
        port: 'store',
        method: 'writeReport',
        latencyMs: isLate ? LATE_REPORT_MS : TABLE_MS,
        act: async () => {
          const ttl = Math.floor(scheduler.now() / 1000) + LIMITS.reportDays * DAY_SECONDS
          const item = { ...agentKeys.report(report.arn), ...report, ttl }
          const made = store.write({ kind: 'put', item })
          const changes = takeChanges()
          const writes = [{ kind: 'put', item } as const]
          if (changes.length > 0)
            see({ kind: 'write', atMs: scheduler.now(), by: run, writes, changes })
          await made
        },
      })
    },
    // Answered never: from here on the beats are written as the table is read.
    writeBeat: ({ bootId }) => {
      const afterMs = chance.int(`beat of ${run.label}`, TABLE_MS)
      machine.beating = { bootId, standsSinceMs: 0, nextAtMs: scheduler.now() + afterMs }
      scheduler.at(scheduler.now() + afterMs, () => {
        if (machine.run?.invocation === run) writeBeat(machine)
      })
      return new Promise(() => undefined)
    },
  }
}

/** Resolves when the first poll after a change of the head would be made. */
function headMoves(machine: Machine, run: Invocation): Promise<void> {
  const { backends, chance } = machine.setup
  const { scheduler } = backends
  return new Promise((resolve) => {
    machine.onHead = () => {
      machine.onHead = undefined
      const phase = { min: 0, max: LIMITS.headPollMs }
      const afterMs = chance.int(`head ${run.label} ${String(scheduler.now())}`, phase)
      scheduler.at(scheduler.now() + afterMs, () => {
        whenAwake(machine, run, resolve)
      })
    }
  })
}

function metadataOf(machine: Machine, run: Invocation): Metadata {
  const { backends, chance } = machine.setup
  const { scheduler, ec2 } = backends
  let told = ''
  const look = () => {
    const instance = ec2.instance(machine.instanceId)
    const interruption = instance?.interruption
    const rebalance = instance?.rebalanceAtMs !== undefined
    return {
      rebalance,
      ...(interruption === undefined
        ? {}
        : { interruption: { action: interruption.action, deadlineMs: interruption.atMs } }),
    }
  }
  return {
    notices: () =>
      new Promise((resolve) => {
        const answer = (): void => {
          const notices = look()
          told = JSON.stringify(notices)
          whenAwake(machine, run, () => {
            resolve(notices)
          })
        }
        if (told === '' || told !== JSON.stringify(look())) {
          scheduler.at(scheduler.now() + 5, answer)
          return
        }
        machine.onMetadata = () => {
          machine.onMetadata = undefined
          const phase = { min: 0, max: LIMITS.metadataPollMs }
          const afterMs = chance.int(`metadata ${run.label} ${String(scheduler.now())}`, phase)
          scheduler.at(scheduler.now() + afterMs, answer)
        }
      }),
  }
}

function runtimeOf(machine: Machine, run: Invocation): Runtime {
  return {
    adopt: () => adoptedOf(machine),
    start: (launch, wanted) =>
      call<StartResult>(machine, run, {
        port: 'runtime',
        method: 'start',
        latencyMs: START_MS,
        act: () => Promise.resolve(startProcess(machine, run, { launch, wanted })),
      }).catch((error: unknown) => ({ failed: String(error) })),
    signal: ({ replicaId, pid, startTime }, signal) => {
      const process = machine.processes.get(replicaId)
      if (process?.pid !== pid || process.startTime !== startTime) return
      stopProcess(machine, process, signal)
    },
    onExit: (listener) => {
      machine.onExit = listener
    },
    probe: (request) => probe(machine, run, request),
    cleanUp: () => Promise.resolve(),
  }
}

/** What its template says of it: `BAD` is `no-start`, `crash` or `sick`. */
const temperOf = ({ template }: ReplicaLaunch): string => template.env['BAD'] ?? ''

type Start = { readonly launch: ReplicaLaunch; readonly wanted: Readonly<Record<string, number>> }

function startProcess(machine: Machine, run: Invocation, { launch, wanted }: Start): StartResult {
  const { backends, chance } = machine.setup
  const { scheduler, see } = backends
  const { replicaId } = launch
  const temper = temperOf(launch)
  if (temper === 'no-start') return { failed: 'spawn: no such file' }
  machine.pids += 1
  const pid = machine.pids
  const nowMs = scheduler.now()
  const name = `${replicaId} ${String(pid)} on ${machine.name}`
  const startupMs = chance.int(`startup of ${name}`, STARTUP_MS)
  const process: Process = {
    ...{ launch, pid, startTime: `t${String(pid)}`, startedAtMs: nowMs },
    ports: portsOf(machine, launch, chance.of(`ports of ${name}`) < 0.8 ? wanted : {}),
    healthyAtMs: temper === 'sick' ? Infinity : nowMs + startupMs,
    sickUntilMs: 0,
    stopping: false,
    parent: run.label,
    ...digestOf(machine, launch),
  }
  machine.processes.set(replicaId, process)
  const { instanceId } = machine
  see({ kind: 'process', atMs: nowMs, instanceId, replicaId, what: 'started' })
  if (temper === 'crash') {
    scheduler.at(nowMs + chance.int(`crash of ${name}`, CRASH_AFTER_MS), () => {
      processEnds(machine, process, { code: 1 })
    })
  } else if (temper === '') {
    scheduler.at(nowMs + startupMs, () => {
      machine.onHealth.get(replicaId)?.()
    })
  }
  return { started: runningOf({ ...process, startedAtMs: nowMs + run.skewMs }) }
}

function digestOf({ cache }: Machine, { template }: ReplicaLaunch): Pick<Process, 'digest'> {
  const held = template.data === undefined ? undefined : cache.get(dataKey(template.data))
  return held === undefined ? {} : { digest: held.digest }
}

/** The wanted ones; without, some that nobody listens on. */
function portsOf(
  machine: Machine,
  { template }: ReplicaLaunch,
  wanted: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    template.ports.map(({ name }) => {
      machine.portsGiven += 1
      return [name, wanted[name] ?? 20_000 + machine.portsGiven]
    }),
  )
}

function stopProcess(machine: Machine, process: Process, signal: 'SIGTERM' | 'SIGKILL'): void {
  const { backends, chance } = machine.setup
  const { scheduler, see } = backends
  const { launch, pid } = process
  const { replicaId, graceSeconds } = launch
  const nowMs = scheduler.now()
  if (signal === 'SIGKILL') {
    scheduler.at(nowMs + KILL_MS, () => {
      processEnds(machine, process, { signal })
    })
    return
  }
  if (process.stopping) return
  process.stopping = true
  see({
    ...{ kind: 'process', atMs: nowMs, instanceId: machine.instanceId, replicaId },
    what: 'told to stop',
  })
  const name = `stop of ${replicaId} ${String(pid)}`
  if (chance.of(`deaf ${name}`) < 0.03) return
  const afterMs = chance.int(name, { min: 50, max: 100 + Math.round(graceSeconds * 700) })
  scheduler.at(nowMs + afterMs, () => {
    processEnds(machine, process, { code: 0 })
  })
}

/** Held while a probe would say what the last one said, and nobody waits to hear it again. */
function probe(machine: Machine, run: Invocation, request: ProbeRequest): Promise<boolean> {
  const { backends } = machine.setup
  const { scheduler } = backends
  const { replicaId, pid } = request
  const wasReady = readyOf(machine, replicaId)
  return new Promise((resolve) => {
    const answer = (ok: boolean): void => {
      machine.onHealth.delete(replicaId)
      scheduler.at(scheduler.now() + 20, () => {
        whenAwake(machine, run, () => {
          resolve(ok)
        })
      })
    }
    const look = (): void => {
      const process = machine.processes.get(replicaId)
      if (process?.pid !== pid) {
        answer(false)
        return
      }
      const ok = isHealthy(process, scheduler.now())
      // A failure counts only while the replica is thought ready, and then each of them does.
      if (ok !== wasReady) answer(ok)
      else machine.onHealth.set(replicaId, look)
    }
    look()
  })
}

function readyOf(machine: Machine, replicaId: string): boolean {
  return machine.run?.agent.state().replicas[replicaId]?.ready ?? false
}

/** The hardware is looked at when the check ends, as a reset takes hold when it ends. */
function runCheck(machine: Machine, run: Invocation, check: AskedCheck): Promise<CheckResult> {
  const { setup, name, gpus } = machine
  machine.checks += 1
  const key = `${name} check ${String(machine.checks)}`
  const seen = look(check, { ...setup, gpus, key, fault: machine.fault })
  if (seen === 'crashes') {
    const { scheduler } = setup.backends
    scheduler.at(scheduler.now() + CHECK_MS.min, () => {
      if (run.alive) run.onCrash()
    })
  }
  if (typeof seen === 'string') return new Promise(() => undefined)
  return call(machine, run, {
    port: 'check',
    method: 'runCheck',
    latencyMs: CHECK_MS,
    act: () => {
      if (check.check === GPU_RESET.check) machine.fault = afterReset(machine.fault)
      return Promise.resolve(seen)
    },
  }).catch(() => ({ ...seen, verdict: 'UNKNOWN' as const, text: 'the check was cut off' }))
}
