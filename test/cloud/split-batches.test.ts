import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { callInBatches, refusalOf } from '#shared/cloud/split-batches.ts'

const ids = fc.uniqueArray(
  fc.nat(400).map((n) => `i-${String(n)}`),
  { maxLength: 120 },
)

describe('callInBatches', () => {
  it('puts every id where it belongs, whatever else is in its batch', async () => {
    const world = fc.record({ ids, bad: ids, size: fc.integer({ min: 1, max: 100 }) })
    await fc.assert(
      fc.asyncProperty(world, async ({ ids: asked, bad, size }) => {
        const unknown = new Set(bad)
        let calls = 0
        const outcome = await callInBatches(asked, size, (batch) => {
          calls += 1
          expect(batch.length).toBeLessThanOrEqual(size)
          const spoiled = batch.some((id) => unknown.has(id))
          return Promise.resolve({ result: spoiled ? 'bad-id' : 'done' } as const)
        })
        const expected = Object.groupBy(asked, (id) => (unknown.has(id) ? 'bad' : 'good'))
        expect(outcome.notFound.toSorted()).toEqual((expected.bad ?? []).toSorted())
        expect(outcome.terminating.toSorted()).toEqual((expected.good ?? []).toSorted())
        const spoiled = expected.bad?.length ?? 0
        const depth = Math.ceil(Math.log2(size)) + 1
        expect(calls).toBeLessThanOrEqual(Math.ceil(asked.length / size) + 2 * spoiled * depth)
      }),
      { numRuns: 100 },
    )
  })

  it('does not halve a batch that failed for another reason', async () => {
    let calls = 0
    const outcome = await callInBatches(['i-1', 'i-2', 'i-3'], 2, () => {
      calls += 1
      return Promise.resolve({ result: 'failed', text: 'throttled' } as const)
    })
    expect(calls).toBe(2)
    expect(outcome.failed).toHaveLength(3)
  })

  it('keeps apart the one that drover may not act on, whose fault a refusal may be', async () => {
    const outcome = await callInBatches(['i-1', 'i-2', 'i-3', 'i-4'], 100, (batch) =>
      Promise.resolve(
        batch.includes('i-3')
          ? refusalOf('UnauthorizedOperation', 'no tag')
          : ({ result: 'done' } as const),
      ),
    )
    expect(outcome.terminating.toSorted()).toEqual(['i-1', 'i-2', 'i-4'])
    expect(outcome.failed).toEqual([{ instanceId: 'i-3', text: 'UnauthorizedOperation: no tag' }])
  })

  it('gives up soon where nobody may be acted on', async () => {
    let calls = 0
    const ids = Array.from({ length: 100 }, (_, i) => `i-${String(i)}`)
    const outcome = await callInBatches(ids, 100, () => {
      calls += 1
      return Promise.resolve(refusalOf('UnauthorizedOperation', 'no right'))
    })
    expect(calls).toBeLessThan(40)
    expect(outcome.failed).toHaveLength(100)
  })

  it('asks once for an id named twice', async () => {
    const seen: string[][] = []
    await callInBatches(['i-1', 'i-1'], 10, (batch) => {
      seen.push([...batch])
      return Promise.resolve({ result: 'done' } as const)
    })
    expect(seen).toEqual([['i-1']])
  })
})
