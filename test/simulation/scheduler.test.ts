import { describe, expect, it } from 'vitest'
import { makeScheduler } from './scheduler.ts'

/** What happens, in its order, when these are due. */
async function told(seed: number, dues: readonly (readonly [number, string])[]): Promise<string[]> {
  const scheduler = makeScheduler({ seed, startMs: 0 })
  const seen: string[] = []
  for (const [atMs, name] of dues) {
    scheduler.at(atMs, () => {
      seen.push(`${name}@${String(scheduler.now())}`)
    })
  }
  await scheduler.run(1_000)
  return seen
}

describe('the scheduler', () => {
  it('lets things happen in the order of time, and never before it', async () => {
    const dues = [20, 5, 900, 5.5, 1, 300, 17, 450, 2, 800].map((at) => [at, 'x'] as const)
    const seen = await told(1, dues)
    expect(seen).toEqual(
      dues
        .map(([at]) => at)
        .toSorted((a, b) => a - b)
        .map((at) => `x@${String(at)}`),
    )
  })

  it('draws the order of one moment from the seed, the same each time', async () => {
    const dues = [...'abcdefgh'].map((name) => [7, name] as const)
    const orders = await Promise.all(
      [1, 2, 3, 4].map(async (seed) => (await told(seed, dues)).join()),
    )
    expect(new Set(orders).size).toBeGreaterThan(1)
    expect(await told(3, dues)).toEqual(orders[2]?.split(','))
  })

  it('lets promises run dry before the next thing happens', async () => {
    const scheduler = makeScheduler({ seed: 1, startMs: 0 })
    const seen: string[] = []
    scheduler.at(1, () => {
      const deep = async (depth: number): Promise<void> => {
        await Promise.resolve()
        if (depth > 0) await deep(depth - 1)
        else seen.push('settled')
      }
      void deep(200)
    })
    scheduler.at(1.001, () => seen.push('next'))
    await scheduler.run(2)
    expect(seen).toEqual(['settled', 'next'])
  })

  it('stops, goes on where it was, and forgets what was cancelled', async () => {
    const scheduler = makeScheduler({ seed: 1, startMs: 0 })
    const seen: string[] = []
    scheduler.at(10, () => {
      seen.push('first')
      scheduler.stop()
    })
    const cancel = scheduler.at(20, () => seen.push('cancelled'))
    scheduler.at(30, () => seen.push('last'))
    cancel()
    await scheduler.run(100)
    expect([seen, scheduler.now()]).toEqual([['first'], 10])
    await scheduler.run(100)
    expect([seen, scheduler.now()]).toEqual([['first', 'last'], 100])
  })
})
