import { describe, expect, test } from 'vitest'
import { burnInSchema, firstAskedOf, suiteOf } from '#shared/model/burn-in.ts'
import { breachesOf } from '#shared/model/measures.ts'
import { poolSpecSchema } from '#shared/model/pool.ts'
import { faultsOf } from '#shared/protocol/faults.ts'

const suite = (checks: unknown, extra = {}) => suiteOf(burnInSchema.parse({ checks, ...extra }))

describe('a suite', () => {
  test('spells out its presets, in order', () => {
    const { name, checks, timeoutSeconds } = suite(['basic'])
    expect(checks.map((own) => own.name)).toEqual(['cpu', 'memory', 'disk', 'clock', 'network'])
    expect(checks[2]).toMatchObject({ check: 'disk', mib: 64, timeoutSeconds: 60, limits: {} })
    expect(name).toMatch(/^basic#[0-9a-f]{8}$/)
    expect(timeoutSeconds).toBe(300)
  })

  test('is no longer than a machine can report', () => {
    const mine = (n: number) =>
      Array.from({ length: n }, (_, i) => ({
        ...{ check: 'command', command: ['true'], name: `mine-${String(i)}` },
      }))
    const deep = suite(['gpu-deep']).checks.length
    expect(suite(['gpu-deep', ...mine(50 - deep)]).checks).toHaveLength(50)
    const longer = burnInSchema.safeParse({ checks: ['gpu-deep', ...mine(51 - deep)] })
    expect(longer.error?.issues[0]?.message).toMatch(/^must be 50 checks at most/)
  })

  test('lets a check be said anew, and stand twice under two names', () => {
    const big = { check: 'disk', mib: 4_096, timeoutSeconds: 600 }
    const { checks } = suite(['basic', big, { ...big, name: 'again' }])
    const wanted = ['cpu', 'memory', 'disk', 'clock', 'network', 'again']
    expect(checks.map((own) => own.name)).toEqual(wanted)
    expect(checks[2]).toMatchObject({ mib: 4_096, timeoutSeconds: 600 })
  })

  test('has another name when anything in it is another', () => {
    const named = (mib: number) => suite(['cpu', { check: 'disk', mib }]).name
    expect(named(8)).toMatch(/^cpu\+disk#/)
    expect(named(8)).toBe(named(8))
    expect(named(8)).not.toBe(named(9))
  })

  test('may take what its checks may take together, if nothing is said', () => {
    const long = { check: 'command', name: 'burn', command: ['burn'], timeoutSeconds: 3_600 }
    expect(suite(['cpu', long]).timeoutSeconds).toBe(3_660)
    expect(suite(['cpu', long], { timeoutSeconds: 1_000 }).timeoutSeconds).toBe(1_000)
  })
})

describe('a suite about GPUs', () => {
  const quick = burnInSchema.parse({ checks: ['gpu-quick'] })
  const names = (gpuCount?: number): string[] =>
    suiteOf(quick, gpuCount === undefined ? undefined : { gpuCount }).checks.map((own) => own.name)

  test('asks for as many as the instance type has', () => {
    const devices = suiteOf(quick, { gpuCount: 8 }).checks.find((own) => own.name === 'gpu-devices')
    expect(devices).toMatchObject({ count: 8 })
    expect(names(8)).toContain('dcgm')
    expect(suiteOf(quick, { gpuCount: 8 }).name).not.toBe(suiteOf(quick, { gpuCount: 4 }).name)
  })

  test('asks a machine without GPUs nothing about them, unless nothing else is asked', () => {
    expect(names(0)).toEqual(['cpu', 'memory', 'disk', 'clock', 'network', 'kernel'])
    const alone = burnInSchema.parse({ checks: ['dcgm'] })
    expect(suiteOf(alone, { gpuCount: 0 }).checks.map((own) => own.name)).toEqual(['dcgm'])
  })

  test('may take its time', () => {
    expect(suiteOf(quick).timeoutSeconds).toBeGreaterThan(900)
    const deep = burnInSchema.parse({ checks: ['gpu-deep'] })
    expect(suiteOf(deep).timeoutSeconds).toBeGreaterThan(10_800)
    expect(suiteOf(deep).checks.find((own) => own.name === 'dcgm')).toMatchObject({ level: 4 })
  })
})

test('whoever writes a suite wrong is told where, and what may stand there', () => {
  const told = (...checks: unknown[]): string[][] => {
    const parsed = poolSpecSchema.safeParse({ burnIn: { checks } }, { reportInput: true })
    if (parsed.success) return []
    return faultsOf(parsed.error.issues, poolSpecSchema).map(({ path, message }) => [
      path,
      message.slice(0, 72),
    ])
  }
  const disk = { check: 'disk' }
  expect([
    ...told('gpu'),
    ...told({ check: 'dsk' }),
    ...told({ ...disk, mb: 4 }),
    ...told({ check: 'command', command: ['true'] }),
    ...told({ ...disk, limits: { writeMibPerSecond: {} } }),
    ...told({ ...disk, limits: { 'write-mb': { min: 1 } } }),
    ...told({ check: 'network', reach: ['a.b'] }),
  ]).toMatchInlineSnapshot(`
    [
      [
        "burnIn.checks[0]",
        "must be one of basic, gpu-quick, gpu-deep, cpu, memory, disk, clock, net",
      ],
      [
        "burnIn.checks[0].check",
        "must be one of cpu, memory, disk, clock, network, kernel, gpu-devices, g",
      ],
      [
        "burnIn.checks[0].mb",
        "unknown field 'mb'; did you mean 'mib'?",
      ],
      [
        "burnIn.checks[0].name",
        "is needed: text",
      ],
      [
        "burnIn.checks[0].limits.writeMibPerSecond",
        "must have min, max or both, not {"otherwise":"FAIL"}",
      ],
      [
        "burnIn.checks[0].limits.write-mb",
        "must be letters and digits, like writeMibPerSecond, not "write-mb"",
      ],
      [
        "burnIn.checks[0].reach[0]",
        "must be a host and a port, like a.b:443, not "a.b"",
      ],
    ]
  `)
})

test('a measure is held against its limits, and a missing one keeps to none', () => {
  const limits = {
    writeMibPerSecond: { min: 200, otherwise: 'FAIL' as const },
    celsius: { min: 0, max: 85, otherwise: 'WARN' as const },
  }
  expect(breachesOf({ writeMibPerSecond: 200, celsius: 85, other: 1 }, limits)).toEqual([])
  expect(breachesOf({ writeMibPerSecond: 199, celsius: 86 }, limits)).toEqual([
    { verdict: 'FAIL', text: 'writeMibPerSecond is 199, and at least 200 is asked for' },
    { verdict: 'WARN', text: 'celsius is 86, and at most 85 is allowed' },
  ])
  expect(breachesOf({ writeMibPerSecond: NaN }, limits).map((own) => own.verdict)).toEqual([
    'FAIL',
    'UNKNOWN',
  ])
})

describe('what a machine is asked first', () => {
  const own = { check: 'command', name: 'nccl', command: ['x'] }
  const deep = burnInSchema.parse({ checks: ['gpu-deep', own] })
  const known = { gpuCount: 8 }

  test('takes minutes where the whole takes hours, and has all that people have added', () => {
    const whole = suiteOf(deep, known)
    const { suite, certificate } = firstAskedOf(deep, known)
    const names = (checks: typeof suite.checks) => checks.map((one) => one.name).sort()
    expect(names(suite.checks)).toEqual(names(whole.checks))
    expect(suite.checks.find((one) => one.name === 'dcgm')).toMatchObject({ level: 2 })
    expect(suite.timeoutSeconds).toBeLessThan(whole.timeoutSeconds)
    expect(certificate).toEqual({ suite: whole.name, withinMs: 30 * 86_400_000 })
    const often = burnInSchema.parse({ checks: ['gpu-deep'], retestEverySeconds: 3_600 })
    expect(firstAskedOf(often, known).certificate?.withinMs).toBe(3_600_000)
  })

  test('is the whole for a machine without GPUs, and of a suite that is short already', () => {
    expect(firstAskedOf(deep, { gpuCount: 0 })).toEqual({ suite: suiteOf(deep, { gpuCount: 0 }) })
    const quick = burnInSchema.parse({ checks: ['gpu-quick'] })
    expect(firstAskedOf(quick, known)).toEqual({ suite: suiteOf(quick, known) })
    expect(firstAskedOf(undefined, known)).toEqual({ suite: suiteOf(undefined, known) })
  })
})

test('a command check names a program, an image, or both', () => {
  const own = { check: 'command', name: 'nccl' }
  const isFine = (more: object): boolean =>
    burnInSchema.safeParse({ checks: [{ ...own, ...more }] }).success
  expect(
    [{}, { command: ['x'] }, { image: 'x:1' }, { command: ['x'], image: 'x:1' }].map(isFine),
  ).toEqual([false, true, true, true])
  expect(
    burnInSchema.safeParse({ checks: [{ ...own, name: 'hardware', image: 'x' }] }).success,
  ).toBe(false)
})
