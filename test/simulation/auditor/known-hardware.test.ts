import { expect, it } from 'vitest'
import type { CheckResult } from '#shared/model/verdict.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import { assignment, herd, node, report, START_MS, verdict, type Hand } from './hand-made.ts'

const RULE = 'rejected hardware stays out'
const UUID = 'GPU-00000000-0000-0000-0000-000000000001'
const gpus = [{ index: 0, uuid: UUID, bus: '0000:00:00' }]
const bad: CheckResult = {
  ...{ name: 'cpu', verdict: 'FAIL', measures: {}, text: 'errors' },
  devices: [{ uuid: UUID, verdict: 'FAIL', text: 'errors' }],
}

const PASS: CheckResult = { name: 'cpu', verdict: 'PASS', measures: {}, text: '' }
const finished = { attempt: 1, suite: 'cpu', state: 'finished' as const, checks: [PASS] }

/** Node `n2` enters service on `i-2`, with the GPU. */
function enter(hand: Hand) {
  const facts = { name: 'n2', instanceId: 'i-2' }
  hand.instance('i-2')
  hand.report('i-2', report('i-2', { gpus, burnIn: finished }))
  const by = hand.pass()
  hand.commit(by, node({ ...facts, phase: 'testing' }), ...assignment(facts))
  hand.put('burn-in', verdict(facts))
  return hand.commit(by, node(facts))
}

function reject(): Hand {
  const hand = herd()
  hand.report('i-1', report('i-1', { gpus }))
  hand.put('burn-in', verdict({ verdict: 'FAIL', checks: [bad] }))
  return hand
}

it('is caught when a GPU that failed in one machine enters service in another', () => {
  expect(enter(reject())).toMatchObject({ rule: RULE })
})

it('is fine where nothing was found, and after a month', () => {
  const hand = herd()
  hand.report('i-1', report('i-1', { gpus }))
  expect(enter(hand)).toBeUndefined()
  const later = reject()
  later.wait(31 * 86_400_000)
  expect(enter(later)).toBeUndefined()
})

it('is fine once the machine was mended on which it failed', () => {
  const hand = reject()
  hand.report('i-1', report('i-1', { gpus, burnIn: { ...finished, attempt: 2 } }))
  hand.put('burn-in', verdict({ attempt: 2 }))
  expect(enter(hand)).toBeUndefined()
})

const vouch = (rejectedAtMs: number): Item => ({
  ...keys.order('hardware', UUID),
  ...{ kind: 'order', target: 'hardware', name: UUID, verb: 'clear' },
  ...{ rejectedAtMs, atMs: START_MS },
})

it('is fine once a person vouched for it, until it fails again', () => {
  const hand = reject()
  hand.put('admin-api', vouch(START_MS))
  expect(enter(hand)).toBeUndefined()
  const anew = reject()
  anew.put('admin-api', vouch(START_MS - 1))
  expect(enter(anew)).toMatchObject({ rule: RULE })
})
