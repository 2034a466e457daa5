/**
 * What every quota policy owes to those who live by it, whichever of them it is.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import { governedBy } from '#shared/planner/quota/books.ts'
import { POLICIES } from '#shared/planner/quota/policies.ts'
import {
  countOfHoldings,
  DIMENSIONS,
  type Amount,
  type Ask,
  type Grant,
  type QuotaPolicy,
  type Share,
} from '#shared/planner/quota/policy.ts'

const TEAMS = ['red', 'green', 'blue']

const amount = (most: number): fc.Arbitrary<Amount> =>
  fc.record({
    cpuMilli: fc.nat(most).map((own) => own * 500),
    memoryMib: fc.nat(most).map((own) => own * 512),
    gpuMilli: fc.constantFrom(0, 0, 0, 500, 1000),
  })

const guarantee = fc.record({
  cpuMilli: fc.oneof(fc.nat(16_000), fc.constant(Infinity)),
  memoryMib: fc.oneof(fc.nat(16_384), fc.constant(Infinity)),
  gpuMilli: fc.oneof(fc.constantFrom(0, 2000, 8000), fc.constant(Infinity)),
})

const all: Amount = { cpuMilli: Infinity, memoryMib: Infinity, gpuMilli: Infinity }

const shares = fc.tuple(
  ...TEAMS.map((team) =>
    fc.record({
      ...{ team: fc.constant(team), guarantee, lend: fc.constant(all) },
      weight: fc.constantFrom(0, 1, 1, 3),
      mayBorrow: fc.boolean(),
      debt: fc.constantFrom(0, 0, 0.2),
    }),
  ),
)

const asks = fc
  .array(
    fc
      .record({
        team: fc.constantFrom(...TEAMS, undefined),
        priority: fc.constantFrom(0, 0, 10),
        preemptible: fc.boolean(),
        isCoolingDown: fc.constantFrom(false, false, true),
        need: amount(4),
        has: fc.array(fc.record({ need: amount(4), count: fc.integer({ min: 1, max: 3 }) }), {
          maxLength: 2,
        }),
        more: fc.nat(6),
        sinceMs: fc.nat(3),
      })
      .map(({ more, ...own }) => {
        const count = countOfHoldings(own.has)
        return { ...own, wanted: count + more, firm: own.preemptible ? 0 : count }
      }),
    { maxLength: 8 },
  )
  .map((own): readonly Ask[] => own.map((one, i) => ({ ...one, uid: `u${String(i)}` })))

const grantsOf = (
  policy: QuotaPolicy,
  written: readonly Share[],
  asked: readonly Ask[],
): { granted: ReadonlyMap<string, Grant>; counted: readonly Share[] } => {
  const counted = policy.sharesOf(written)
  return { granted: policy.grant({ shares: counted, asks: asked }), counted }
}

/** Everybody starts with nothing. */
const fresh = asks.map((own) =>
  own.map((ask) => ({ ...ask, wanted: ask.wanted - countOfHoldings(ask.has), has: [], firm: 0 })),
)

