import { describe, expect, test } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { makeMemoryQueue } from '#shared/cloud/memory-queue.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { matters, wakeForChanges, wakeForMessages, WAKING_KINDS } from '#shared/controllers/wake.ts'
import { parseWakeMessage } from '#shared/protocol/wake-message.ts'
import type { Change, Fields } from '#shared/store/store.ts'

const key = { pk: 'p', sk: 's' }

function change(before: Fields | undefined, after: Fields | undefined): Change {
  return {
    key,
    expired: false,
    ...(before && { before: { ...key, ...before } }),
    ...(after && { after: { ...key, ...after } }),
  }
}

const report = {
  kind: 'report',
  bootId: 'b',
  sequence: 1,
  atMs: 10,
  ttl: 100,
  observedGeneration: 3,
  replicas: [{ id: 'web/1-1', phase: 'running', ready: false, addresses: { http: '10.0.0.1:80' } }],
  burnIn: { attempt: 1, suite: 'basic', state: 'running', checks: [] },
}
const spec = {
  kind: 'spec',
  name: 'web',
  uid: 'u',
  generation: 1,
  updatedAtMs: 5,
  spec: { replicas: 1 },
}
const verdict = { kind: 'verdict', node: 'n', attempt: 1, verdict: 'PASS', atMs: 5, ttl: 9 }

describe('a change that matters', () => {
  test.each<[string, Change]>([
    ['a new spec', change(undefined, spec)],
    ['a changed spec', change(spec, { ...spec, generation: 2, spec: { replicas: 2 } })],
    ['a deleted spec', change(spec, { ...spec, deletedAtMs: 9 })],
    ['a new order', change(undefined, { kind: 'order', verb: 'drain', atMs: 1 })],
    ['an order given again', change({ kind: 'order', atMs: 1 }, { kind: 'order', atMs: 2 })],
    ['a withdrawn order', change({ kind: 'order', verb: 'cordon', atMs: 1 }, undefined)],
    ['a first report', change(undefined, report)],
    ['a reboot', change(report, { ...report, bootId: 'c' })],
    ['a replica that got ready', change(report, withReplica({ ready: true }))],
    ['an assignment taken in', change(report, { ...report, observedGeneration: 4 })],
    ['a spot notice', change(report, { ...report, interruption: { deadlineMs: 7 } })],
    ['a verdict', change(undefined, verdict)],
    ['another verdict', change(verdict, { ...verdict, verdict: 'FAIL' })],
    ['a target', change({ kind: 'target', replicas: 1 }, { kind: 'target', replicas: 2 })],
    ['a proposal', change(undefined, { kind: 'proposal', groups: [] })],
    [
      'another proposal',
      change({ kind: 'proposal', groups: [] }, { kind: 'proposal', groups: [{ id: 'n1' }] }),
    ],
  ])('%s', (_, own) => {
    expect(matters(own)).toBe(true)
  })
})

describe('a change that does not', () => {
  const nextReport = { ...report, sequence: 2, atMs: 20, ttl: 200 }
  test.each<[string, Change]>([
    ['a report that says the same again', change(report, nextReport)],
    [
      'a proposal that proposes the same',
      change(
        { kind: 'proposal', groups: [], atMs: 1, cost: 1, refused: [] },
        { kind: 'proposal', groups: [], atMs: 2, cost: 2, refused: ['n1'] },
      ),
    ],
    [
      'the progress of a burn-in',
      change(report, { ...nextReport, burnIn: { ...report.burnIn, state: 'finished' } }),
    ],
    ['keys in another order', change(report, reversed(report))],
    ['a spec touched and unchanged', change(spec, { ...spec, updatedAtMs: 6 })],
    ['a verdict given again', change(verdict, { ...verdict, atMs: 6, ttl: 10 })],
    ['an expired report', { ...change(report, undefined), expired: true }],
    ['an expired spec', { ...change(spec, undefined), expired: true }],
    ['an item without a kind', change(undefined, { a: 1 })],
    ['a kind that names a method', change(undefined, { kind: 'constructor' })],
    ['a kind that is no text', change(undefined, { kind: { S: 'spec' } })],
  ])('%s', (_, own) => {
    expect(matters(own)).toBe(false)
  })

  test.each([
    'assignment',
    'assignment-head',
    'beat',
    'brake',
    'launch',
    'market',
    'node',
    'pass',
    'revision',
    'shortage',
    'signal',
    'status',
  ])('anything of %s', (kind) => {
    expect(matters(change(undefined, { kind }))).toBe(false)
    expect(WAKING_KINDS).not.toContain(kind)
  })
})

describe('wake', () => {
  function open() {
    const clock = makeVirtualClock(1_000)
    const queue = makeMemoryQueue({ clock })
    const reasons = (): string[] =>
      queue.fifo.receive(1_000_000).map(({ body }) => parseWakeMessage(body).reason)
    return { ports: { queue, log: silentLogger }, reasons }
  }

  test('sends one wake for a whole batch and says why', async () => {
    const { ports, reasons } = open()
    const beat = change(undefined, { kind: 'beat' })
    const batch = [
      beat,
      change(undefined, spec),
      change(undefined, report),
      change(spec, undefined),
    ]
    expect(await wakeForChanges(ports, batch)).toBe(true)
    expect(reasons()).toEqual(['changed: report, spec'])
  })

  test('sends none when nothing matters', async () => {
    const { ports, reasons } = open()
    expect(await wakeForChanges(ports, [change(undefined, { kind: 'beat' })])).toBe(false)
    expect(await wakeForChanges(ports, [])).toBe(false)
    expect(reasons()).toEqual([])
  })

  test('passes delayed wakes on as one, readable or not', async () => {
    const { ports, reasons } = open()
    const body = JSON.stringify({ reason: 'drain deadline', sentAtMs: 1 })
    expect(await wakeForMessages(ports, [body, 'rubbish'])).toBe(true)
    expect(reasons()).toEqual(['drain deadline'])
    const other = open()
    await wakeForMessages(other.ports, ['rubbish'])
    expect(other.reasons()).toEqual(['unreadable'])
    expect(await wakeForMessages(other.ports, [])).toBe(false)
  })
})

function withReplica(fields: Fields): Fields {
  return { ...report, replicas: [{ ...report.replicas[0], ...fields }] }
}

function reversed(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).reverse())
}
