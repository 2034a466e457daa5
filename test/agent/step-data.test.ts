/**
 * Data in the agent's step: who waits for it, when it is fetched, and what is done where it is not
 * what it should be.
 */
import { describe, expect, it } from 'vitest'
import type { Assignment } from '#shared/model/assignment.ts'
import { dataKey, type Data } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { ReportedReplica } from '#shared/model/report.ts'
import { nextFetchAtMs } from '#agent/data/settle-data.ts'
import { assignment, running, Story, type BoundInput } from './story.ts'

type Templates = Assignment['templates']
const dataOf = (version: string): Data => ({ version, source: `s3://acme-recs/${version}/` })
const KEY = dataKey(dataOf('1'))
const [GOOD, OTHER] = ['ab'.repeat(32), 'cd'.repeat(32)]
const withData = (version = '1') => ({ command: ['run'], data: dataOf(version) })

/** One assignment whose replicas serve version 1, held to a digest where one is named. */
const read = (generation: number, replicas: readonly BoundInput[], digest?: string) => {
  const data = digest === undefined ? {} : { data: [{ key: KEY, digest }] }
  const given = assignment(generation, replicas, { template: withData(), ...data })
  return { kind: 'assignment-read', assignment: given } as const
}
const cached = (digest = GOOD, key = KEY) =>
  ({ key, digest, bytes: 1_000, path: `/data/${key}/${digest.slice(0, 4)}` }) as const
const whole = (digest = GOOD, key = KEY) =>
  ({ kind: 'data-whole', ...cached(digest, key) }) as const
const failed = (reason = 'DataFetchFailed: 503', key = KEY) =>
  ({ kind: 'data-failed', key, reason }) as const
const started = (pid = 100, replicaId = 'web/1-1') =>
  ({ kind: 'process-started', replicaId, process: running(pid) }) as const
const adopted = (replicaId = 'web/1-1') => ({
  ...{ replicaId, workload: 'web', version: 'v1', gpus: [], graceSeconds: 10 },
  process: running(100),
})
const WEB = [{ id: 'web/1-1' }]

/** With one replica up that serves GOOD. */
function serving(): Story {
  const story = new Story().boot()
  story.at(0, read(1, WEB))
  story.at(0, whole())
  story.at(0, started())
  return story
}

/** How reconcile counts: each end is followed by a restart, but the last. */
function crashesOf(story: Story): number {
  const own = story.state.report.content?.replicas[0] as ReportedReplica
  return own.restarts + (own.phase === 'failed' ? 1 : 0)
}

