import { describe, expect, it } from 'vitest'
import type { Persisted } from '#agent/persisted.ts'
import { asked } from '../asked.ts'
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

describe('burn-in', () => {
  const ask = (generation: number, attempt: number) =>
    read(generation, [], { burnIn: { attempt, suite: 'basic', checks: asked('cpu', 'disk') } })
  const result = (name: string) => ({ name, verdict: 'PASS', measures: {}, text: '' }) as const
  const done = (attempt: number, name: string) =>
    ({ kind: 'check-finished', attempt, result: result(name) }) as const

  it('runs the checks one after the other and reports each', () => {
    const story = new Story().boot()
    expect(story.at(0, ask(1, 1))).toEqual(['check cpu'])
    expect(story.at(1, done(1, 'cpu'))).toEqual(['check disk'])
    expect(story.state.report.content?.burnIn).toMatchObject({
      state: 'running',
      checks: [{ name: 'cpu' }],
    })
    expect(story.at(2, done(1, 'disk'))).toEqual([])
    expect(story.state.report.content?.burnIn).toMatchObject({ attempt: 1, state: 'finished' })
  })

  it('runs again for a newer attempt only, once the check of an older has ended', () => {
    const story = new Story().boot()
    story.at(0, ask(1, 1))
    expect(story.at(1, ask(2, 1))).toEqual([])
    expect(story.at(2, ask(3, 2))).toEqual([])
    expect(story.at(3, done(1, 'cpu'))).toEqual(['check cpu'])
    expect(story.state.burnIn).toMatchObject({ attempt: 2, results: [] })
    expect(story.at(4, done(1, 'cpu'))).toEqual([])
    expect(story.at(5, done(2, 'cpu'))).toEqual(['check disk'])
  })

  it('finishes what a restart interrupted, and starts over after a reboot', () => {
    const story = new Story().boot()
    story.at(0, ask(1, 1))
    story.at(1, done(1, 'cpu'))
    const { persisted } = story.state
    const again = new Story()
    expect(again.at(0, { kind: 'booted', adopted: [], persisted: persisted! })).toEqual([
      'check disk',
    ])
    const rebooted = new Story({ bootId: 'boot-2' })
    expect(rebooted.at(0, { kind: 'booted', adopted: [], persisted: persisted! })).toEqual([])
    expect(rebooted.at(1, ask(1, 1))).toEqual(['check cpu'])
  })
})

describe('an agent that comes back', () => {
  const adopted = {
    replicaId: 'web/1-1',
    workload: 'web',
    version: 'v1',
    gpus: [],
    graceSeconds: 10,
    process: running(100),
  }
  const before = (): Persisted => {
    const story = Story.running({}, withHealth)
    story.at(100, probed(true))
    story.tick(1_000)
    return story.state.persisted!
  }

  it('keeps what runs, ready and counted as it was', () => {
    const story = new Story()
    const effects = story.at(2_000, { kind: 'booted', adopted: [adopted], persisted: before() })
    expect(effects).toEqual(['probe web/1-1'])
    expect(story.seen()).toBe('ready restarts=0')
    expect(story.state.generation).toBe(1)
  })

  it('numbers its reports on', () => {
    const persisted = before()
    const story = new Story()
    story.at(2_000, { kind: 'booted', adopted: [adopted], persisted })
    expect(story.all(2_200, { kind: 'tick' })).toContain(
      `report #${String(persisted.sequence + 1)}`,
    )
  })

  it('starts again what ended meanwhile', () => {
    const story = new Story()
    const event = { kind: 'booted', adopted: [], persisted: before() } as const
    expect(story.at(2_000, event)).toEqual(['start web/1-1'])
    expect(story.seen()).toBe('starting restarts=1')
  })

  it('finds ready what nothing probes, though its file is lost', () => {
    const story = new Story()
    story.at(2_000, { kind: 'booted', adopted: [adopted] })
    expect(story.seen()).toBe('running restarts=0')
    expect(story.at(2_100, read(2, [{ id: 'web/1-1' }]))).toEqual([])
    expect(story.seen()).toBe('ready restarts=0')
  })

  it('finds ready what is probed only once a probe has succeeded', () => {
    const story = new Story()
    story.at(2_000, { kind: 'booted', adopted: [adopted] })
    const template = { template: withHealth }
    expect(story.at(2_100, read(2, [{ id: 'web/1-1' }], template))).toEqual(['probe web/1-1'])
    expect(story.seen()).toBe('running restarts=0')
  })

  it('keeps a process that its file does not explain until an assignment has been read', () => {
    const story = new Story()
    const unknown = { ...adopted, replicaId: 'api/2-1', process: running(200) }
    story.at(2_000, { kind: 'booted', adopted: [adopted, unknown], persisted: before() })
    expect(story.seen('api/2-1')).toBe('running restarts=0')
    expect(story.at(2_100, read(2, [{ id: 'web/1-1' }], { template: withHealth }))).toEqual([
      'signal api/2-1 200',
    ])
  })

  it('after a reboot knows the generation and nothing else', () => {
    const story = new Story({ bootId: 'boot-2' })
    expect(story.at(0, { kind: 'booted', adopted: [], persisted: before() })).toEqual([])
    expect(story.state.generation).toBe(1)
    expect(story.state.report.content).toMatchObject({ observedGeneration: 0, replicas: [] })
  })

  it('takes nothing from another machine', () => {
    const persisted = { ...before(), arn: 'arn:aws:ec2:us-east-1:1:instance/i-other' }
    const story = new Story()
    story.at(0, { kind: 'booted', adopted: [], persisted })
    expect(story.state.generation).toBe(0)
  })

  it('does not ask a stopping one twice, and its grace runs on', () => {
    const earlier = Story.running()
    earlier.at(1_000, read(2, [{ id: 'web/1-1', order: 'stop' }]))
    const story = new Story()
    const persisted = earlier.state.persisted!
    expect(story.at(3_000, { kind: 'booted', adopted: [adopted], persisted })).toEqual([])
    expect(story.tick(11_000)).toEqual(['kill web/1-1 100'])
  })
})

