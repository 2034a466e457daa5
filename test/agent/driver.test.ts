import { describe, expect, it } from 'vitest'
import { makeLogger } from '#shared/base/log.ts'
import { dataKey } from '#shared/model/data.ts'
import type { Report } from '#shared/model/report.ts'
import { runAgent, type Agent } from '#agent/driver.ts'
import { MetadataError, TableError } from '#agent/errors.ts'
import type { AgentPorts, DataCache, FetchResult, Notices } from '#agent/ports.ts'
import { ARN, assignment, SETTINGS, type BoundInput } from './story.ts'

/** Nobody here has data, unless a test says so. */
const EMPTY: DataCache = {
  whole: () => [],
  fetch: () => Promise.resolve({ failed: 'DataFetchFailed: 404' }),
  stop: () => undefined,
  evict: () => undefined,
}

/** The loop under a virtual clock: time passes only when the test says so. */
class Desk {
  nowMs = 1_000_000
  timers: { atMs: number; run: () => void }[] = []
  head = 0
  body = 0
  reads: number[] = []
  reports: Report[] = []
  tableFails = false
  metadata: () => Notices = () => ({ rebalance: false })
  metadataAsked = 0
  poweredOff: string | undefined
  lines: string[] = []
  bound: BoundInput[] = []
  template: Record<string, unknown> = { command: ['run'] }
  readonly agent: Agent

  constructor(data: DataCache = EMPTY) {
    const fail = (): void => {
      if (this.tableFails) throw new TableError({ text: 'away' })
    }
    const ports: AgentPorts = {
      timers: {
        now: () => this.nowMs,
        after: (ms, run) => {
          const timer = { atMs: this.nowMs + ms, run }
          this.timers.push(timer)
          return () => {
            this.timers = this.timers.filter((own) => own !== timer)
          }
        },
      },
      table: {
        readHead: async () => {
          this.reads.push(this.nowMs)
          fail()
          if (this.head === 0) return undefined
          return { kind: 'assignment-head', arn: ARN, node: 'node-1', generation: this.head }
        },
        readAssignment: async () => {
          fail()
          return assignment(this.body, this.bound, { template: this.template })
        },
        writeReport: async (report) => {
          fail()
          this.reports.push(report)
        },
        writeBeat: async () => {
          fail()
        },
      },
      metadata: {
        notices: async () => {
          this.metadataAsked += 1
          return this.metadata()
        },
      },
      runtime: {
        adopt: () => [],
        start: () => Promise.resolve({ failed: 'never' }),
        signal: () => undefined,
        onExit: () => undefined,
        probe: () => Promise.resolve(true),
        cleanUp: () => Promise.resolve(),
      },
      runCheck: ({ name }) => Promise.resolve({ name, verdict: 'PASS', measures: {}, text: '' }),
      data,
      persist: () => undefined,
      powerOff: (reason) => {
        this.poweredOff = reason
      },
      log: makeLogger((line) => this.lines.push(line)),
    }
    this.agent = runAgent(ports, {
      settings: { ...SETTINGS, powerOffAfterMs: 120_000 },
      headPollMs: 2_000,
      metadataPollMs: 5_000,
    })
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms
    for (;;) {
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
      this.timers.sort((a, b) => a.atMs - b.atMs)
      const next = this.timers[0]
      if (next === undefined || next.atMs > untilMs) break
      this.timers.shift()
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.run()
    }
    this.nowMs = untilMs
  }
}

const silent = (): never => {
  throw new MetadataError({ text: 'silent' })
}

const late = (): never => {
  throw new MetadataError({ text: 'late', isLate: true })
}