describe('a replica with data', () => {
  it('waits until it is whole, and starts where it lies', () => {
    const story = new Story().boot()
    expect(story.at(0, read(1, WEB))).toEqual([`keep [${KEY}]`, `fetch ${KEY}`])
    expect(story.seen()).toBe('fetching restarts=0')
    expect(story.tick(600_000)).toEqual([])
    expect(story.at(600_001, whole())).toEqual(['start web/1-1'])
    expect(story.effects).toContainEqual(
      expect.objectContaining({ launch: expect.objectContaining({ dataPath: cached().path }) }),
    )
    story.at(600_002, started())
    expect(story.seen()).toBe('ready restarts=0')
    expect(story.state.report.content?.data).toEqual([
      { key: KEY, state: 'whole', digest: GOOD, fetchedBytes: 1_000, totalBytes: 1_000 },
    ])
  })

  it('shares it with the others of its node: one fetch for all', () => {
    const story = new Story().boot()
    story.at(0, read(1, [...WEB, { id: 'web/1-2' }]))
    expect(story.at(1, whole())).toEqual(['start web/1-1', 'start web/1-2'])
    expect(story.at(2, read(2, [...WEB, { id: 'web/1-2' }, { id: 'web/1-3' }]))).toEqual([
      'start web/1-3',
    ])
  })

  it('fetches two versions at once, and the next when one of them is there', () => {
    const ids = ['a/1-1', 'b/1-1', 'c/1-1']
    const own = ids.map((id) => assignment(1, [{ id }], { template: withData(id) }))
    const templates = Object.assign({}, ...own.map((one) => one.templates)) as Templates
    const replicas = own.flatMap((one) => one.replicas)
    const given = { ...assignment(1, []), templates, replicas }
    const keys = ids.map((id) => dataKey(dataOf(id)))
    const story = new Story().boot()
    expect(story.at(0, { kind: 'assignment-read', assignment: given }).slice(1)).toEqual([
      `fetch ${keys[0]!}`,
      `fetch ${keys[1]!}`,
    ])
    expect(nextFetchAtMs(story.state, 0)).toBe(Infinity)
    expect(story.at(1, whole(GOOD, keys[1]))).toEqual(['start b/1-1', `fetch ${keys[2]!}`])
  })

  it('goes before it was there: the fetch is given up, and its end is no failure', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB))
    const order = read(2, [{ id: 'web/1-1', order: 'stop' }])
    expect(story.at(1, order)).toEqual([`stop fetching ${KEY}`, 'keep []'])
    expect(story.seen()).toBe('gone restarts=0')
    expect(story.tick(2)).toEqual([])
    expect(story.at(3, failed('DataFetchFailed: stopped'))).toEqual([])
    expect(story.state.data).toEqual({})
  })

  it('that comes back while the fetch is being given up has it fetched again', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB))
    story.at(1, read(2, []))
    expect(story.at(2, read(3, [{ id: 'web/2-1' }]))).toEqual([`keep [${KEY}]`])
    expect(story.at(3, failed('DataFetchFailed: stopped'))).toEqual([`fetch ${KEY}`])
    expect(story.seen('web/2-1')).toBe('fetching restarts=0')
  })

  it('gives the fetch up when the machine is about to end', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB))
    const notice = { action: 'terminate', deadlineMs: 60_000 }
    story.at(1, { kind: 'metadata', interruption: notice, rebalance: false })
    expect(story.tick(50_000)).toEqual([`stop fetching ${KEY}`, 'keep []'])
    expect(story.seen()).toBe('gone restarts=0')
  })

  it('that can never start here has nothing fetched', () => {
    const story = new Story().boot()
    const template = { ...withData(), image: 'registry.example/web:1' }
    const given = assignment(1, WEB, { template })
    expect(story.at(0, { kind: 'assignment-read', assignment: given })).toEqual([])
    expect(story.seen()).toBe('failed restarts=0 (NoContainerRuntime)')
  })
})

