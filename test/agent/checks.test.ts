import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { arithmeticDigest, BLOCK_ITERATIONS, EXPECTED_DIGEST } from '#agent/adapters/arithmetic.ts'
import { makeChecks } from '#agent/adapters/checks.ts'
import { checkCpu } from '#agent/adapters/cpu-check.ts'
import { checkDisk } from '#agent/adapters/disk-check.ts'
import { faultsSchema, isCorrupted } from '#agent/faults.ts'
import { temporaryDirectory } from './world.ts'

let directory: { path: string; remove: () => void }
beforeEach(() => {
  directory = temporaryDirectory()
})
afterEach(() => {
  directory.remove()
})

const checks = (faults: unknown[] = []) =>
  makeChecks({
    instanceId: 'i-0abc',
    path: join(directory.path, 'check.bin'),
    faults: faultsSchema.parse(faults),
    diskMib: 8,
  })

describe('a healthy machine', () => {
  it('passes both checks in under three seconds', async () => {
    const startMs = performance.now()
    const run = checks()
    const results = [await run('cpu'), await run('disk')]
    expect(performance.now() - startMs).toBeLessThan(3_000)
    expect(results.map(({ name, verdict, text }) => [name, verdict, text])).toEqual([
      ['cpu', 'PASS', ''],
      ['disk', 'PASS', ''],
    ])
    expect(results[0]?.measures.iterationsPerSecond).toBeGreaterThan(100_000)
    expect(results[0]?.measures.cores).toBeGreaterThan(0)
    expect(results[1]?.measures.writeMibPerSecond).toBeGreaterThan(0)
    expect(results[1]?.measures.readMibPerSecond).toBeGreaterThan(0)
    expect(existsSync(join(directory.path, 'check.bin'))).toBe(false)
  })
})

describe('a bad machine', () => {
  it('one wrong bit on one core fails the cpu check', async () => {
    const result = await checks([{ check: 'cpu', rate: 1 }])('cpu')
    expect(result.verdict).toBe('FAIL')
    expect(result.text).toContain(`instead of ${EXPECTED_DIGEST}`)
  })

  it('one wrong bit in the file fails the disk check, and names the place', async () => {
    const result = await checks([{ check: 'disk', rate: 1 }])('disk')
    expect(result.verdict).toBe('FAIL')
    expect(result.text).toBe(
      `byte ${String(4 * 1_048_576 + 4_321)} of 8 MiB read back differs from what was written`,
    )
  })

  it('a fault of one check leaves the other alone', async () => {
    expect((await checks([{ check: 'disk', rate: 1 }])('cpu')).verdict).toBe('PASS')
  })
})

describe('a check that cannot run is INFRA, and condemns nothing', () => {
  it('where the disk takes no file', async () => {
    const result = await checkDisk({
      path: join(directory.path, 'no/such/file'),
      corrupted: false,
      sizeMib: 1,
    })
    expect(result).toMatchObject({ verdict: 'INFRA', measures: {} })
    expect(result.text).toContain('ENOENT')
  })

  it('where the disk is full', async () => {
    if (!existsSync('/dev/full')) return
    const result = await checkDisk({ path: '/dev/full', corrupted: false, sizeMib: 1 })
    expect(result.verdict).toBe('INFRA')
    expect(result.text).toContain('ENOSPC')
  })

  it('where the disk is too slow', async () => {
    const path = join(directory.path, 'check.bin')
    const result = await checkDisk({ path, corrupted: false, sizeMib: 8, timeoutMs: 0 })
    expect(result).toMatchObject({
      verdict: 'INFRA',
      text: expect.stringContaining('in time') as string,
    })
    expect(existsSync(path)).toBe(false)
  })

  it('where a core does not end', async () => {
    const result = await checkCpu({ corrupted: false, cores: 1, runForMs: 60_000, timeoutMs: 100 })
    expect(result).toMatchObject({
      verdict: 'INFRA',
      text: expect.stringContaining('100 ms') as string,
    })
  })

  it('and a check that nobody knows is UNKNOWN', async () => {
    expect((await checks()('gpu')).verdict).toBe('UNKNOWN')
  })
})

describe('the arithmetic', () => {
  it('gives the same answer every time, and another with any bit wrong', () => {
    expect(arithmeticDigest(BLOCK_ITERATIONS)).toBe(EXPECTED_DIGEST)
    expect(arithmeticDigest(BLOCK_ITERATIONS, true)).not.toBe(EXPECTED_DIGEST)
    expect(arithmeticDigest(BLOCK_ITERATIONS - 1)).not.toBe(EXPECTED_DIGEST)
  })
})

describe('injected faults', () => {
  const machines = Array.from({ length: 2_000 }, (_, index) => `i-${String(index)}`)
  const share = (bad: boolean[]): number => bad.filter(Boolean).length / bad.length

  it('a lasting fault hits its share of machines, the same ones each time', () => {
    const faults = faultsSchema.parse([{ check: 'cpu', rate: 0.3 }])
    const look = (): boolean[] =>
      machines.map((instanceId) => isCorrupted(faults, { check: 'cpu', instanceId }, () => 0.999))
    expect(share(look())).toBeCloseTo(0.3, 1)
    expect(look()).toEqual(look())
  })

  it('an intermittent one draws anew', () => {
    const faults = faultsSchema.parse([{ check: 'cpu', rate: 0.3, intermittent: true }])
    const run = { check: 'cpu', instanceId: 'i-1' }
    expect(isCorrupted(faults, run, () => 0.29)).toBe(true)
    expect(isCorrupted(faults, run, () => 0.31)).toBe(false)
    expect(isCorrupted(faults, { ...run, check: 'disk' }, () => 0)).toBe(false)
  })
})