describe('the assignment', () => {
  it('is read when its head has moved, and not before', async () => {
    const desk = new Desk()
    await desk.pass(10_000)
    expect(desk.agent.state().generation).toBe(0)
    desk.head = desk.body = 4
    await desk.pass(2_000)
    expect(desk.agent.state().generation).toBe(4)
    desk.body = 5
    await desk.pass(10_000)
    expect(desk.agent.state().generation).toBe(4)
    desk.head = 5
    await desk.pass(2_200)
    expect(desk.reports.at(-1)?.observedGeneration).toBe(5)
  })

  it('is asked for less and less while the table is away, then as usual', async () => {
    const desk = new Desk()
    desk.tableFails = true
    await desk.pass(200_000)
    const { reads } = desk
    const pauses = reads.slice(1).map((atMs, index) => atMs - reads[index]!)
    expect(pauses.slice(0, 6)).toEqual([2_000, 4_000, 8_000, 10_000, 10_000, 10_000])
    desk.tableFails = false
    await desk.pass(11_000)
    const before = desk.reads.length
    await desk.pass(20_000)
    expect(desk.reads.length - before).toBe(10)
    expect(desk.reports.length).toBeGreaterThan(0)
  })

  it('that is away fills no disk with its own absence', async () => {
    const desk = new Desk()
    desk.tableFails = true
    await desk.pass(190_000)
    expect(desk.lines.filter((line) => line.includes('assignment:')).length).toBeLessThan(3)
  })
})

describe('the dead-man’s switch', () => {
  it('falls after as much silence as is set', async () => {
    const desk = new Desk()
    await desk.pass(10_000)
    desk.metadata = silent
    await desk.pass(110_000)
    expect(desk.poweredOff).toBeUndefined()
    await desk.pass(20_000)
    expect(desk.poweredOff).toContain('silent')
  })

  it('starts anew with every answer', async () => {
    const desk = new Desk()
    for (let round = 0; round < 5; round += 1) {
      desk.metadata = silent
      await desk.pass(100_000)
      desk.metadata = () => ({ rebalance: false })
      await desk.pass(6_000)
    }
    expect(desk.poweredOff).toBeUndefined()
  })

  it('does not count time in which nobody asked: a frozen process, a sleeping laptop', async () => {
    const desk = new Desk()
    await desk.pass(10_000)
    desk.nowMs += 3_600_000
    desk.metadata = silent
    await desk.pass(10_000)
    expect(desk.poweredOff).toBeUndefined()
  })

  it('does not count an emulator that is too busy to answer in time', async () => {
    const desk = new Desk()
    await desk.pass(10_000)
    desk.metadata = late
    await desk.pass(1_000_000)
    expect(desk.poweredOff).toBeUndefined()
    desk.metadata = silent
    await desk.pass(130_000)
    expect(desk.poweredOff).toContain('silent for 120 s')
  })
})

describe('data', () => {
  const data = { version: '1', source: 's3://acme-recs/1/' }
  const given = (desk: Desk): void => {
    desk.template = { command: ['run'], data }
    desk.bound = [{ id: 'web/1-1' }]
    desk.head = desk.body += 1
  }

  it('is fetched from the cache, told of on the way, stopped and evicted', async () => {
    const told: string[] = []
    let answer = (_: FetchResult): void => undefined
    const desk = new Desk({
      whole: () => [],
      fetch: ({ key }, onProgress) => {
        told.push('fetch')
        expect(key).toBe(dataKey(data))
        onProgress({ fetchedBytes: 5, totalBytes: 10 })
        return new Promise((resolve) => {
          answer = resolve
        })
      },
      stop: () => told.push('stop'),
      evict: (keep) => told.push(`keep ${String(keep.length)}`),
    })
    given(desk)
    await desk.pass(3_000)
    expect(desk.reports.at(-1)?.data).toMatchObject([{ fetchedBytes: 5, totalBytes: 10 }])
    answer({ failed: `DataFetchFailed: ${'x'.repeat(500)}` })
    await desk.pass(1_000)
    expect(desk.reports.at(-1)?.replicas[0]?.lastExit?.reason).toHaveLength(200)
    await desk.pass(6_000)
    answer({ whole: { key: dataKey(data), digest: 'ab'.repeat(32), bytes: 10, path: '/d' } })
    await desk.pass(1_000)
    expect(desk.reports.at(-1)?.data).toMatchObject([{ state: 'whole' }])
    desk.bound = []
    desk.head = desk.body += 1
    await desk.pass(3_000)
    expect(told).toEqual(['keep 1', 'fetch', 'fetch', 'keep 0'])
  })
})

it('a stopped loop asks nothing more', async () => {
  const desk = new Desk()
  await desk.pass(10_000)
  desk.agent.stop()
  const before = [desk.reads.length, desk.metadataAsked]
  await desk.pass(600_000)
  expect([desk.reads.length, desk.metadataAsked]).toEqual(before)
})
