/**
 * What replicas use: the arithmetic, real processes, and an engine's answers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeLogger, silentLogger } from '#shared/base/log.ts'
import { beatSchema } from '#shared/model/report.ts'
import { usedByContainers } from '#agent/adapters/docker/stats.ts'
import { containerOf } from '#agent/adapters/docker/container.ts'
import { openPortBook } from '#agent/adapters/ports-in-use.ts'
import { openProcessRuntime, type ProcessRuntime } from '#agent/adapters/process-runtime.ts'
import { processesOf, signalPid } from '#agent/adapters/processes.ts'
import { openUsage, percentsOf } from '#agent/adapters/usage.ts'
import { usageBetween, type Used, type UsageLook } from '#agent/usage.ts'
import { launchOf, temporaryDirectory, until } from './world.ts'

const used = (replicaId: string, over: Partial<Used> = {}): Used => ({
  ...{ replicaId, run: 'first', cpuMs: 0, memoryMib: 100, gpus: [] },
  ...over,
})
const lookAt = (atMs: number, all: readonly Used[], percents: [number, number][] = []) =>
  ({ atMs, used: all, gpuPercent: new Map(percents) }) satisfies UsageLook

describe('usage', () => {
  it('of processors is what was used between two looks, by the time between them', () => {
    const before = lookAt(1_000, [used('web/1', { cpuMs: 5_000 })])
    const after = lookAt(31_000, [used('web/1', { cpuMs: 20_000, memoryMib: 99.6 })])
    expect(usageBetween(before, after)).toEqual({ 'web/1': { cpuMilli: 500, memoryMib: 100 } })
  })

  it('of one that is new, or was started again, is not known yet', () => {
    const before = lookAt(1_000, [used('web/1', { cpuMs: 5_000 })])
    const after = lookAt(31_000, [used('web/1', { run: 'second', cpuMs: 9 }), used('web/2')])
    expect(usageBetween(before, after)).toEqual({
      'web/1': { memoryMib: 100 },
      'web/2': { memoryMib: 100 },
    })
    expect(usageBetween(undefined, before)).toEqual({ 'web/1': { memoryMib: 100 } })
  })

  it('is never less than nothing, though what a child used may get lost', () => {
    const before = lookAt(0, [used('web/1', { cpuMs: 900 })])
    const after = lookAt(30_000, [used('web/1', { cpuMs: 400 })])
    expect(usageBetween(before, after)['web/1']).toMatchObject({ cpuMilli: 0 })
  })

  it('of GPUs is that of whole devices; who has what of a shared one is not known', () => {
    const whole = used('a/1', { gpus: [0, 2].map((index) => ({ index, milli: 1000 })) })
    const part = used('b/1', { gpus: [{ index: 1, milli: 500 }] })
    const dark = used('c/1', { gpus: [{ index: 3, milli: 1000 }] })
    const look = lookAt(
      0,
      [whole, part, dark],
      [
        [0, 90],
        [1, 50],
        [2, 35],
      ],
    )
    expect(usageBetween(undefined, look)).toEqual({
      'a/1': { memoryMib: 100, gpuMilli: 1_250 },
      'b/1': { memoryMib: 100 },
      'c/1': { memoryMib: 100 },
    })
  })

  it('is read from what nvidia-smi says, and from nothing else it may say', () => {
    expect(percentsOf('0, 87\n1, [N/A]\n2, 5\n')).toEqual(
      new Map([
        [0, 87],
        [2, 5],
      ]),
    )
    expect(percentsOf('No devices were found\n')).toEqual(new Map())
  })

  it('keeps no beat waiting: what hangs or fails is left out', async () => {
    const log: string[] = []
    const over = { log: makeLogger((line) => log.push(line)), timeoutMs: 20 }
    expect(await openUsage({ ...over, used: () => new Promise(() => undefined) })()).toEqual({})
    const failing = openUsage({ ...over, used: () => Promise.reject(new Error('no /proc')) })
    expect([await failing(), await failing()]).toEqual([{}, {}])
    expect(log.filter((line) => line.includes('no /proc'))).toHaveLength(1)
  })

  it('that makes no sense is left out of a beat, and the beat counts', () => {
    const beat = { kind: 'beat', arn: 'arn:1', bootId: 'b', atMs: 1 }
    const parsed = beatSchema.parse({ ...beat, usage: { 'web/1': { cpuMilli: 'much' } } })
    expect(parsed).toEqual({ ...beat, usage: undefined })
    const many = Object.fromEntries(Array.from({ length: 251 }, (_, i) => [`web/${String(i)}`, {}]))
    expect(beatSchema.parse({ ...beat, usage: many }).usage).toBeUndefined()
  })
})

describe.skipIf(process.platform !== 'linux')('processes', () => {
  let directory: { path: string; remove: () => void }
  let runtime: ProcessRuntime
  let instanceId: string
  beforeEach(() => {
    directory = temporaryDirectory()
    instanceId = `i-${String(process.pid)}u${String(performance.now()).replace('.', '')}`
    runtime = openProcessRuntime({
      ...{ directory: directory.path, instanceId, bootId: 'boot-1', address: '127.0.0.1' },
      ...{ ports: openPortBook(), environment: { PATH: process.env.PATH }, log: silentLogger },
    })
  })
  afterEach(() => {
    runtime.close()
    for (const left of processesOf({ instanceId })) signalPid(left.pid, 'SIGKILL')
    directory.remove()
  })

  it('are measured with all that they have started', async () => {
    // The shell itself only waits; what it started works.
    const command = ['bash', '-c', 'while :; do :; done & wait']
    const idle = { command: ['sleep', '60'] }
    expect(await runtime.used()).toEqual([])
    await runtime.start(launchOf('web/1', { command }), {})
    await runtime.start(launchOf('web/2', idle), {})
    const of = async (id: string): Promise<Used | undefined> =>
      (await runtime.used()).find((own) => own.replicaId === id)
    await until('a third of a second of work', async () => ((await of('web/1'))?.cpuMs ?? 0) >= 300)
    const [busy, quiet] = [await of('web/1'), await of('web/2')]
    expect(busy?.memoryMib).toBeGreaterThan(1)
    expect(quiet?.cpuMs).toBeLessThan(200)
    expect(quiet?.run).not.toBe('')
  })

  it('count what their children used, also once those are over', async () => {
    const work = 'for ((i = 0; i < 300000; i++)); do :; done'
    const command = ['bash', '-c', `bash -c '${work}'; exec sleep 60`]
    await runtime.start(launchOf('web/1', { command }), {})
    const isOver = async (): Promise<boolean> => {
      const [own] = await runtime.used()
      await sleep(20)
      return own !== undefined && own.cpuMs > 0 && processesOf({ instanceId }).length === 1
    }
    await until('the child to be over', isOver)
    const [own] = await runtime.used()
    expect(own?.cpuMs).toBeGreaterThan(50)
  })
})

describe('containers', () => {
  const node = { instanceId: 'i-1', directory: '/d', environment: {} }
  const listed = (id: string, State: string) => {
    const gpus = [{ index: 0, milli: 1000 }]
    const container = containerOf(launchOf(`web/${id}`, { image: 'a:1' }, { gpus }), {}, node)
    return { Id: id, State, Labels: container['Labels'] }
  }

  it('are measured by their engine, without what it could take back', async () => {
    const stats = (usage: number, more: object) => ({
      cpu_stats: { cpu_usage: { total_usage: 2_500_000_000 } },
      memory_stats: { usage: usage * 2 ** 20, stats: more },
    })
    const answers = new Map<string, unknown>([
      ['/containers/json', [listed('1', 'running'), listed('2', 'exited'), listed('3', 'running')]],
      ['/containers/1/stats', stats(300, { inactive_file: 44 * 2 ** 20 })],
    ])
    const asked: string[] = []
    const engine = {
      version: '1.51',
      ask: (_method: string, path: string) => {
        asked.push(path)
        const body = answers.get(path)
        return body === undefined
          ? Promise.reject(new Error('gone'))
          : Promise.resolve({ status: 200, body })
      },
      follow: () => Promise.reject(new Error('not followed')),
    }
    expect(await usedByContainers({ ...node, engine })).toEqual([
      {
        ...{ replicaId: 'web/1', run: '1', cpuMs: 2_500, memoryMib: 256 },
        gpus: [{ index: 0, milli: 1000 }],
      },
    ])
    expect(asked).toEqual(['/containers/json', '/containers/1/stats', '/containers/3/stats'])
  })
})