describe('data that cannot be had', () => {
  it('is tried again after a growing pause, and counts like a start that failed', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB))
    expect(story.at(1_000, failed())).toEqual([])
    expect(story.seen()).toBe('failed restarts=0 (DataFetchFailed: 503)')
    expect(story.nextAtMs).toBe(1_000 + LIMITS.dataRetryFirstMs)
    expect(story.tick(6_000)).toEqual([`fetch ${KEY}`])
    expect([story.seen(), crashesOf(story)]).toEqual([
      'failed restarts=0 (DataFetchFailed: 503)',
      1,
    ])
    story.at(7_000, failed('DataDoesNotFit: 9 GB'))
    expect([story.seen(), crashesOf(story)]).toEqual([
      'failed restarts=1 (DataDoesNotFit: 9 GB)',
      2,
    ])
    expect(story.nextAtMs).toBe(7_000 + 2 * LIMITS.dataRetryFirstMs)
    story.tick(17_000)
    expect(story.at(18_000, whole())).toEqual(['start web/1-1'])
    expect([story.seen(), crashesOf(story)]).toEqual([
      'starting restarts=2 (DataDoesNotFit: 9 GB)',
      2,
    ])
  })

  it('pauses no longer than its limit', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB))
    let nowMs = 0
    for (let tried = 0; tried < 12; tried += 1) {
      story.at(nowMs, failed())
      nowMs = nextFetchAtMs(story.state, nowMs)
      story.tick(nowMs)
    }
    story.at(nowMs, failed())
    expect(nextFetchAtMs(story.state, nowMs)).toBe(nowMs + LIMITS.dataRetryMaxMs)
    expect(story.seen()).toMatch('failed restarts=12')
  })

  it('tells who comes later at once, and counts for them from then on', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB))
    story.at(1_000, failed())
    story.at(2_000, read(2, [...WEB, { id: 'web/1-2' }]))
    expect(story.seen('web/1-2')).toBe('failed restarts=0 (DataFetchFailed: 503)')
    story.tick(6_000)
    story.at(7_000, failed())
    expect(story.seen('web/1-2')).toBe('failed restarts=1 (DataFetchFailed: 503)')
  })

  it('counts on after a restart of the agent', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB))
    story.at(1_000, failed())
    const again = new Story()
    const event = { kind: 'booted', adopted: [], persisted: story.state.persisted! } as const
    expect(again.at(2_000, event)).toEqual([`keep [${KEY}]`, `fetch ${KEY}`])
    expect([again.seen(), crashesOf(again)]).toEqual([
      'fetching restarts=1 (DataFetchFailed: 503)',
      1,
    ])
    again.at(3_000, failed())
    expect(crashesOf(again)).toBe(2)
  })
})

describe('the digest', () => {
  it('that is known goes along with the fetch', () => {
    const story = new Story().boot()
    expect(story.at(0, read(1, WEB, GOOD))).toEqual([`keep [${KEY}]`, `fetch ${KEY} as abab`])
  })

  it('that turns out another stops what serves it, and fetches before it starts again', () => {
    const story = serving()
    expect(story.at(10, read(2, WEB, GOOD))).toEqual([])
    expect(story.at(20, read(3, WEB, OTHER))).toEqual(['signal web/1-1 100'])
    expect(story.seen()).toBe('stopping restarts=0')
    expect(story.exit(30, { code: 0 })).toEqual([`fetch ${KEY} as cdcd`])
    expect(story.seen()).toBe('fetching restarts=1 (DataChanged)')
    expect(story.at(5_000, whole(OTHER))).toEqual(['start web/1-1'])
  })

  it('that comes back while the replica ends does not keep it', () => {
    const story = serving()
    story.at(20, read(2, WEB, OTHER))
    story.at(30, read(3, WEB, GOOD))
    expect(story.seen()).toBe('stopping restarts=0')
    expect(story.tick(10_020)).toEqual(['kill web/1-1 100'])
    story.exit(10_030, { signal: 'SIGKILL' })
    expect(story.tick(11_030)).toEqual(['start web/1-1'])
  })

  it('that the source does not have is a failure, until another is expected', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB, OTHER))
    story.at(1_000, failed('DataChanged: expected cdcdcdcd, found abababab'))
    expect(story.seen()).toMatch('failed restarts=0 (DataChanged: expected')
    expect(story.at(2_000, read(2, WEB, OTHER))).toEqual([])
    expect(story.at(3_000, read(3, WEB, GOOD))).toEqual([`fetch ${KEY} as abab`])
    expect(story.at(3_001, whole())).toEqual(['start web/1-1'])
  })

  it('of a fetch that ends when another is expected by then is not taken', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB))
    story.at(1, read(2, WEB, OTHER))
    expect(story.at(2, whole(GOOD))).toEqual([`fetch ${KEY} as cdcd`])
    expect(story.seen()).toBe('fetching restarts=0')
  })
})

