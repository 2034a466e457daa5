import { describe, expect, it } from 'vitest'
import { keys } from '#shared/store/keys.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import { herd, node, START_MS, type Hand } from './hand-made.ts'

const RULE = '12 brakes on buying'

const burnInWith = (name: string) => ({
  ...{ attempt: 1, tries: 1, unknowns: 0, mended: [], suite: 'cpu', startedAtMs: 0, deadlineMs: 1 },
  checks: [{ name, verdict: 'FAIL', measures: {}, text: '' } satisfies CheckResult],
})

/** A machine comes up and is tested; what the auditor says to that. */
function test(hand: Hand, name: string, createdAtMs = hand.world.nowMs) {
  const facts = { name, instanceId: `i-${name}`, createdAtMs }
  if (!hand.instances.has(facts.instanceId)) hand.instance(facts.instanceId)
  const by = hand.pass()
  const burnIn = burnInWith('cpu')
  hand.commit(by, node({ ...facts, phase: 'booting', phaseSinceMs: hand.world.nowMs, burnIn }))
  const phaseSinceMs = hand.world.nowMs
  return hand.commit(by, node({ ...facts, phase: 'testing', phaseSinceMs, burnIn }))
}

function end(
  hand: Hand,
  name: string,
  {
    phase = 'quarantined',
    check = 'cpu',
  }: { phase?: 'quarantined' | 'ready'; check?: string } = {},
) {
  const facts = { name, instanceId: `i-${name}`, phaseSinceMs: hand.world.nowMs }
  hand.commit(hand.pass(), node({ ...facts, phase, burnIn: burnInWith(check) }))
}

/** So many that failed one after the other, and two that were bought then. */
function afterFailures(count: number, check = 'cpu') {
  const hand = herd()
  hand.wait(600_000)
  for (let i = 1; i <= count; i += 1) {
    test(hand, `f${String(i)}`)
    end(hand, `f${String(i)}`, { check })
  }
  return hand
}

describe('brakes on buying', () => {
  it('catches the second that is tried after five in a row failed', () => {
    const hand = afterFailures(5)
    expect(test(hand, 't1')).toBeUndefined()
    expect(test(hand, 't2')).toMatchObject({
      rule: RULE,
      text: expect.stringMatching(/5 in a row failed with general .* cpu, and t2, t1 are tried/),
    })
  })

  it('accepts it after four, after machines that were refused, or where one has passed', () => {
    const four = afterFailures(4)
    test(four, 't1')
    expect(test(four, 't2')).toBeUndefined()
    const refused = afterFailures(6, 'hardware')
    test(refused, 't1')
    expect(test(refused, 't2')).toBeUndefined()
    const mended = afterFailures(5)
    test(mended, 't1')
    end(mended, 't1', { phase: 'ready' })
    test(mended, 't2')
    expect(test(mended, 't3')).toBeUndefined()
  })

  it('accepts machines that were bought before', () => {
    const hand = afterFailures(5)
    test(hand, 't1', START_MS)
    expect(test(hand, 't2', START_MS)).toBeUndefined()
    expect(test(hand, 't3')).toBeUndefined()
  })

  it('accepts it when a window has gone by, or a person has released the brake', () => {
    const late = afterFailures(5)
    late.wait(600_000)
    test(late, 't1')
    expect(test(late, 't2')).toBeUndefined()
    const released = afterFailures(5)
    const order = { kind: 'order', target: 'pool', name: 'general', verb: 'release-brake' }
    const atMs = released.world.nowMs
    released.put('admin-api', { ...keys.order('pool', 'general'), ...order, atMs })
    test(released, 't1')
    expect(test(released, 't2')).toBeUndefined()
  })
})
