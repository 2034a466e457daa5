import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Assignment } from '#shared/model/assignment.ts'
import { dataKey } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { reportSchema } from '#shared/model/report.ts'
import type { AgentEffect, EffectOf, ReplicaLaunch } from '#agent/effects.ts'
import type { AgentEvent, CachedData, RunningProcess } from '#agent/events.ts'
import { initialState, type AgentState } from '#agent/state.ts'
import { nextTickAtMs, step } from '#agent/step.ts'
import { assignment, running, SETTINGS } from './story.ts'

/**
 * A small world around the step: it answers effects late, in any order, or not at all, lets
 * processes crash and the agent die, and keeps its own count of what really runs.
 */
type Act =
  | { do: 'wait'; ms: number }
  | { do: 'assign'; generation: number; run: number[]; stop: number[] }
  | { do: 'answer'; pick: number; ok: boolean }
  | { do: 'crash'; pick: number }
  | { do: 'notice'; inMs: number }
  | { do: 'restart'; forget: boolean }
  | { do: 'expect'; digest: number }

const DATA = { version: '1', source: 's3://acme-recs/1/' }
const digestOf = (n: number): string => String(n).repeat(64)
const IDS = ['a/1-1', 'a/1-2', 'b/1-3']
const someIds = fc.uniqueArray(fc.nat(IDS.length - 1))
const acts = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(20_000) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('assign' as const),
        generation: fc.integer({ min: 1, max: 12 }),
        run: someIds,
        stop: someIds,
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('answer' as const),
        pick: fc.nat(9),
        ok: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('crash' as const), pick: fc.nat(9) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('notice' as const), inMs: fc.nat(200_000) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('restart' as const), forget: fc.boolean() }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('expect' as const), digest: fc.nat(2) }),
    },
  ),
  { maxLength: 60 },
)

type WithoutTime<E> = E extends unknown ? Omit<E, 'nowMs'> : never

class World {
  nowMs = 1_000
  state: AgentState = initialState(SETTINGS)
  /** What really runs, by replica id. */
  live = new Map<string, RunningProcess>()
  asked: AgentEffect[] = []
  signalled = new Map<number, number>()
  nextPid = 100
  file: AgentState['persisted']
  /** What the cache holds whole, what its source holds now, and what must be held. */
  cache = new Map<string, CachedData>()
  source = 0
  expected: number | undefined

  constructor() {
    this.tell({ kind: 'booted', adopted: [] })
  }

  tell(event: WithoutTime<AgentEvent>): readonly AgentEffect[] {
    const before = this.state.generation
    const { state, effects } = step(this.state, { ...event, nowMs: this.nowMs } as AgentEvent)
    this.state = state
    expect(state.generation).toBeGreaterThanOrEqual(before)
    for (const effect of effects) this.take(effect)
    return effects
  }

  take(effect: AgentEffect): void {
    switch (effect.kind) {
      case 'start-process': {
        const id = effect.launch.replicaId
        expect(this.live.has(id), `a second process for ${id}`).toBe(false)
        const twice = this.asked.some(
          (own) => own.kind === 'start-process' && own.launch.replicaId === id,
        )
        expect(twice, `a second start of ${id}`).toBe(false)
        this.checkData(effect.launch)
        this.asked.push(effect)
        return
      }
      case 'signal-process':
        this.signalled.set(effect.pid, this.nowMs)
        return
      case 'kill-process': {
        expect(this.signalled.has(effect.pid), 'killed without having been asked').toBe(true)
        this.end(effect.replicaId, effect.pid)
        return
      }
      case 'fetch-data': {
        const flying = this.asked.filter((own) => own.kind === 'fetch-data')
        expect(flying.map((own) => own.key)).not.toContain(effect.key)
        expect(flying.length).toBeLessThan(LIMITS.dataFetchesAtOnce)
        expect(this.servedDigests(effect.key), 'fetched anew under a process').toEqual([])
        this.asked.push(effect)
        return
      }
      case 'evict-data': {
        const gone = [...this.cache.keys()].filter((key) => !effect.keep.includes(key))
        for (const key of gone) {
          expect(this.servedDigests(key), 'evicted under a process').toEqual([])
          this.cache.delete(key)
        }
        return
      }
      case 'persist':
        this.file = effect.persisted
        return
      case 'write-report':
        reportSchema.parse(effect.report)
        this.asked.push(effect)
        return
      default:
        this.asked.push(effect)
    }
  }