describe('an agent that comes back', () => {
  it('fetches nothing that is whole, and keeps what serves it', () => {
    const { persisted } = serving().state
    const story = new Story()
    const data = [cached()]
    const event = { kind: 'booted', adopted: [adopted()], data, persisted: persisted! } as const
    expect(story.at(1, event)).toEqual([`keep [${KEY}]`])
    expect(story.seen()).toBe('ready restarts=0')
  })

  it('without a memory evicts nothing before it knows what everything here serves', () => {
    const story = new Story()
    const old = cached(GOOD, '0'.repeat(16))
    const event = { kind: 'booted', adopted: [adopted()], data: [cached(), old] } as const
    expect(story.at(1, event)).toEqual([])
    expect(story.at(2, read(1, WEB))).toEqual([`keep [${KEY}]`])
    expect(Object.keys(story.state.data)).toEqual([KEY])
  })

  it('finds data wiped under a process: the process runs on, and the data comes back', () => {
    const { persisted } = serving().state
    const story = new Story()
    const event = { kind: 'booted', adopted: [adopted()], data: [], persisted: persisted! } as const
    expect(story.at(1, event)).toEqual([`keep [${KEY}]`, `fetch ${KEY}`])
    expect(story.at(2, whole(OTHER))).toEqual([])
    expect(story.seen()).toBe('ready restarts=0')
  })
})

describe('what is kept', () => {
  it('is what the assignment names, and what a process serves until it has ended', () => {
    const story = serving()
    const spare = [{ key: 'f'.repeat(16), digest: OTHER }]
    const given = assignment(2, [], { data: spare })
    const left = { kind: 'assignment-read', assignment: given } as const
    expect(story.at(1, left)).toEqual(['signal web/1-1 100', `keep [${KEY} ${'f'.repeat(16)}]`])
    expect(story.exit(2)).toEqual(['clean up web/1-1', `keep [${'f'.repeat(16)}]`])
    expect(story.state.data).toEqual({})
  })

  it('is asked of the cache when it is wanted again', () => {
    const story = serving()
    story.at(1, read(2, []))
    story.exit(2)
    expect(story.at(3, read(3, [{ id: 'web/2-1' }]))).toEqual([`keep [${KEY}]`, `fetch ${KEY}`])
    expect(story.at(3, whole())).toEqual(['start web/2-1'])
  })

  it('costs an agent without data no word', () => {
    const story = new Story().boot()
    const given = assignment(1, WEB)
    expect(story.at(0, { kind: 'assignment-read', assignment: given })).toEqual(['start web/1-1'])
    expect(story.state.report.content).not.toHaveProperty('data')
  })
})

describe('progress', () => {
  const progress = (fetchedBytes: number, totalBytes?: number) =>
    ({
      ...({ kind: 'data-progress', key: KEY, fetchedBytes } as const),
      ...(totalBytes === undefined ? {} : { totalBytes }),
    }) as const
  const told = (story: Story): number | undefined =>
    story.state.report.content?.data?.[0]?.fetchedBytes

  it('is told of at most every ten seconds, and by a tenth at the least', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB))
    story.at(1, progress(0, 1_000))
    expect(story.state.report.content?.data).toEqual([
      { key: KEY, state: 'fetching', fetchedBytes: 0, totalBytes: 1_000 },
    ])
    const seen = [5_000, 9_999, 10_001, 19_000, 20_001, 40_000, 41_000].map((nowMs) => {
      story.at(nowMs, progress(Math.min(Math.floor(nowMs / 100), 300), 1_000))
      return told(story)
    })
    expect(seen).toEqual([0, 0, 100, 100, 200, 300, 300])
  })

  it('of unknown length is told of every ten seconds', () => {
    const story = new Story().boot()
    story.at(0, read(1, WEB))
    story.at(9_000, progress(9))
    expect(told(story)).toBe(0)
    story.at(10_000, progress(10))
    expect(told(story)).toBe(10)
  })

  it('that comes when the fetch has ended changes nothing', () => {
    const story = serving()
    story.at(100_000, progress(1, 2))
    expect(told(story)).toBe(1_000)
  })
})
