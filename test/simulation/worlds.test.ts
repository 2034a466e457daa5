/**
 * Whole worlds: the same seed is the same story to the last byte, kept cases stay mended, and a
 * world that breaks a rule shrinks to one that a person can read.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { makeAuditor } from './auditor/auditor.ts'
import { parseCase, printCase } from './case.ts'
import type { SimOptions } from './options.ts'
import { describeViolation, runWorld } from './run.ts'
import { planHerd } from './script.ts'
import { shrink } from './shrink.ts'
import type { Auditor, Truth } from './traffic.ts'

const worldOf = (seed: number, days = 0.04): SimOptions => ({
  ...{ seed, days, profile: 'heavy', herd: 'small' },
})

async function traceOf(options: SimOptions): Promise<string> {
  const lines: string[] = []
  await runWorld({ options, makeAuditor, trace: (line) => lines.push(line) })
  return lines.join('\n')
}

describe('a world', () => {
  it.each([11, 12])('is the same to the last byte each time: seed %i', async (seed) => {
    const first = await traceOf(worldOf(seed))
    expect(first.split('\n').length).toBeGreaterThan(200)
    expect(await traceOf(worldOf(seed))).toBe(first)
    expect(await traceOf(worldOf(seed + 100))).not.toBe(first)
  })

  it('is told as text and back without loss', () => {
    const options = worldOf(3, 1)
    const world = { options, plan: planHerd(options), only: new Set(['crash reconcile#1.2']) }
    const told = parseCase(printCase(world))
    expect(told.plan).toEqual(world.plan)
    expect([...told.only]).toEqual([...world.only])
    expect(told.options.days).toBeCloseTo(1)
    expect(() => parseCase('weather bad')).toThrow(/does not know 'weather'/)
  })
})

/** Calls it a fault when a storm has struck and a workload of two replicas was scaled: a toy. */
function toyAuditor(truth: Truth): Auditor {
  let scaled = false
  return {
    see: (seen) => {
      if (seen.kind !== 'write' || seen.by.role !== 'admin-api') return undefined
      scaled ||= seen.changes.some(({ before, after }) => {
        const replicas = (item: typeof after): unknown =>
          (item?.['spec'] as { replicas?: number } | undefined)?.replicas
        return before !== undefined && replicas(before) !== replicas(after)
      })
      const isBad = scaled && truth.lastDisturbanceAtMs() > 0
      return isBad
        ? { rule: '3 ledger', text: 'scaled in bad weather', atMs: truth.nowMs() }
        : undefined
    },
    full: () => undefined,
    unsettled: () => [],
    decisions: () => [],
  }
}

describe('the shrinker', () => {
  it('leaves out all that does not matter', { timeout: 60_000 }, async () => {
    const options = worldOf(5, 0.3)
    const before = planHerd(options).script.length
    const found = await shrink({ options, makeAuditor: toyAuditor, tell: () => undefined })
    const script = found?.world.plan.script ?? []
    expect(found?.outcome.violation?.rule).toBe('3 ledger')
    expect(before).toBeGreaterThan(12)
    expect(script.length).toBeLessThan(6)
    expect(script.some((own) => own.kind === 'scale' || own.kind === 'apply')).toBe(true)
  })

  it('has nothing to do where no rule is broken', async () => {
    const calm: SimOptions = { ...worldOf(5, 0.01), profile: 'calm' }
    const found = await shrink({ options: calm, makeAuditor, tell: () => undefined })
    expect(found).toBeUndefined()
  })
})

const CASES = fileURLToPath(new URL('cases/', import.meta.url))

describe('cases that once broke a rule', () => {
  for (const file of readdirSync(CASES)) {
    it(file.replace('.txt', ''), { timeout: 60_000 }, async () => {
      const told = parseCase(readFileSync(`${CASES}${file}`, 'utf8'))
      const outcome = await runWorld({ ...told, makeAuditor })
      expect(describeViolation(outcome)).toBe('')
      expect(outcome.convergedAfterMs).toBeDefined()
    })
  }
})
