/** The small parts of local mode: options, patterns, weather, hardware, pace, rounds. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { lookAtKernel } from '#agent/health/looks.ts'
import { makeHardware } from '#local/hardware.ts'
import { FunctionTimeoutError, invoke } from '#local/invoke.ts'
import { complaintsOf } from '#local/kernel-logs.ts'
import { readOptions } from '#local/options.ts'
import { paceOf } from '#local/pace.ts'
import { matchesPattern } from '#local/patterns.ts'
import { startRounds } from '#local/ticks.ts'
import { makeWeather } from '#local/weather.ts'
import { silentLogger } from '#shared/base/log.ts'
import type { Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import { STREAM_FILTERS } from '#shared/controllers/stream-filters.ts'
import { LIMITS } from '#shared/model/limits.ts'

describe('options', () => {
  it('has a default for everything', () => {
    expect(readOptions([])).toEqual({
      port: 8787,
      stateDirectory: '.drover',
      keepsState: false,
      fresh: false,
      speed: 1,
      quotaPolicy: 'guaranteed-with-borrowing',
      help: false,
    })
  })

  it.each([
    [['--port', 'x'], '--port must be a whole number from 0 to 65535, not "x"'],
    [['--port', ''], '--port must be a whole number'],
    [['--port', '70000'], '--port must be a whole number'],
    [['--speed', '0'], '--speed must be a number from 0.1 to 100, not "0"'],
    [['--quota-policy', 'x'], '--quota-policy must be guaranteed-with-borrowing or weighted'],
    [['--spede', '2'], "Unknown option '--spede'"],
    [['extra'], "Unexpected argument 'extra'"],
    [['--port'], "Option '--port <value>' argument missing"],
  ])('refuses %j with a sentence', (argv, text) => {
    expect(() => readOptions(argv)).toThrow(text)
  })
})

describe('patterns', () => {
  const record = (kind: string, state?: string): object => ({
    eventName: 'MODIFY',
    dynamodb: {
      NewImage: { kind: { S: kind }, ...(state && { burnIn: { M: { state: { S: state } } } }) },
    },
  })
  const passes = (filters: (typeof STREAM_FILTERS)[keyof typeof STREAM_FILTERS], own: object) =>
    filters.some((pattern) => matchesPattern(pattern, own))

  it('lets through to wake what may wake', () => {
    expect(passes(STREAM_FILTERS.wake, record('spec'))).toBe(true)
    expect(passes(STREAM_FILTERS.wake, record('beat'))).toBe(false)
    const removed = { eventName: 'REMOVE', dynamodb: { OldImage: { kind: { S: 'order' } } } }
    expect(passes(STREAM_FILTERS.wake, removed)).toBe(true)
    expect(passes(STREAM_FILTERS.wake, { ...removed, eventName: 'MODIFY' })).toBe(false)
  })

  it('lets through to burn-in finished reports alone', () => {
    expect(passes(STREAM_FILTERS.burnIn, record('report', 'finished'))).toBe(true)
    expect(passes(STREAM_FILTERS.burnIn, record('report', 'running'))).toBe(false)
    expect(passes(STREAM_FILTERS.burnIn, record('report'))).toBe(false)
  })

  it('does not stumble over what is not there', () => {
    expect(matchesPattern({ a: { b: ['c'] } }, null)).toBe(false)
    expect(matchesPattern({ a: ['1'] }, { a: 1 })).toBe(false)
    expect(matchesPattern({}, undefined)).toBe(true)
  })
})

describe('weather', () => {
  const deliveries = async (faults: { drop: number; duplicate: number; delayMs: number }) => {
    const weather = makeWeather(() => 0.5)
    weather.set(faults)
    let count = 0
    const startMs = performance.now()
    await weather.deliver(() => {
      count += 1
      return Promise.resolve()
    })
    return { count, tookMs: performance.now() - startMs }
  }

  it('is fair at first', async () => {
    expect((await deliveries(makeWeather().faults())).count).toBe(1)
  })

  it('drops, doubles and delays', async () => {
    expect((await deliveries({ drop: 0.6, duplicate: 0, delayMs: 0 })).count).toBe(0)
    expect((await deliveries({ drop: 0.4, duplicate: 0.6, delayMs: 0 })).count).toBe(2)
    const late = await deliveries({ drop: 0, duplicate: 0, delayMs: 50 })
    expect(late.count).toBe(1)
    expect(late.tookMs).toBeGreaterThan(40)
  })
})

describe('hardware', () => {
  it('is bad where it was said, until it is mended', () => {
    const hardware = makeHardware()
    hardware.set({ check: 'cpu', rate: 0.5, intermittent: false })
    hardware.set({ check: 'disk', instanceType: 'm7a.large', rate: 1, intermittent: true })
    expect(hardware.faultsOf('m7a.large')).toEqual([
      { check: 'cpu', rate: 0.5, intermittent: false },
      { check: 'disk', rate: 1, intermittent: true },
    ])
    hardware.set({ check: 'cpu', rate: 0, intermittent: false })
    expect(hardware.faultsOf('c7a.large')).toEqual([])
    expect(hardware.all()).toHaveLength(1)
  })
})

describe("the kernels' logs of emulated machines", () => {
  const instance = (instanceId: string, instanceType = 'm7a.large') =>
    ({ instanceId, instanceType, zone: 'us-east-1a', host: 0, bootNumber: 1 }) as Ec2Instance
  const fault = (check: 'cpu' | 'memory' | 'disk' | 'gpu', rate: number) =>
    ({ check, rate, intermittent: false }) as const

  it('tell of hardware that fails while they run, and of nothing else', () => {
    const said = (type: string, ...rest: Parameters<typeof fault>) =>
      kernel(complaintsOf(instance('i-1', type), fault(...rest)))
    expect(said('m7a.large', 'memory', 1)).toEqual(['MemoryError'])
    expect(said('m7a.large', 'disk', 1)).toEqual(['DiskError'])
    expect(said('m7a.large', 'disk', 0)).toEqual([])
    expect(said('m7a.large', 'cpu', 1)).toEqual([])
    expect(said('m7a.large', 'gpu', 1)).toEqual([])
    expect(said('g4dn.xlarge', 'gpu', 1)).toEqual(['XidReset'])
  })

  it('are those of the machines that the rate draws', () => {
    const herd = Array.from({ length: 200 }, (_, i) => instance(`i-${String(i)}`))
    const bad = herd.filter((own) => complaintsOf(own, fault('disk', 0.25)).length > 0)
    expect(bad.length).toBeGreaterThan(30)
    expect(bad.length).toBeLessThan(70)
    expect(herd.filter((own) => complaintsOf(own, fault('disk', 0.25)).length > 0)).toEqual(bad)
  })

  const kernel = (lines: readonly string[]): string[] =>
    lookAtKernel(lines, []).seen.map((own) => own.problem)
})

describe('pace', () => {
  it('is the real one at speed 1, but for what a laptop polls', () => {
    expect(paceOf(1)).toMatchObject({
      tickMs: LIMITS.tickMs,
      lostAfterMs: LIMITS.lostAfterMs,
      bootDeadlineMs: LIMITS.bootDeadlineMs,
      headPollMs: 300,
    })
  })

  it('never makes silence shorter than two beats', () => {
    expect(paceOf(100).lostAfterMs).toBeGreaterThan(2 * LIMITS.beatEveryMs)
    expect(paceOf(100).tickMs).toBe(5_000)
  })
})

describe('rounds', () => {
  it('begins at once, goes on after a failure and doubles nothing', async () => {
    let begun = 0
    let atOnce = 0
    let most = 0
    const run = async (): Promise<void> => {
      begun += 1
      atOnce += 1
      most = Math.max(most, atOnce)
      await sleep(15)
      atOnce -= 1
      throw new Error('bad luck')
    }
    const stop = startRounds([{ name: 'test', everyMs: 10, run }], silentLogger)
    expect(begun).toBe(1)
    await sleep(100)
    await stop()
    const total = begun
    expect(total).toBeGreaterThan(2)
    expect(most).toBe(1)
    await sleep(30)
    expect(begun).toBe(total)
  })
})

describe('invoke', () => {
  const options = { name: 'slow', timeoutMs: 20, log: silentLogger }

  it('answers what the function answers', async () => {
    expect(await invoke(options, () => Promise.resolve(7))).toBe(7)
  })

  it('gives up on a function that does not end', async () => {
    await expect(invoke(options, () => sleep(200))).rejects.toThrow(FunctionTimeoutError)
  })
})
