import { describe, expect, it } from 'vitest'
import { quantileOf } from '#bench/measure/quantiles.ts'
import { emptyCheck, isFlat } from '#bench/soak/checks.ts'
import { planHerd, rolled } from '#bench/soak/documents.ts'
import { listenersIn } from '#bench/soak/gauges.ts'
import { drawLever, LEVERS } from '#bench/soak/levers.ts'
import { makeRandom } from '#shared/base/random.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'

const mib = { name: 'memory', factor: 1.25, slack: 20, unit: ' MiB' }
const course = (valueAt: (n: number) => number): readonly number[] =>
  Array.from({ length: 40 }, (_, n) => valueAt(n))

describe('flat is', () => {
  it('what warms up and then stays', () => {
    const warmingUp = course((n) => Math.min(300, 100 + 40 * n))
    expect(isFlat({ ...mib, values: warmingUp }).ok).toBe(true)
  })

  it('what has one tall heap now and then', () => {
    expect(isFlat({ ...mib, values: course((n) => (n % 4 === 0 ? 900 : 200)) }).ok).toBe(true)
  })

  it('not what grows all the time, and the numbers say so', () => {
    const check = isFlat({ ...mib, values: course((n) => 100 + 10 * n) })
    expect(check).toEqual({
      name: 'memory',
      ok: false,
      text: 'second quarter 240 MiB, last quarter 440 MiB, allowed 320 MiB, most 490 MiB',
    })
  })

  it('nothing that was hardly looked at', () => {
    expect(isFlat({ ...mib, values: [1, 1, 1] })).toMatchObject({
      ok: false,
      text: 'only 3 samples',
    })
  })
})

it('a check of what should be empty shows some of what is not', () => {
  expect(emptyCheck('none', [])).toEqual({ name: 'none', ok: true, text: 'none' })
  const many = Array.from({ length: 12 }, (_, n) => String(n))
  expect(emptyCheck('many', many).text).toBe('0; 1; 2; 3; 4; 5; 6; 7; 8; 9; and 2 more')
})

it('quantiles are observed values', () => {
  const values = [5, 1, 4, 2, 3]
  expect([0.5, 0.99, 0.01].map((share) => quantileOf(values, share))).toEqual([3, 5, 1])
  expect(quantileOf([], 0.5)).toBeNaN()
})

it('listeners are read from the table of sockets', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode',
    '   0: 0100007F:2253 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0 100',
    '   1: 0100007F:2253 0100007F:9C40 01 00000000:00000000 00:00000000 00000000 0 0 4712 1 0 20',
  ].join('\n')
  expect(listenersIn(table)).toEqual([{ port: 8_787, inode: '4711' }])
})

it('a seed draws the same levers, and every lever sooner or later', () => {
  const draw = (seed: number): readonly string[] => {
    const random = makeRandom(seed)
    return Array.from({ length: 300 }, () => drawLever(random).name)
  }
  expect(draw(1)).toEqual(draw(1))
  expect(new Set(draw(1))).toEqual(new Set(LEVERS.map(({ name }) => name)))
})

it('the herd of a soak is made of as many machines as were asked for, and of valid specs', () => {
  const { workloads } = planHerd(40)
  const spread = workloads.filter(({ document }) => 'rollout' in document)
  expect(spread.reduce((sum, { replicas }) => sum + replicas.max, 0)).toBe(40)
  for (const { document } of workloads) {
    const { kind: _kind, name: _name, ...spec } = rolled(document, 3)
    expect(workloadSpecSchema.safeParse(spec).error).toBeUndefined()
  }
})
