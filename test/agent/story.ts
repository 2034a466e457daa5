/**
 * Tells the step's behaviour as a story: what happens, and in one line each what the agent does
 * about it.
 */
import type { Assignment, BoundReplica } from '#shared/model/assignment.ts'
import { templateSchema, type Template } from '#shared/model/version.ts'
import type { AgentEffect } from '#agent/effects.ts'
import type { AgentEvent, RunningProcess } from '#agent/events.ts'
import { initialState, type AgentSettings, type AgentState } from '#agent/state.ts'
import { nextTickAtMs, step } from '#agent/step.ts'

export const ARN = 'arn:aws:ec2:us-east-1:123456789012:instance/i-0001'
export const SETTINGS: AgentSettings = {
  arn: ARN,
  bootId: 'boot-1',
  agentVersion: '0.1.0',
  runtimes: ['process'],
}

type WithoutTime<E> = E extends unknown ? Omit<E, 'nowMs'> : never
export type Happening = WithoutTime<AgentEvent>

export type BoundInput = Partial<BoundReplica> & { id: string }

export function bound(input: BoundInput): BoundReplica {
  const workload = input.id.split('/')[0] ?? input.id
  return {
    workload,
    uid: `uid-${workload}`,
    version: 'v1',
    gpus: [],
    order: 'run',
    graceSeconds: 10,
    assignedAtMs: 0,
    ...input,
  }
}

export function assignment(
  generation: number,
  replicas: readonly BoundInput[],
  extra: Partial<Assignment> & { template?: Record<string, unknown> } = {},
): Assignment {
  const { template, ...rest } = extra
  const all = replicas.map(bound)
  const templates = all.map((own): [string, Template] => [
    `${own.uid}/${own.version}`,
    templateSchema.parse(template ?? { command: ['run'] }),
  ])
  return {
    kind: 'assignment',
    arn: ARN,
    node: 'node-1',
    generation,
    templates: Object.fromEntries(templates),
    replicas: all,
    ...rest,
  }
}

export function running(pid: number, startedAtMs = 0): RunningProcess {
  return { pid, startTime: `t${String(pid)}`, startedAtMs, ports: {}, addresses: {} }
}

/** One short line an effect. */
export function describe(effect: AgentEffect): string {
  switch (effect.kind) {
    case 'start-process':
      return `start ${effect.launch.replicaId}`
    case 'signal-process':
      return `signal ${effect.replicaId} ${String(effect.pid)}`
    case 'kill-process':
      return `kill ${effect.replicaId} ${String(effect.pid)}`
    case 'probe':
      return `probe ${effect.replicaId}`
    case 'run-check':
      return `check ${effect.check.name}`
    case 'fetch-data':
      return effect.digest === undefined
        ? `fetch ${effect.key}`
        : `fetch ${effect.key} as ${effect.digest.slice(0, 4)}`
    case 'stop-fetch':
      return `stop fetching ${effect.key}`
    case 'evict-data':
      return `keep [${effect.keep.join(' ')}]`
    case 'write-report':
      return `report #${String(effect.report.sequence)}`
    case 'write-beat':
      return 'beat'
    case 'persist':
      return 'persist'
    case 'clean-up':
      return `clean up ${effect.replicaId}`
    case 'power-off':
      return 'power off'
  }
}

const BOOKKEEPING: readonly AgentEffect['kind'][] = ['persist', 'write-report', 'write-beat']

export class Story {
  state: AgentState
  effects: readonly AgentEffect[] = []
  nowMs = 0

  constructor(settings: Partial<AgentSettings> = {}) {
    this.state = initialState({ ...SETTINGS, ...settings })
  }

  /** Lets the event happen at `nowMs` and returns all that is done about it. */
  all(nowMs: number, event: Happening): string[] {
    this.nowMs = nowMs
    const stepped = step(this.state, { ...event, nowMs } as AgentEvent)
    this.state = stepped.state
    this.effects = stepped.effects
    return stepped.effects.map(describe)
  }

  /** The same without reports, beats and the state file. */
  at(nowMs: number, event: Happening): string[] {
    this.all(nowMs, event)
    return this.effects.filter(({ kind }) => !BOOKKEEPING.includes(kind)).map(describe)
  }

  tick(nowMs: number): string[] {
    return this.at(nowMs, { kind: 'tick' })
  }

  boot(nowMs = 0): this {
    this.at(nowMs, { kind: 'booted', adopted: [] })
    return this
  }

  /** Booted, with one replica `web/1-1` up as pid 100 since 0. */
  static running(input: Partial<BoundReplica> = {}, template?: Record<string, unknown>): Story {
    const story = new Story().boot()
    const extra = template === undefined ? {} : { template }
    const given = assignment(1, [{ id: 'web/1-1', ...input }], extra)
    story.at(0, { kind: 'assignment-read', assignment: given })
    story.at(0, { kind: 'process-started', replicaId: 'web/1-1', process: running(100) })
    return story
  }

  exit(
    nowMs: number,
    how: { code?: number; signal?: string; pid?: number } = { code: 1 },
  ): string[] {
    return this.at(nowMs, { kind: 'process-exited', replicaId: 'web/1-1', pid: 100, ...how })
  }

  /** When the next tick is due. */
  get nextAtMs(): number | undefined {
    return nextTickAtMs(this.state, this.nowMs)
  }

  /** `phase`, with ` ready` where it is, as the next report will say. */
  seen(id = 'web/1-1'): string {
    const own = this.state.report.content?.replicas.find((replica) => replica.id === id)
    if (own === undefined) return 'absent'
    const exit = own.lastExit === undefined ? '' : ` (${own.lastExit.reason})`
    return `${own.phase} restarts=${String(own.restarts)}${exit}`
  }
}
