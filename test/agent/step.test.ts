import { describe, expect, it } from 'vitest'
import { assignment, running, Story } from './story.ts'

const read = (
  generation: number,
  ...rest: Parameters<typeof assignment> extends [unknown, ...infer R] ? R : never
) => ({ kind: 'assignment-read', assignment: assignment(generation, ...rest) }) as const
const http = {
  http: { path: '/', port: 'http' },
  intervalSeconds: 10,
  timeoutSeconds: 1,
  failureThreshold: 3,
}
const withHealth = { command: ['run'], ports: [{ name: 'http' }], health: http }
const probed = (ok: boolean) =>
  ({ kind: 'probe-result', replicaId: 'web/1-1', pid: 100, ok }) as const

describe('running what is ordered', () => {
  it('starts what the assignment says, once', () => {
    const story = new Story().boot()
    expect(story.at(0, read(1, [{ id: 'web/1-1' }, { id: 'web/1-2' }]))).toEqual([
      'start web/1-1',
      'start web/1-2',
    ])
    expect(story.tick(5_000)).toEqual([])
    expect(story.at(5_000, read(1, [{ id: 'web/1-1' }, { id: 'web/1-2' }]))).toEqual([])
    expect(story.seen()).toBe('starting restarts=0')
  })

  it('calls a replica without a health section ready as soon as it has started', () => {
    expect(Story.running().seen()).toBe('ready restarts=0')
  })

  it('does nothing without an assignment: nothing known, keep what runs', () => {
    const story = new Story()
    const adopted = {
      replicaId: 'web/1-1',
      workload: 'web',
      version: 'v1',
      gpus: [],
      graceSeconds: 10,
      process: running(100),
    }
    expect(story.at(0, { kind: 'booted', adopted: [adopted] })).toEqual([])
    expect(story.tick(60_000)).toEqual([])
    expect(story.seen()).toBe('running restarts=0')
    expect(story.state.report.content?.observedGeneration).toBe(0)
  })

  it('ignores an assignment older than the newest seen', () => {
    const story = Story.running()
    expect(story.at(1, read(3, [{ id: 'web/1-1' }]))).toEqual([])
    expect(story.at(2, read(2, []))).toEqual([])
    expect(story.state.generation).toBe(3)
    expect(story.seen()).toBe('ready restarts=0')
  })

  it('refuses an image: the process runtime has no containers', () => {
    const story = new Story().boot()
    const template = { image: 'registry.example/web:1', command: ['run'] }
    expect(story.at(0, read(1, [{ id: 'web/1-1' }], { template }))).toEqual([])
    expect(story.seen()).toBe('failed restarts=0 (NoContainerRuntime)')
    expect(story.tick(3_600_000)).toEqual([])
  })

  it('does not start what a missing template leaves unexplained', () => {
    const story = new Story().boot()
    expect(story.at(0, read(1, [{ id: 'web/1-1' }], { templates: {} }))).toEqual([])
    expect(story.seen()).toBe('failed restarts=0 (TemplateMissing)')
  })
})

describe('stopping', () => {
  it('asks, waits the grace, kills, and goes on killing until it is gone', () => {
    const story = Story.running({ graceSeconds: 10 })
    expect(story.at(1_000, read(2, [{ id: 'web/1-1', order: 'stop' }]))).toEqual([
      'signal web/1-1 100',
    ])
    expect(story.seen()).toBe('stopping restarts=0')
    expect(story.tick(10_999)).toEqual([])
    expect(story.tick(11_000)).toEqual(['kill web/1-1 100'])
    expect(story.tick(15_999)).toEqual([])
    expect(story.tick(16_000)).toEqual(['kill web/1-1 100'])
    expect(story.exit(16_010, { signal: 'SIGKILL' })).toEqual([])
    expect(story.seen()).toBe('gone restarts=0 (KilledAfterGrace)')
  })

  it('kills at once where there is no grace', () => {
    const story = Story.running({ graceSeconds: 0 })
    expect(story.at(1_000, read(2, [{ id: 'web/1-1', order: 'stop', graceSeconds: 0 }]))).toEqual([
      'signal web/1-1 100',
      'kill web/1-1 100',
    ])
  })

  it('a shorter grace in a later order counts from the first request', () => {
    const story = Story.running({ graceSeconds: 60 })
    story.at(1_000, read(2, [{ id: 'web/1-1', order: 'stop', graceSeconds: 60 }]))
    const sooner = read(3, [{ id: 'web/1-1', order: 'stop', graceSeconds: 5 }])
    expect(story.at(4_000, sooner)).toEqual([])
    expect(story.tick(6_000)).toEqual(['kill web/1-1 100'])
  })

  it('never takes a stop back', () => {
    const story = Story.running()
    story.at(1_000, read(2, [{ id: 'web/1-1', order: 'stop' }]))
    story.exit(1_100, { code: 0 })
    expect(story.at(2_000, read(3, [{ id: 'web/1-1', order: 'run' }]))).toEqual([])
    expect(story.seen()).toBe('gone restarts=0 (Stopped)')
  })

  it('stops what the assignment no longer names, then forgets it', () => {
    const story = Story.running()
    expect(story.at(1_000, read(2, []))).toEqual(['signal web/1-1 100'])
    expect(story.exit(1_500, { code: 0 })).toEqual(['clean up web/1-1'])
    expect(story.seen()).toBe('absent')
  })

  it('reports a stopped one as gone until the assignment drops it', () => {
    const story = Story.running()
    story.at(1_000, read(2, [{ id: 'web/1-1', order: 'stop' }]))
    expect(story.exit(1_500, { code: 0 })).toEqual([])
    expect(story.seen()).toBe('gone restarts=0 (Stopped)')
    expect(story.at(2_000, read(3, []))).toEqual(['clean up web/1-1'])
    expect(story.seen()).toBe('absent')
  })

  it('waits for a start under way, then stops what came of it', () => {
    const story = new Story().boot()
    story.at(0, read(1, [{ id: 'web/1-1' }]))
    expect(story.at(10, read(2, [{ id: 'web/1-1', order: 'stop' }]))).toEqual([])
    const started = {
      kind: 'process-started',
      replicaId: 'web/1-1',
      process: running(100),
    } as const
    expect(story.at(20, started)).toEqual(['signal web/1-1 100'])
  })

  it('leaves a drain to the orders of its replicas', () => {
    const story = Story.running()
    const drain = { deadlineMs: 2_000, reason: 'Interrupted' }
    expect(story.at(1_000, read(2, [{ id: 'web/1-1' }], { drain }))).toEqual([])
    expect(story.tick(3_000)).toEqual([])
    expect(story.seen()).toBe('ready restarts=0')
  })
})

