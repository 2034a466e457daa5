/**
 * What must hold of scaling, whatever metrics say and whatever a spec allows: days of looks, one
 * after another, each with what the one before remembered.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { scaleSchema, type Scale } from '#shared/model/scale.ts'
import { recommend, within, type ScaleMemory } from '#shared/planner/scaling/recommend.ts'
import type { Reading } from '#shared/planner/scaling/wants.ts'

const policies = fc.array(
  fc.record({
    type: fc.constantFrom('Pods', 'Percent'),
    value: fc.integer({ min: 1, max: 200 }),
    periodSeconds: fc.constantFrom(15, 60, 600, 1_800),
  }),
  { minLength: 1, maxLength: 3 },
)
const pace = fc.record({
  stabilizationWindowSeconds: fc.constantFrom(0, 60, 300, 3_600),
  selectPolicy: fc.constantFrom('Max', 'Min', 'Disabled'),
  policies,
})

const scales: fc.Arbitrary<Scale> = fc
  .record({
    min: fc.nat(5),
    more: fc.nat(40),
    metrics: fc.subarray(
      [
        { type: 'pushed', name: 'a', target: 10 },
        { type: 'pushed', name: 'b', target: 0.5, activation: 3 },
        { type: 'cpu', targetPercent: 60 },
        { type: 'schedule', timeZone: 'UTC', from: '08:00', to: '20:00', replicas: 7 },
      ],
      { minLength: 1 },
    ),
    behavior: fc.record({
      tolerance: fc.constantFrom(0, 0.1, 0.5),
      scaleUp: pace,
      scaleDown: pace,
    }),
    cooldownSeconds: fc.constantFrom(0, 60, 900),
  })
  .map(({ min, more, ...rest }) => {
    const hasOthers = rest.metrics.some((own) => own.type !== 'cpu')
    const least = hasOthers ? min : Math.max(1, min)
    return scaleSchema.parse({ ...rest, min: least, max: Math.max(1, least + more) })
  })

const UNREAD: Reading = { kind: 'unread', reason: { code: 'TimedOut', text: 'no answer' } }

const looks = fc.array(
  fc.record({
    total: fc.option(
      fc.oneof(fc.constantFrom(0, 1, 3), fc.double({ min: 0, max: 1e4, noNaN: true })),
    ),
    shares: fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { maxLength: 12 }),
    isRolling: fc.boolean(),
    afterSeconds: fc.constantFrom(1, 15, 60, 60, 60, 4_000),
  }),
  { minLength: 1, maxLength: 60 },
)

type Day = typeof looks extends fc.Arbitrary<infer T> ? T : never
type Seen = (before: number, after: number, told: Parameters<typeof recommend>[0]) => void

function live(scale: Scale, day: Day, see: Seen): void {
  let nowMs = Date.UTC(2026, 10, 22)
  let memory: ScaleMemory = { recommendations: [], events: [] }
  let current = within(scale, 3)
  for (const { total, shares, isRolling, afterSeconds } of day) {
    nowMs += afterSeconds * 1000
    const readings = scale.metrics.map((metric): Reading => {
      if (metric.type === 'cpu') return { kind: 'usage', shares }
      return total === null ? UNREAD : { kind: 'total', value: total }
    })
    const facts = { scale, current, readings, memory, isRolling, nowMs }
    const found = recommend(facts)
    see(current, found.replicas, facts)
    ;({ memory, replicas: current } = found)
  }
}

it('a target lies between min and max, and never goes down while a roll-out is under way', () => {
  fc.assert(
    fc.property(scales, looks, (scale, day) => {
      live(scale, day, (before, after, { isRolling }) => {
        expect(after).toBeGreaterThanOrEqual(scale.min)
        expect(after).toBeLessThanOrEqual(scale.max)
        if (isRolling) expect(after).toBeGreaterThanOrEqual(before)
      })
    }),
  )
})

it('what says the same is answered the same', () => {
  fc.assert(
    fc.property(scales, looks, (scale, day) => {
      live(scale, day, (_before, _after, facts) => {
        const copy = structuredClone(facts)
        expect(recommend(copy)).toEqual(recommend(facts))
        expect(copy).toEqual(facts)
      })
    }),
  )
})

it('nothing goes down by what cannot be read, and it remembers no more than it needs', () => {
  fc.assert(
    fc.property(scales, looks, (scale, day) => {
      live(scale, day, (before, after, { readings, memory }) => {
        const isDeaf = readings.some((own) => own.kind === 'unread')
        const isUnread = isDeaf && scale.metrics.some((own) => own.type === 'pushed')
        if (isUnread) expect(after).toBeGreaterThanOrEqual(before)
        expect(memory.recommendations.length).toBeLessThanOrEqual(day.length + 1)
        expect(memory.events.length).toBeLessThanOrEqual(day.length)
      })
    }),
  )
})

/** The rules of the policies, told once more in the plainest way. */
it('no policy is exceeded: so many start or stop within its period, and no more', () => {
  const strict = scales.map((scale) => ({
    ...scale,
    min: 1,
    max: 500,
    behavior: {
      ...scale.behavior,
      scaleUp: { ...scale.behavior.scaleUp, selectPolicy: 'Min' as const },
      scaleDown: { ...scale.behavior.scaleDown, selectPolicy: 'Min' as const },
    },
  }))
  fc.assert(
    fc.property(strict, looks, (scale, day) => {
      const counts: { atMs: number; replicas: number }[] = []
      live(scale, day, (before, after, { nowMs }) => {
        const began = ({ periodSeconds }: Policy): number => {
          const since = counts.findLast((own) => own.atMs <= nowMs - periodSeconds * 1000)
          return since?.replicas ?? counts[0]?.replicas ?? before
        }
        const { scaleUp, scaleDown } = scale.behavior
        for (const policy of scaleUp.policies) {
          const most = allowed(began(policy), policy, 1)
          expect(after).toBeLessThanOrEqual(Math.max(most, before))
        }
        for (const policy of scaleDown.policies) {
          const least = allowed(began(policy), policy, -1)
          expect(after).toBeGreaterThanOrEqual(Math.min(least, before))
        }
        if (counts.length === 0) counts.push({ atMs: 0, replicas: before })
        counts.push({ atMs: nowMs, replicas: after })
      })
    }),
  )
})

type Policy = Scale['behavior']['scaleUp']['policies'][number]

function allowed(began: number, { type, value }: Policy, sign: 1 | -1): number {
  if (type === 'Pods') return began + sign * value
  // Percents round away from where it began.
  return began + sign * Math.ceil((began * value) / 100 - 1e-6)
}