  /** Of processes that run with this data: what they were started with. */
  served = new Map<string, CachedData>()
  servedDigests(key: string): string[] {
    return [...this.served]
      .filter(([id, own]) => own.key === key && this.live.has(id))
      .map(([, own]) => own.digest)
  }

  checkData({ template, dataPath, replicaId }: ReplicaLaunch): void {
    if (template.data === undefined) return
    const held = this.cache.get(dataKey(template.data))
    expect(held?.path, 'started without its data').toBe(dataPath)
    expect(held).toBeDefined()
    if (this.expected !== undefined) expect(held?.digest).toBe(digestOf(this.expected))
    if (held !== undefined) this.served.set(replicaId, held)
  }

  end(id: string, pid: number): void {
    if (this.live.get(id)?.pid !== pid) return
    this.live.delete(id)
    this.exits.push({ id, pid })
  }

  exits: { id: string; pid: number }[] = []

  flush(): void {
    for (let exit = this.exits.shift(); exit !== undefined; exit = this.exits.shift()) {
      this.tell({ kind: 'process-exited', replicaId: exit.id, pid: exit.pid, code: 1 })
    }
  }

  answer(index: number, ok: boolean): void {
    const [effect] = this.asked.splice(index % Math.max(1, this.asked.length), 1)
    if (effect === undefined) return
    if (effect.kind === 'start-process') {
      const { replicaId } = effect.launch
      if (!ok) {
        this.tell({ kind: 'start-failed', replicaId, reason: 'CommandNotFound: x' })
        return
      }
      const process = running((this.nextPid += 1), this.nowMs)
      this.live.set(replicaId, process)
      this.tell({ kind: 'process-started', replicaId, process })
    }
    if (effect.kind === 'fetch-data') this.answerFetch(effect, ok)
    if (effect.kind === 'write-report') {
      this.tell(ok ? { kind: 'report-written' } : { kind: 'write-failed', what: 'report' })
    }
    if (effect.kind === 'write-beat') {
      this.tell(ok ? { kind: 'beat-written' } : { kind: 'write-failed', what: 'beat' })
    }
    if (effect.kind === 'probe') {
      const { replicaId, pid } = effect
      this.tell({ kind: 'probe-result', replicaId, pid, ok })
    }
  }

  answerFetch({ key, digest }: EffectOf<'fetch-data'>, ok: boolean): void {
    const found = digestOf(this.source)
    if (!ok || (digest !== undefined && digest !== found)) {
      this.tell({ kind: 'data-failed', key, reason: ok ? 'DataChanged' : 'DataFetchFailed' })
      return
    }
    const held = { key, digest: found, bytes: 10, path: `/${key}/${found.slice(0, 4)}` }
    this.cache.set(key, held)
    this.tell({ kind: 'data-whole', ...held })
  }

  act(act: Act): void {
    if (act.do === 'wait') this.wait(act.ms)
    if (act.do === 'answer') this.answer(act.pick, act.ok)
    if (act.do === 'notice') {
      const interruption = { action: 'terminate', deadlineMs: this.nowMs + act.inMs }
      this.tell({ kind: 'metadata', interruption, rebalance: false })
    }
    if (act.do === 'crash') {
      const [id, process] = [...this.live][act.pick % Math.max(1, this.live.size)] ?? []
      if (id !== undefined && process !== undefined) this.end(id, process.pid)
    }
    if (act.do === 'assign') this.assign(act)
    if (act.do === 'restart') this.restart(act.forget)
    if (act.do === 'expect') {
      this.source = act.digest
      this.expectSource = !this.expectSource
    }
    this.flush()
  }

  template: Record<string, unknown> | undefined
  assign({ generation, run, stop }: Extract<Act, { do: 'assign' }>): void {
    const older = generation < this.state.generation
    const before = this.state.replicas
    const ordered = run.map((index) => ({
      id: IDS[index]!,
      order: stop.includes(index) ? ('stop' as const) : ('run' as const),
      graceSeconds: 5,
    }))
    // A replica is of one version, and has its template for as long as it is there.
    const health = { exec: { command: ['ok'] } }
    const template = (this.template ??= {
      command: ['run'],
      ...(generation % 2 === 0 ? { health } : {}),
      ...(generation % 3 === 0 ? {} : { data: DATA }),
    })
    this.read(assignment(generation, ordered, { template }))
    if (older) expect(Object.keys(this.state.replicas)).toEqual(Object.keys(before))
  }

