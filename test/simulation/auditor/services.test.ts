import { expect, it } from 'vitest'
import type { BoundReplica } from '#shared/model/assignment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { versionOf } from '#shared/model/version.ts'
import type { TargetState } from '#shared/model/service.ts'
import type { Caller } from '../traffic.ts'
import { assignment, herd, node, ready, START_MS, webTemplate, type Hand } from './hand-made.ts'

const RULE = 'services'
const GROUP = 'arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/1'
const TARGET = { instanceId: 'i-1', port: 20_001 }
const said = (text: RegExp): object => ({ rule: RULE, text: expect.stringMatching(text) })
const WEB = { ports: [{ name: 'http' }], service: { targetGroupArn: GROUP } }
const templates = { [`u-web/${versionOf(webTemplate(WEB))}`]: webTemplate(WEB) }

const balanced = (more: object = {}): BoundReplica => ({
  ...ready('web/1-1'),
  version: versionOf(webTemplate(WEB)),
  balanced: { targetGroupArn: GROUP, port: TARGET.port, sinceMs: START_MS, ...more },
})

/** `web` of one replica stands behind a load balancer. */
function behind(): Hand {
  const hand = herd({ workload: { ...WEB, replicas: 1 } })
  hand.process('i-1', { template: webTemplate(WEB), version: versionOf(webTemplate(WEB)) })
  const [process] = hand.processes.get('i-1') ?? []
  if (process !== undefined) hand.processes.set('i-1', [{ ...process, ports: { http: 20_001 } }])
  return hand
}

const bare = (): BoundReplica => {
  const { balanced: _, ...own } = balanced()
  return own
}

function bind(hand: Hand, own: BoundReplica): void {
  const generation = 1 + Number(hand.table.size)
  expect(
    hand.commit(hand.pass(), ...assignment({ generation, templates, replicas: [own] })),
  ).toBeUndefined()
}

const register = (hand: Hand, by: Caller) =>
  hand.see({ kind: 'balance', by, what: 'register', targetGroupArn: GROUP, targets: [TARGET] })

const list = (hand: Hand, state: TargetState): void => {
  hand.targets.push({ ...TARGET, targetGroupArn: GROUP, state })
}

const stop = (hand: Hand) =>
  hand.see({ kind: 'process', instanceId: 'i-1', replicaId: 'web/1-1', what: 'told to stop' })

it('is caught when somebody is registered whom no assignment names', () => {
  const hand = behind()
  expect(register(hand, hand.pass())).toMatchObject(said(/web\/1 i-1:20001, which no assignment/))
  bind(hand, balanced())
  expect(register(hand, hand.pass())).toBeUndefined()
  expect(register(hand, hand.call('wake'))).toMatchObject(said(/reconcile alone may/))
})

it('lets a call of an overtaken pass come late, and nobody else’s', () => {
  const hand = behind()
  bind(hand, balanced())
  const overtaken = hand.pass()
  hand.wait(5_000)
  bind(hand, bare())
  expect(register(hand, overtaken)).toBeUndefined()
  hand.wait(5_000)
  expect(register(hand, hand.pass())).toMatchObject(said(/which no assignment names/))
})

it('is caught when who is told to stop is still registered, or drains', () => {
  const hand = behind()
  bind(hand, balanced({ leavingSinceMs: START_MS }))
  expect(stop(hand)).toBeUndefined()
  list(hand, 'draining')
  expect(stop(hand)).toMatchObject(said(/told to stop, and is draining as web\/1 i-1:20001/))
  hand.targets.length = 0
  list(hand, 'unused')
  expect(stop(hand)).toBeUndefined()
})

it('is caught when who is told to run leaves a load balancer, and listens where it did', () => {
  const leaving = (hand: Hand): unknown => {
    const own = balanced({ leavingSinceMs: START_MS })
    const body = { generation: 1 + Number(hand.table.size), templates, replicas: [own] }
    return hand.commit(hand.pass(), ...assignment(body))
  }
  const stays = behind()
  bind(stays, balanced())
  expect(leaving(stays)).toMatchObject(said(/is to run, and to leave web\/1 i-1:20001/))
  const moves = behind()
  bind(moves, balanced())
  const [process] = moves.processes.get('i-1') ?? []
  if (process !== undefined) moves.processes.set('i-1', [{ ...process, ports: { http: 20_002 } }])
  expect(leaving(moves)).toBeUndefined()
})

it('excuses who has no time left', () => {
  const drained = behind()
  bind(drained, balanced())
  list(drained, 'healthy')
  const drain = { reason: 'SpotInterruption', text: '', sinceMs: START_MS, generation: 1 }
  const at = (deadlineMs: number) => node({ drain: { ...drain, deadlineMs } as never })
  drained.commit(drained.pass(), at(drained.world.nowMs + 60_000))
  expect(stop(drained)).toMatchObject(said(/is healthy/))
  drained.commit(drained.pass(), at(drained.world.nowMs + 30_000))
  expect(stop(drained)).toBeUndefined()

  const waited = behind()
  bind(waited, balanced({ leavingSinceMs: waited.world.nowMs }))
  list(waited, 'draining')
  waited.wait(LIMITS.deregisterMostMs - 10_000)
  expect(stop(waited)).toMatchObject(said(/is draining/))
  waited.wait(10_000)
  expect(stop(waited)).toBeUndefined()
})

it('is not settled until exactly those are registered that serve', () => {
  const hand = behind()
  bind(hand, balanced())
  const found = (): readonly string[] => hand.auditor.unsettled()
  expect(found()).toContain('web/1-1 is not registered as web/1 i-1:20001')
  list(hand, 'healthy')
  expect(found().filter((own) => own.includes('web/1 i-1'))).toEqual([])
  hand.processes.set('i-1', [])
  expect(found()).toContain('web/1 i-1:20001 is healthy, and nobody serves there')
})