describe('telling', () => {
  it('waits a moment, so that changes share one report', () => {
    const story = new Story()
    expect(story.all(0, { kind: 'booted', adopted: [] })).toEqual(['persist', 'beat'])
    story.all(30, read(1, [{ id: 'web/1-1' }]))
    story.all(60, { kind: 'process-started', replicaId: 'web/1-1', process: running(100) })
    expect(story.nextAtMs).toBe(100)
    expect(story.all(100, { kind: 'tick' })).toEqual(['persist', 'report #1'])
    expect(story.all(110, { kind: 'report-written' })).toEqual([])
    expect(story.all(5_000, { kind: 'tick' })).toEqual([])
  })

  it('sends one report at a time; what changed meanwhile follows', () => {
    const story = new Story().boot()
    story.tick(100)
    story.all(110, read(1, [{ id: 'web/1-1' }]))
    expect(story.all(500, { kind: 'tick' })).toEqual([])
    expect(story.all(510, { kind: 'report-written' })).toEqual(['persist', 'report #2'])
  })

  it('tries a failed report again with growing pauses, however much happens', () => {
    const story = new Story().boot()
    story.tick(100)
    const pauses: number[] = []
    for (let nowMs = 200; pauses.length < 8;) {
      story.all(nowMs, { kind: 'write-failed', what: 'report' })
      story.all(nowMs + 1, read(1, [{ id: `web/1-${String(pauses.length)}` }]))
      const dueMs = story.state.report.dueAtMs ?? NaN
      pauses.push(dueMs - nowMs)
      nowMs = dueMs
      expect(story.all(nowMs, { kind: 'tick' })).toContain(`report #${String(pauses.length + 1)}`)
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000])
  })

  it('writes an unchanged report again before it expires', () => {
    const story = new Story().boot()
    story.tick(100)
    story.all(200, { kind: 'report-written' })
    expect(story.all(200 + 6 * 3_600_000, { kind: 'tick' })).toContain('report #2')
  })

  it('beats every thirty seconds, and again soon when one failed', () => {
    const story = new Story().boot()
    story.all(5, { kind: 'beat-written' })
    expect(story.all(30_004, { kind: 'tick' })).not.toContain('beat')
    expect(story.all(30_005, { kind: 'tick' })).toContain('beat')
    story.all(30_010, { kind: 'write-failed', what: 'beat' })
    expect(story.all(30_510, { kind: 'tick' })).toContain('beat')
  })

  it('tries the state file again after a while when it could not be written', () => {
    const story = new Story().boot()
    story.all(10, { kind: 'write-failed', what: 'persist' })
    expect(story.all(10_009, { kind: 'tick' })).not.toContain('persist')
    expect(story.all(10_010, { kind: 'tick' })).toContain('persist')
  })

  it('does nothing before it has booted', () => {
    const story = new Story()
    expect(story.all(0, read(1, [{ id: 'web/1-1' }]))).toEqual([])
  })
})