describe('crashes', () => {
  it('starts again after 1, 2, 4 … seconds and counts', () => {
    const story = Story.running()
    const pauses: number[] = []
    let nowMs = 100
    for (let pid = 100; pid < 111; pid += 1) {
      expect(story.exit(nowMs, { code: 1, pid })).toEqual([])
      expect(story.seen()).toBe(`failed restarts=${String(pid - 100)} (Error)`)
      const dueMs = story.state.replicas['web/1-1']?.startAtMs ?? NaN
      expect(story.tick(dueMs - 1)).toEqual([])
      expect(story.tick(dueMs)).toEqual(['start web/1-1'])
      pauses.push((dueMs - nowMs) / 1000)
      nowMs = dueMs + 10
      const process = running(pid + 1, nowMs)
      story.at(nowMs, { kind: 'process-started', replicaId: 'web/1-1', process })
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
    expect(story.seen()).toMatch(/^ready restarts=11/)
  })

  it('begins at one second again after ten good minutes', () => {
    const story = Story.running()
    story.exit(100)
    story.tick(1_100)
    story.at(1_100, { kind: 'process-started', replicaId: 'web/1-1', process: running(101, 1_100) })
    story.exit(601_100, { code: 1, pid: 101 })
    expect(story.tick(602_100)).toEqual(['start web/1-1'])
  })

  it('also when it ended well: a replica is meant to run', () => {
    const story = Story.running()
    story.exit(100, { code: 0 })
    expect(story.seen()).toBe('failed restarts=0 (Completed)')
    expect(story.tick(1_100)).toEqual(['start web/1-1'])
  })

  it('reports a command that cannot start, and tries again', () => {
    const story = new Story().boot()
    story.at(0, read(1, [{ id: 'web/1-1' }]))
    const failed = {
      kind: 'start-failed',
      replicaId: 'web/1-1',
      reason: 'CommandNotFound: run',
    } as const
    expect(story.at(10, failed)).toEqual([])
    expect(story.seen()).toBe('failed restarts=0 (CommandNotFound: run)')
    expect(story.tick(1_010)).toEqual(['start web/1-1'])
  })

  it('ignores the exit of a process that is no longer its own', () => {
    const story = Story.running()
    expect(story.exit(50, { code: 1, pid: 99 })).toEqual([])
    expect(story.seen()).toBe('ready restarts=0')
  })

  it('does not start a crashed one that is ordered to stop', () => {
    const story = Story.running()
    story.exit(100)
    story.at(200, read(2, [{ id: 'web/1-1', order: 'stop' }]))
    expect(story.tick(10_000)).toEqual([])
    expect(story.seen()).toBe('gone restarts=0 (Error)')
  })

  it('asks for the ports it had before', () => {
    const story = new Story().boot()
    story.at(0, read(1, [{ id: 'web/1-1' }]))
    const process = { ...running(100), ports: { http: 20_001 } }
    story.at(0, { kind: 'process-started', replicaId: 'web/1-1', process })
    story.exit(100)
    story.tick(1_100)
    expect(story.effects.find(({ kind }) => kind === 'start-process')).toMatchObject({
      ports: { http: 20_001 },
    })
  })
})

describe('readiness', () => {
  it('comes with the first success, and is asked for often until then', () => {
    const story = Story.running({}, withHealth)
    expect(story.effects.map(({ kind }) => kind)).toContain('probe')
    expect(story.seen()).toBe('running restarts=0')
    expect(story.at(100, probed(false))).toEqual([])
    expect(story.tick(1_099)).toEqual([])
    expect(story.tick(1_100)).toEqual(['probe web/1-1'])
    story.at(1_150, probed(true))
    expect(story.seen()).toBe('ready restarts=0')
    expect(story.tick(11_149)).toEqual([])
    expect(story.tick(11_150)).toEqual(['probe web/1-1'])
  })

  it('goes with as many failures in a row as the threshold, and nothing is killed', () => {
    const story = Story.running({}, withHealth)
    story.at(100, probed(true))
    const phases = [true, false, false, true, false, false, false, true].map((ok, index) => {
      const nowMs = 10_100 + index * 10_000
      expect(story.tick(nowMs)).toEqual(['probe web/1-1'])
      expect(story.at(nowMs, probed(ok))).toEqual([])
      return story.seen().split(' ')[0]
    })
    const expected = 'ready ready ready ready ready ready running ready'
    expect(phases.join(' ')).toBe(expected)
  })

  it('waits the initial delay', () => {
    const template = { ...withHealth, health: { ...http, initialDelaySeconds: 7 } }
    const story = Story.running({}, template)
    expect(story.tick(6_999)).toEqual([])
    expect(story.tick(7_000)).toEqual(['probe web/1-1'])
  })

  it('ends with the process, and a stopping replica is not ready', () => {
    const story = Story.running()
    story.at(10, read(2, [{ id: 'web/1-1', order: 'stop' }]))
    expect(story.state.report.content?.replicas[0]).toMatchObject({
      phase: 'stopping',
      ready: false,
    })
  })

  it('has one probe under way, never two', () => {
    const story = Story.running({}, withHealth)
    expect(story.tick(60_000)).toEqual([])
  })
})

describe('the end of the machine', () => {
  const notice = (deadlineMs: number) =>
    ({
      kind: 'metadata',
      rebalance: false,
      interruption: { action: 'terminate', deadlineMs },
    }) as const

  it('is told at once; replicas run until just their grace is left', () => {
    const story = Story.running({ graceSeconds: 30 })
    expect(story.at(1_000, notice(121_000))).toEqual([])
    expect(story.state.report.content?.interruption?.deadlineMs).toBe(121_000)
    expect(story.seen()).toBe('ready restarts=0')
    expect(story.nextAtMs).toBeLessThanOrEqual(91_000)
    expect(story.tick(90_999)).toEqual([])
    expect(story.tick(91_000)).toEqual(['signal web/1-1 100'])
    story.exit(92_000, { code: 0 })
    expect(story.seen()).toBe('gone restarts=0 (Stopped)')
    expect(story.tick(120_000)).toEqual([])
  })

  it('is remembered by an agent that comes back, and nobody is started again for it', () => {
    const story = Story.running({ graceSeconds: 30 })
    story.at(1_000, notice(121_000))
    story.tick(91_000)
    story.exit(92_000, { code: 0 })
    const persisted = story.state.persisted
    const again = new Story()
    const booted = { kind: 'booted', adopted: [], ...(persisted && { persisted }) } as const
    expect(again.at(93_000, booted)).toEqual([])
    expect(again.seen()).toBe('gone restarts=0 (Stopped)')
  })

  it('signals at once when less than the grace is left', () => {
    const story = Story.running({ graceSeconds: 300 })
    expect(story.at(1_000, notice(121_000))).toEqual(['signal web/1-1 100'])
  })

  it('is not forgotten when metadata falls silent about it', () => {
    const story = Story.running()
    story.at(1_000, notice(121_000))
    story.at(2_000, { kind: 'metadata', rebalance: true })
    story.at(3_000, { kind: 'metadata', rebalance: false })
    expect(story.state.report.content).toMatchObject({
      rebalance: true,
      interruption: { deadlineMs: 121_000 },
    })
  })

  it('powers off after long silence of metadata: all stopped first', () => {
    const story = Story.running({ graceSeconds: 600 })
    story.state = {
      ...story.state,
      settings: { ...story.state.settings, powerOffAfterMs: 120_000 },
    }
    expect(story.at(1_000, { kind: 'metadata-failed', silentMs: 119_999 })).toEqual([])
    expect(story.at(2_000, { kind: 'metadata-failed', silentMs: 120_000 })).toEqual([
      'signal web/1-1 100',
    ])
    expect(story.tick(12_000)).toEqual(['kill web/1-1 100'])
    expect(story.exit(12_010, { signal: 'SIGKILL' })).toEqual(['power off'])
    expect(story.tick(20_000)).toEqual([])
  })

  it('never powers off where no limit is set', () => {
    expect(Story.running().at(1_000, { kind: 'metadata-failed', silentMs: 1e9 })).toEqual([])
  })
})
