import { describe, expect, it } from 'vitest'
import { makeCalls, type CallHooks, type Calls, type Fate, type Invocation } from './calls.ts'
import { makeChance } from './chance.ts'
import { makeFaults } from './faults.ts'
import { PROFILES } from './options.ts'
import { makeScheduler, type Scheduler } from './scheduler.ts'

type Kit = {
  readonly scheduler: Scheduler
  readonly calls: Calls
  readonly invocation: Invocation
  readonly seen: string[]
  call(name: string): void
}

function kitWith(hooks: CallHooks, isOut = false): Kit {
  const scheduler = makeScheduler({ seed: 1, startMs: 0 })
  const chance = makeChance(1)
  const faults = makeFaults({ chance, knobs: PROFILES.calm, now: scheduler.now })
  const calls = makeCalls({ scheduler, chance, faults, hooks, isOut: () => isOut })
  const seen: string[] = []
  const invocation: Invocation = {
    ...{
      label: 'reconcile#1',
      role: 'reconcile',
      startedAtMs: 0,
      skewMs: 0,
      alive: true,
      calls: 0,
    },
    parked: new Set(),
    onCrash: () => seen.push('crashed'),
  }
  const call = (name: string): void => {
    void calls
      .call(invocation, {
        ...{ port: 'store', method: name, latencyMs: { min: 5, max: 5 } },
        act: () => {
          seen.push(`${name} done`)
          return Promise.resolve(name)
        },
        failure: (text) => new Error(text),
      })
      .then(
        () => seen.push(`${name} heard`),
        (error: unknown) => seen.push(`${name}: ${String(error)}`),
      )
  }
  return { scheduler, calls, invocation, seen, call }
}

const fated = (
  fates: Readonly<Record<string, Fate>>,
  beside: readonly string[] = [],
): CallHooks => ({
  decide: ({ method }) => ({ fate: fates[method] ?? 'done', beside: new Set(beside) }),
})

describe('a parked call', () => {
  it('takes effect when it is released, and not before', async () => {
    const { scheduler, seen, call } = kitWith({})
    call('get')
    expect(seen).toEqual([])
    await scheduler.run(4)
    expect(seen).toEqual([])
    await scheduler.run(5)
    expect(seen).toEqual(['get done', 'get heard'])
  })

  const stories: readonly (readonly [Fate, readonly string[]])[] = [
    ['crash-before', ['crashed']],
    ['crash-after', ['get done', 'crashed']],
    ['fails', ['get: Error: the call failed']],
    ['answer-lost', ['get done', 'get: Error: the answer was lost']],
  ]
  it.each(stories)('%s', async (fate, story) => {
    const { scheduler, seen, call } = kitWith(fated({ get: fate }))
    call('get')
    await scheduler.run(1_000)
    expect(seen).toEqual(story)
  })

  it('is done beside a crash only if it is chosen, and nobody hears of it', async () => {
    const { scheduler, seen, call, invocation } = kitWith({
      decide: ({ name }) =>
        name === 'reconcile#1.1'
          ? { fate: 'crash-before', beside: new Set(['reconcile#1.3']) }
          : { fate: 'done' },
    })
    call('first')
    call('second')
    call('third')
    // Whichever of the three is released first, the crash comes with the first call.
    await scheduler.run(1_000)
    expect(seen.filter((own) => own !== 'crashed')).not.toContain('first done')
    expect(seen).toContain('third done')
    expect(invocation.alive).toBe(false)
    call('fourth')
    await scheduler.run(2_000)
    expect(seen).not.toContain('fourth done')
  })

  it('fails after a while where the table cannot be reached', async () => {
    const { scheduler, seen, call } = kitWith({}, true)
    call('get')
    await scheduler.run(9_000)
    expect(seen).toEqual([])
    await scheduler.run(20_000)
    expect(seen).toEqual(['get: Error: the table cannot be reached'])
  })
})
