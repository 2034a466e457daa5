import fc from 'fast-check'
import { expect, it } from 'vitest'
import { makeSharesBook, packShares } from '#shared/planner/packing/shares.ts'
import { fewestDevices } from './dumb.ts'

const shares = fc.array(
  fc.integer({ min: 1, max: 20 }).map((own) => own * 50),
  { maxLength: 7 },
)

it('knows how many devices hold shares, whichever came first', () => {
  fc.assert(
    fc.property(shares, (list) => {
      const book = makeSharesBook()
      const found = list.reduce((set, milli) => book.plus(set, milli), book.none)
      const backwards = list.reduceRight((set, milli) => book.plus(set, milli), book.none)
      const fewest = fewestDevices(list)
      expect(found.atLeast).toBeLessThanOrEqual(fewest)
      expect(found.atMost).toBeGreaterThanOrEqual(fewest)
      expect(backwards).toBe(found)
    }),
    { numRuns: 300 },
  )
})

it('puts each share on a device that has room for it', () => {
  fc.assert(
    fc.property(shares, (list) => {
      const fewest = fewestDevices(list)
      const deviceOf = packShares(list, fewest) ?? []
      const used = new Map<number, number>()
      list.forEach((milli, k) => {
        const device = deviceOf[k] ?? -1
        used.set(device, (used.get(device) ?? 0) + milli)
      })
      expect([...used.keys()].every((device) => device >= 0 && device < fewest)).toBe(true)
      expect([...used.values()].every((milli) => milli <= 1000)).toBe(true)
      if (fewest > 0) expect(packShares(list, fewest - 1)).toBeUndefined()
    }),
    { numRuns: 300 },
  )
})
