import { describe, expect, it } from 'vitest'
import type { Node } from '#shared/model/node.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import { assignment, herd, node, START_MS, verdict, type Hand } from './hand-made.ts'

const CPU = { name: 'cpu', check: 'cpu', timeoutSeconds: 60, limits: {} }
const tried = { tries: 1, unknowns: 0, mended: ['reboot' as const], suite: 'cpu' }
const rebooting: Partial<Node> = {
  phase: 'testing',
  burnIn: {
    ...{ attempt: 1, ...tried, startedAtMs: START_MS, deadlineMs: START_MS + 600_000, checks: [] },
    reboot: { sinceMs: START_MS, lastTryMs: START_MS },
  },
}

const reboot = (hand: Hand, by: ReturnType<Hand['pass']>) =>
  hand.see({ kind: 'reboot', by, instanceIds: ['i-1'] })

describe('a reboot', () => {
  it('is fine once the node says so, and for a call that comes late', () => {
    const hand = herd()
    const by = hand.pass()
    hand.commit(by, node(rebooting))
    expect(reboot(hand, by)).toBeUndefined()
    hand.commit(by, node({ phase: 'testing' }))
    expect(reboot(hand, by)).toBeUndefined()
    hand.wait(60_000)
    expect(reboot(hand, by)).toMatchObject({ rule: 'intent before effect' })
  })

  it('is caught before its node says so, or by anybody else', () => {
    const hand = herd()
    const text = expect.stringMatching(/does not say so/) as string
    expect(reboot(hand, hand.pass())).toMatchObject({ rule: 'intent before effect', text })
    const by = hand.call('burn-in')
    expect(reboot(hand, by)).toMatchObject({ text: expect.stringMatching(/alone/) as string })
  })

  it('is caught of a machine that carries something', () => {
    const hand = herd()
    const by = hand.pass()
    hand.commit(by, node(rebooting))
    hand.process('i-1', { replicaId: 'web/1-1' })
    const text = expect.stringMatching(/with web\S+ on it/) as string
    expect(reboot(hand, by)).toMatchObject({ rule: 'intent before effect', text })
  })
})

const failed: CheckResult = { name: 'cpu', verdict: 'FAIL', measures: {}, text: '' }

describe('the attempt after a failure', () => {
  const ask = (hand: Hand, attempt: number, checks: readonly object[]) => {
    const burnIn = { attempt, suite: 'cpu', checks: [...checks] as never }
    return hand.commit(hand.pass(), ...assignment({ generation: attempt, burnIn }))
  }

  it('asks for what failed', () => {
    const hand = herd()
    ask(hand, 2, [CPU])
    hand.put('burn-in', verdict({ attempt: 2, verdict: 'FAIL', checks: [failed] }))
    expect(ask(hand, 3, [{ name: 'gpu-reset' }, CPU])).toBeUndefined()
  })

  it.each([
    ['something else', [{ ...CPU, name: 'disk', check: 'disk' }]],
    ['less of it', [{ ...CPU, seconds: 0.1 }]],
  ])('is caught when it asks for %s', (_, checks) => {
    const hand = herd()
    ask(hand, 2, [CPU])
    hand.put('burn-in', verdict({ attempt: 2, verdict: 'FAIL', checks: [failed] }))
    expect(ask(hand, 3, checks)).toMatchObject({ rule: 'a light pass clears no deep failure' })
  })
})
