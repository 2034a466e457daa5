import { existsSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  arithmeticDigest,
  BLOCK_ITERATIONS,
  EXPECTED_DIGEST,
} from '#agent/adapters/checks/arithmetic.ts'
import { makeChecks, type CheckOptions } from '#agent/adapters/checks/checks.ts'
import { checkCpu } from '#agent/adapters/checks/cpu.ts'
import { checkDisk } from '#agent/adapters/checks/disk.ts'
import { faultsSchema, isCorrupted } from '#agent/faults.ts'
import type { CheckResult } from '#shared/model/verdict.ts'
import { asked } from '../asked.ts'
import { temporaryDirectory } from './world.ts'

let directory: { path: string; remove: () => void }
let server: Server
let endpoint = ''
beforeEach(async () => {
  directory = temporaryDirectory()
  server = createServer((socket) => socket.end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint = `localhost:${String((server.address() as AddressInfo).port)}`
})
afterEach(() => {
  server.close()
  directory.remove()
})

/** What comes of one check of a suite, on this very machine. */
async function look(check: unknown, extra: Partial<CheckOptions> = {}): Promise<CheckResult> {
  const run = makeChecks({
    instanceId: 'i-0abc',
    path: join(directory.path, 'check.bin'),
    faults: [],
    gpus: [],
    diskMib: 8,
    kernelLog: '/dev/null',
    endpoint,
    clockOffsetMs: () => Promise.resolve(120),
    ...extra,
  })
  const [spec] = asked(check)
  if (spec === undefined) throw new Error('no check')
  return run(spec)
}
const withFault = (check: string) => ({ faults: faultsSchema.parse([{ check, rate: 1 }]) })

describe('a healthy machine', () => {
  it('passes the basic suite in under three seconds', async () => {
    const startMs = performance.now()
    const results = []
    for (const { check } of asked('basic')) results.push(await look(check))
    expect(performance.now() - startMs).toBeLessThan(3_000)
    expect(results.map(({ name, verdict, text }) => [name, verdict, text])).toEqual([
      ['cpu', 'PASS', ''],
      ['memory', 'PASS', ''],
      ['disk', 'PASS', ''],
      ['clock', 'PASS', ''],
      ['network', 'PASS', ''],
    ])
    const [cpu, memory, disk, clock, network] = results.map((own) => own.measures)
    expect(cpu?.iterationsPerSecond).toBeGreaterThan(100_000)
    expect(cpu?.cores).toBeGreaterThan(0)
    expect(memory).toMatchObject({ testedMib: 64 })
    expect(memory?.mibPerSecond).toBeGreaterThan(10)
    expect(disk?.writeMibPerSecond).toBeGreaterThan(0)
    expect(disk?.readMibPerSecond).toBeGreaterThan(0)
    expect(clock).toEqual({ clockOffsetMs: 120 })
    expect(network?.connectMs).toBeGreaterThanOrEqual(0)
    expect(results.every((own) => (own.durationMs ?? -1) >= 0)).toBe(true)
    expect(existsSync(join(directory.path, 'check.bin'))).toBe(false)
  })
})

describe('a bad machine', () => {
  it('one wrong bit on one core fails the cpu check', async () => {
    const result = await look('cpu', withFault('cpu'))
    expect(result.verdict).toBe('FAIL')
    expect(result.text).toContain(`instead of ${EXPECTED_DIGEST}`)
  })

  it('one wrong bit in memory fails the memory check, and names the place', async () => {
    const result = await look({ check: 'memory', mib: 6 }, withFault('memory'))
    expect(result).toMatchObject({ verdict: 'FAIL', measures: { testedMib: 6 } })
    expect(result.text).toBe('in MiB 3 of 6 the bits 80 came back wrong')
  })

  it('one wrong bit in the file fails the disk check, and names the place', async () => {
    const result = await look('disk', withFault('disk'))
    expect(result.verdict).toBe('FAIL')
    expect(result.text).toBe(
      `byte ${String(4 * 1_048_576 + 4_321)} of 8 MiB read back differs from what was written`,
    )
  })

  it('a fault of one check leaves the other alone', async () => {
    expect((await look('cpu', withFault('disk'))).verdict).toBe('PASS')
  })
})

describe('a check that cannot run is INFRA, and condemns nothing', () => {
  const whole = { corrupted: false, mib: 8, timeoutSeconds: 10 }

  it('where the disk takes no file', async () => {
    const result = await checkDisk({ ...whole, path: join(directory.path, 'no/such/file') })
    expect(result).toMatchObject({ verdict: 'INFRA', measures: {} })
    expect(result.text).toContain('ENOENT')
  })

  it('where the disk is full', async () => {
    if (!existsSync('/dev/full')) return
    const result = await checkDisk({ ...whole, path: '/dev/full' })
    expect(result.verdict).toBe('INFRA')
    expect(result.text).toContain('ENOSPC')
  })

  it('where the disk is too slow', async () => {
    const path = join(directory.path, 'check.bin')
    const result = await checkDisk({ ...whole, path, timeoutSeconds: 0 })
    expect(result).toMatchObject({
      verdict: 'INFRA',
      text: expect.stringContaining('in time') as string,
    })
    expect(existsSync(path)).toBe(false)
  })

  it('where a core does not end', async () => {
    const result = await checkCpu({ seconds: 60, timeoutSeconds: 0.1 }, false)
    expect(result).toMatchObject({
      verdict: 'INFRA',
      text: expect.stringContaining('100 ms') as string,
    })
  })

  it('where the clock is off, or nobody tells the time', async () => {
    const at = (offsetMs: number) =>
      look('clock', { clockOffsetMs: () => Promise.resolve(offsetMs) })
    expect(await at(1_400)).toMatchObject({ verdict: 'PASS' })
    expect(await at(-61_000)).toMatchObject({
      verdict: 'INFRA',
      text: 'the clock is 61.0 s slow; is its time service running?',
    })
    const silent = { clockOffsetMs: () => Promise.reject(new Error('the table is away')) }
    const result = await look('clock', silent)
    expect(result).toMatchObject({ verdict: 'INFRA', measures: {} })
    expect(result.text).toContain('the table is away')
  })

  it('where a host cannot be reached, or has no name', async () => {
    server.close()
    const refused = await look('network')
    expect(refused).toMatchObject({ verdict: 'INFRA' })
    expect(refused.text).toContain('ECONNREFUSED')
    const nobody = await look({ check: 'network', reach: ['nobody.invalid:443'] })
    expect(nobody.verdict).toBe('INFRA')
  })

  it('and a check that nobody knows is UNKNOWN', async () => {
    const run = makeChecks({
      ...{ instanceId: 'i-1', path: '', faults: [], gpus: [], diskMib: 1, endpoint, kernelLog: '' },
      clockOffsetMs: () => Promise.resolve(0),
    })
    const known = { timeoutSeconds: 1, limits: {} }
    expect(await run({ name: 'gpu', check: 'levitation', ...known })).toMatchObject({
      name: 'gpu',
      verdict: 'UNKNOWN',
      text: 'this agent does not know the check levitation, or not so',
    })
    const odd = await run({ name: 'cpu', check: 'cpu', turbo: true, ...known })
    expect(odd.verdict).toBe('UNKNOWN')
  })
})

describe("a command of the user's own", () => {
  const shell = (script: string, extra: Record<string, unknown> = {}) =>
    look({ check: 'command', name: 'own', command: ['/bin/sh', '-c', script], ...extra })

  it('is judged by how it ends', async () => {
    const ends = ['exit 0', 'echo broken >&2; exit 1', 'exit 2', 'exit 3', 'kill -9 $$']
    const results = []
    for (const script of ends) results.push(await shell(script))
    expect(results.map(({ name, verdict, text }) => [name, verdict, text])).toEqual([
      ['own', 'PASS', ''],
      ['own', 'FAIL', 'it ended with 1: broken'],
      ['own', 'UNKNOWN', 'it ended with 2'],
      ['own', 'INFRA', 'it ended with 3'],
      ['own', 'INFRA', 'it ended by SIGKILL'],
    ])
  })

  it('is INFRA in an image where there is no container engine', async () => {
    const result = await look({ check: 'command', name: 'own', image: 'nccl-tests:1' })
    expect(result).toMatchObject({
      verdict: 'INFRA',
      text: expect.stringContaining('no container engine') as string,
    })
  })

  it('is INFRA where there is no such program', async () => {
    const result = await look({ check: 'command', name: 'own', command: ['/no/such/program'] })
    expect(result.verdict).toBe('INFRA')
    expect(result.text).toContain('ENOENT')
  })

  it('is UNKNOWN, and ended with all it started, when its time is up', async () => {
    const mark = join(directory.path, 'late')
    const result = await shell(`(sleep 3; touch ${mark}) & echo so far >&2; wait`, {
      timeoutSeconds: 1,
    })
    expect(result).toMatchObject({ verdict: 'UNKNOWN' })
    expect(result.text).toBe('it had not ended when its time was up; so far')
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    expect(existsSync(mark)).toBe(false)
  })

  it('tells what it measured on its last line', async () => {
    const line = { measures: { busGbPerSecond: 180 }, limits: { busGbPerSecond: { min: 150 } } }
    const tell = (own: unknown, code = 0) =>
      shell(`echo warming up; echo '${JSON.stringify(own)}'; exit ${String(code)}`)
    expect(await tell(line)).toMatchObject({
      verdict: 'PASS',
      measures: { busGbPerSecond: 180 },
    })
    expect(await tell({ ...line, limits: { busGbPerSecond: { min: 300 } } })).toMatchObject({
      verdict: 'FAIL',
      text: 'busGbPerSecond is 180, and at least 300 is asked for',
    })
    expect(await tell({ verdict: 'WARN', text: 'a little warm' })).toMatchObject({
      verdict: 'WARN',
      text: 'a little warm',
    })
    expect((await tell({ verdict: 'PASS' }, 1)).verdict).toBe('FAIL')
    expect((await tell({ limits: { busGbPerSecond: { min: 1 } } })).verdict).toBe('UNKNOWN')
    expect((await shell('echo "{not json"')).verdict).toBe('UNKNOWN')
    expect((await tell({ measures: { busGbPerSecond: 'fast' } })).verdict).toBe('UNKNOWN')
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
