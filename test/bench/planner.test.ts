/**
 * What `npm run bench:planner` measures and compares, at a size that takes no time.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { burstSnapshot, judgeBurst, planBurst, type Burst } from '#bench/planner/burst.ts'
import { judgeChurn, planChurn, raiseHerd } from '#bench/planner/herd.ts'
import { exponentOf, repeat } from '#bench/planner/measure.ts'
import { compared, makeTable, readRows, type Row } from '#bench/planner/report.ts'
import { drawShape } from '#bench/planner/specs.ts'
import { makeRandom } from '#shared/base/random.ts'

const quiet = { tell: () => undefined, sweeps: false }

describe('the cases', () => {
  const burst = (): Burst => planBurst(burstSnapshot(400), quiet)

  it('find every replica of a burst a place, and break no rule of it', () => {
    const one = burst()
    expect(one).toMatchObject({ replicas: 400, placed: 400 })
    expect(judgeBurst(one).broken).toEqual([])
  })

  it('plan the same burst the same way', () => {
    expect(burst().made.plan).toEqual(burst().made.plan)
  })

  it('see replicas that have outgrown what was bought for them', () => {
    const one = burst()
    const [first, ...rest] = one.snapshot.workloads
    const larger = { ...first, spec: { ...first?.spec, resources: { cpu: '100', memory: '1Gi' } } }
    const other = { ...one, snapshot: { ...one.snapshot, workloads: [larger, ...rest] } } as Burst
    expect(judgeBurst(other).broken.join()).toContain('find no room on what was bought')
  })

  it('bind what a herd has lost', () => {
    const herd = raiseHerd({ replicas: 500, drawShape })
    const churn = planChurn(herd, makeRandom(7), false)
    expect(churn.sought).toBe(5)
    expect(judgeChurn(churn, herd.workloads)).toEqual({ placed: 5, broken: [] })
  })
})

describe('the figures', () => {
  it('are those of warm runs, and the peak that of a first one on a swept heap', () => {
    const swept: boolean[] = []
    const run = (sweeps: boolean): number => swept.push(sweeps)
    const { first, figures, last } = repeat(run, (n) => ({ spentMs: 3_000, spentCpuMs: 900, n }))
    expect(first.n).toBe(1)
    expect(figures[0]?.n).toBe(4)
    expect(last).toBe(swept.length)
    expect(swept.lastIndexOf(true)).toBe(0)
  })

  it('are those of one run where it is long', () => {
    const { figures } = repeat(
      () => 0,
      () => ({ spentMs: 30_000, spentCpuMs: 30_000 }),
    )
    expect(figures).toHaveLength(1)
  })

  it('tell the power by which time grows', () => {
    const points = [1, 10, 100].map((replicas) => ({ replicas, ms: 5 * replicas ** 1.5 }))
    expect(exponentOf(points)).toBeCloseTo(1.5)
  })
})

describe('a saved run', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-planner-'))
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  const row: Row = {
    ...{ case: 'burst', replicas: 1000, nodes: 200, planMs: 60, planCpuMs: 50 },
    ...{ replicasPerSecond: 16_667, heapMiB: 20, peakHeapMiB: 80, runs: 9 },
    ...{ workloads: 559, sought: 1000, placed: 1000, broken: [] },
  }

  it('is read as it was written, and others are set against it', () => {
    const path = join(directory, 'rows.json')
    writeFileSync(path, JSON.stringify({ rows: [row] }))
    const earlier = readRows(path)
    const now = { ...row, planMs: 30, planCpuMs: 40, heapMiB: 30 }
    const ratios = { planMs: 0.5, planCpuMs: 0.8, heapMiB: 1.5 }
    expect(compared(now, earlier)).toEqual({ ...now, ratios })
    expect(compared({ ...now, replicas: 2000 }, earlier)).not.toHaveProperty('ratios')
    const table = makeTable(true)
    expect(table.head).toMatch(/× plan\s+× cpu\s+× live$/)
    expect(table.line(compared(now, earlier))).toMatch(/0\.50\s+0\.80\s+1\.50$/)
  })

  it('is refused where it is none', () => {
    const path = join(directory, 'none.json')
    writeFileSync(path, '{}')
    expect(() => readRows(path)).toThrow('save one with --json')
  })
})
