/**
 * Acts happen in the order of their moments, and in the order asked for at equal ones, whoever asks
 * while others happen.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeAgenda } from '#cli/simulate/agenda.ts'

describe('an agenda', () => {
  it('keeps the order of moments, and of asking where moments are equal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 60 }), async (moments) => {
        const agenda = makeAgenda(0)
        const happened: [number, number][] = []
        moments.forEach((atMs, i) => {
          agenda.at(atMs, () => void happened.push([agenda.now(), i]))
        })
        await agenda.runUntil(20)
        const wanted = moments.map((atMs, i): [number, number] => [atMs, i])
        expect(happened).toEqual(wanted.sort(([a, i], [b, j]) => a - b || i - j))
      }),
    )
  })

  it('stops where it is told to, and goes on from there', async () => {
    const agenda = makeAgenda(100)
    const happened: number[] = []
    const again = (): void => {
      happened.push(agenda.now())
      agenda.at(agenda.now() + 10, again)
    }
    agenda.at(50, again)
    await agenda.runUntil(125)
    expect([happened, agenda.now()]).toEqual([[100, 110, 120], 125])
    await agenda.runUntil(130)
    expect(happened).toEqual([100, 110, 120, 130])
  })

  it('ends one act before the next begins', async () => {
    const agenda = makeAgenda(0)
    const steps: string[] = []
    agenda.at(1, async () => {
      steps.push('begin')
      await Promise.resolve()
      steps.push('end')
    })
    agenda.at(1, () => void steps.push('next'))
    await agenda.runUntil(1)
    expect(steps).toEqual(['begin', 'end', 'next'])
  })
})