  expectSource = false
  read(given: Assignment): void {
    const isOlder = given.generation < this.state.generation
    if (!isOlder) this.expected = this.expectSource ? this.source : undefined
    const digest = digestOf(this.source)
    const data = this.expectSource ? { data: [{ key: dataKey(DATA), digest }] } : {}
    this.tell({ kind: 'assignment-read', assignment: { ...given, ...data } })
  }

  restart(forget: boolean): void {
    const adopted = [...this.live].map(([replicaId, process]) => ({
      replicaId,
      workload: 'w',
      version: 'v1',
      gpus: [],
      graceSeconds: 5,
      process,
    }))
    this.state = initialState(SETTINGS)
    this.asked = []
    // A new agent asks anew; whether an earlier one did is not its to know.
    const persisted = forget ? undefined : this.file
    const known =
      persisted === undefined ? {} : { persisted: JSON.parse(JSON.stringify(persisted)) }
    if (forget) this.file = undefined
    if (persisted === undefined) this.expected = undefined
    this.tell({ kind: 'booted', adopted, data: [...this.cache.values()], ...known })
  }

  /** Passes time as the loop would: a tick whenever one is due. */
  wait(ms: number): void {
    const untilMs = this.nowMs + ms
    for (let ticks = 0; ticks < 500; ticks += 1) {
      const dueMs = nextTickAtMs(this.state, this.nowMs)
      if (dueMs === undefined || dueMs > untilMs) break
      this.nowMs = Math.max(this.nowMs, dueMs)
      this.tell({ kind: 'tick' })
      this.flush()
    }
    this.nowMs = untilMs
  }
}

describe('whatever happens, in whatever order', () => {
  it('never has two processes for one replica, and kills only what was asked first', () => {
    fc.assert(
      fc.property(acts, (script) => {
        const world = new World()
        for (const act of script) world.act(act)
      }),
      { numRuns: 300 },
    )
  })

  it('ends every process that is not to run within its grace', () => {
    fc.assert(
      fc.property(acts, (script) => {
        const world = new World()
        for (const act of script) world.act(act)
        const generation = world.state.generation + 1
        world.tell({ kind: 'assignment-read', assignment: assignment(generation, []) })
        for (let round = 0; round < 10; round += 1) world.answer(0, true)
        world.flush()
        world.wait(20_000)
        expect([...world.live.keys()]).toEqual([])
        expect(Object.keys(world.state.replicas)).toEqual([])
      }),
      { numRuns: 200 },
    )
  })

  it('starts everything that is to run once the world behaves', () => {
    fc.assert(
      fc.property(acts, (script) => {
        const world = new World()
        for (const act of script) if (act.do !== 'notice') world.act(act)
        const ids = ['new/9-1', 'new/9-2']
        const given = assignment(
          world.state.generation + 1,
          ids.map((id) => ({ id })),
          { template: { command: ['run'], data: DATA } },
        )
        world.read(given)
        for (let round = 0; round < 80; round += 1) world.answer(0, true)
        world.wait(LIMITS.dataRetryMaxMs)
        for (let round = 0; round < 80; round += 1) world.answer(0, true)
        world.wait(20_000)
        expect([...world.live.keys()].sort()).toEqual(ids)
      }),
      { numRuns: 200 },
    )
  })

  it('a tick before it is due does nothing', () => {
    fc.assert(
      fc.property(acts, fc.double({ min: 0, max: 0.999, noNaN: true }), (script, share) => {
        const world = new World()
        for (const act of script) world.act(act)
        const dueMs = nextTickAtMs(world.state, world.nowMs) ?? world.nowMs + 60_000
        if (dueMs <= world.nowMs) return
        const nowMs = Math.floor(world.nowMs + (dueMs - world.nowMs) * share)
        const { effects } = step(world.state, { kind: 'tick', nowMs })
        expect(effects.filter(({ kind }) => kind !== 'persist')).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('is a pure function of frozen JSON', () => {
    fc.assert(
      fc.property(acts, (script) => {
        const world = new World()
        for (const act of script) world.act(act)
        const { state } = world
        const copy = JSON.parse(JSON.stringify(state)) as AgentState
        expect(copy).toEqual(state)
        expect(Object.isFrozen(state.replicas)).toBe(true)
        const event = { kind: 'tick', nowMs: world.nowMs + 50_000 } as const
        expect(step(copy, event)).toEqual(step(state, event))
      }),
      { numRuns: 100 },
    )
  })
})