describe.each(Object.entries(POLICIES))('%s', (_name, policy) => {
  it('answers for the same teams and for every ask, and grants no more than is wanted', () => {
    fc.assert(
      fc.property(shares, asks, (written, asked) => {
        const { granted, counted } = grantsOf(policy, written, asked)
        expect(counted.map((own) => own.team)).toEqual(TEAMS)
        expect([...granted.keys()].sort()).toEqual(asked.map((own) => own.uid).sort())
        for (const ask of asked) {
          const { guaranteed, borrowed } = must(granted.get(ask.uid), 'a grant')
          expect(guaranteed + borrowed).toBeLessThanOrEqual(ask.wanted)
          expect(Math.min(guaranteed, borrowed)).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })

  it('never asks back what is firm, and lends nothing to it', () => {
    fc.assert(
      fc.property(shares, asks, (written, asked) => {
        const { granted } = grantsOf(policy, written, asked)
        for (const ask of asked.filter((own) => !own.preemptible)) {
          const { guaranteed, borrowed, grownOnLoan } = must(granted.get(ask.uid), 'a grant')
          expect(guaranteed).toBeGreaterThanOrEqual(ask.firm)
          expect([borrowed, grownOnLoan]).toEqual([0, 0])
        }
      }),
    )
  })

  it('hands out no more than all guarantees together, by right to each its own', () => {
    fc.assert(
      fc.property(shares, fresh, (written, asked) => {
        const { granted, counted } = grantsOf(policy, written, asked)
        const sum = (of: (ask: Ask) => number, own: keyof Amount): number =>
          asked.reduce((total, ask) => total + of(ask) * ask.need[own], 0)
        const grantOf = ({ uid }: Ask): Grant => must(granted.get(uid), 'a grant')
        for (const own of governedBy(counted)) {
          if (counted.some((share) => share.guarantee[own] === Infinity)) continue
          const most = counted.reduce((total, share) => total + share.guarantee[own], 0)
          const given = sum((ask) => grantOf(ask).guaranteed + grantOf(ask).borrowed, own)
          expect(given).toBeLessThanOrEqual(most)
          for (const share of counted) {
            const byRight = (ask: Ask): number =>
              ask.team === share.team ? grantOf(ask).guaranteed : 0
            expect(sum(byRight, own)).toBeLessThanOrEqual(share.guarantee[own])
          }
        }
      }),
    )
  })

  it('leaves nothing idle that somebody could have: what is refused does not fit', () => {
    fc.assert(
      fc.property(shares, fresh, (written, asked) => {
        const { granted, counted } = grantsOf(policy, written, asked)
        const governed = governedBy(counted)
        const left = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0 }
        for (const own of DIMENSIONS) {
          left[own] = counted.reduce((total, share) => total + share.guarantee[own], 0)
          for (const ask of asked) {
            const { guaranteed, borrowed } = must(granted.get(ask.uid), 'a grant')
            left[own] -= (guaranteed + borrowed) * ask.need[own]
          }
        }
        // Of what one team does not count nothing is left over to lend.
        fc.pre(governed.every((own) => left[own] !== Infinity))
        for (const ask of asked) {
          const { guaranteed, borrowed } = must(granted.get(ask.uid), 'a grant')
          const share = counted.find((own) => own.team === ask.team)
          const mayBorrow = ask.preemptible && !ask.isCoolingDown && (share?.mayBorrow ?? true)
          if (!mayBorrow || guaranteed + borrowed >= ask.wanted) continue
          expect(governed.some((own) => ask.need[own] > left[own])).toBe(true)
        }
      }),
    )
  })

  it('does not depend on the order of the asks', () => {
    fc.assert(
      fc.property(shares, asks, (written, asked) => {
        const ordered = grantsOf(policy, written, asked).granted
        const reversed = grantsOf(policy, written, asked.toReversed()).granted
        for (const { uid } of asked) expect(reversed.get(uid)).toEqual(ordered.get(uid))
      }),
    )
  })

  it('treats equals alike, to within one replica', () => {
    const equal = fc.record({ need: amount(4), wanted: fc.nat(12), guarantee })
    fc.assert(
      fc.property(equal, ({ need, wanted, guarantee: each }) => {
        const written = TEAMS.map((team) => {
          return { team, guarantee: each, lend: all, weight: 1, mayBorrow: true, debt: 0 }
        })
        const common = { priority: 0, preemptible: true, isCoolingDown: false, has: [], firm: 0 }
        const asked = TEAMS.map((team) => ({
          ...common,
          uid: team,
          team,
          need,
          wanted,
          sinceMs: 0,
        }))
        const { granted } = grantsOf(policy, written, asked)
        const counts = [...granted.values()].map((own) => own.guaranteed + own.borrowed)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      }),
    )
  })
})
