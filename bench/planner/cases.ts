/**
 * What is measured, at which sizes.
 */
import { makeRandom } from '#shared/base/random.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import { medianOf } from '../measure/quantiles.ts'
import { burstSnapshot, judgeBurst, planBurst, wideSnapshot } from './burst.ts'
import { judgeChurn, planChurn, planCold, raiseHerd, type HerdOptions } from './herd.ts'
import { leastOf, liveHeapMib, repeat } from './measure.ts'
import type { Row } from './report.ts'
import { drawOwnShape, drawShape } from './specs.ts'

export type Case = {
  readonly name: string
  readonly sizes: readonly number[]
  readonly measure: (replicas: number, tell: (text: string) => void) => Row
}

const CHURN_SEED = 7

export const CASES: readonly Case[] = [
  {
    name: 'burst',
    sizes: [1_000, 5_000, 20_000],
    measure: (replicas, tell) =>
      measureBurst({ name: 'burst', fresh: () => burstSnapshot(replicas) }, tell),
  },
  {
    name: 'wide',
    sizes: [1_000, 3_000, 10_000, 30_000, 100_000],
    measure: (replicas, tell) =>
      measureBurst({ name: 'wide', fresh: () => wideSnapshot(replicas) }, tell),
  },
  {
    name: 'steady',
    sizes: [100_000],
    measure: (replicas, tell) => measureHerd({ name: 'steady', replicas, drawShape }, tell),
  },
  {
    name: 'scaling',
    sizes: [1_000, 3_000, 10_000, 30_000, 100_000],
    measure: (replicas, tell) =>
      measureHerd({ name: 'scaling', replicas, drawShape: drawOwnShape }, tell),
  },
]

type BurstCase = {
  readonly name: string
  /** Nobody has seen it before, each time. */
  readonly fresh: () => Snapshot
}

function measureBurst({ name, fresh }: BurstCase, tell: (text: string) => void): Row {
  const { last, first, figures } = repeat(
    (sweeps) => planBurst(fresh(), { tell, sweeps }),
    ({ planMs, planCpuMs, firstPassMs, peakHeapMib }) => {
      const spent = { spentMs: planMs, spentCpuMs: planCpuMs }
      return { ...spent, planMs, planCpuMs, firstPassMs, peakHeapMib }
    },
  )
  const heapMiB = liveHeapMib()
  const { workloads, nodes, usdPerHour, nodeSpreadMost, broken } = judgeBurst(last)
  const planMs = medianOf(figures.map((own) => own.planMs))
  const { replicas, placed, passes, firstPassPlaced } = last
  return {
    ...{ case: name, replicas, nodes, planMs },
    planCpuMs: leastOf(figures, (own) => own.planCpuMs),
    replicasPerSecond: (placed / planMs) * 1000,
    heapMiB,
    peakHeapMiB: first.peakHeapMib,
    ...{ runs: figures.length, workloads, sought: replicas, placed, broken },
    ...{ passes, firstPassPlaced, usdPerHour, nodeSpreadMost },
    firstPassMs: medianOf(figures.map((own) => own.firstPassMs)),
  }
}

type HerdCase = HerdOptions & { readonly name: string }

function measureHerd(own: HerdCase, tell: (text: string) => void): Row {
  const { name, replicas } = own
  tell('bringing the herd up')
  const herd = raiseHerd(own)
  const random = makeRandom(CHURN_SEED)
  const { last, first, figures } = repeat(
    (sweeps) => planChurn(herd, random, sweeps),
    ({ restMs, restCpuMs, planMs, planCpuMs, peakHeapMib }) => {
      tell(`rest ${restMs.toFixed(1)} ms, churn ${planMs.toFixed(0)} ms`)
      const spent = { spentMs: restMs + planMs, spentCpuMs: restCpuMs + planCpuMs }
      return { ...spent, restMs, restCpuMs, planMs, planCpuMs, peakHeapMib }
    },
  )
  const heapMiB = liveHeapMib()
  const { placed, broken } = judgeChurn(last, herd.workloads)
  const planMs = medianOf(figures.map((one) => one.planMs))
  return {
    ...{ case: name, replicas, nodes: herd.nodes.length, planMs },
    planCpuMs: leastOf(figures, (one) => one.planCpuMs),
    replicasPerSecond: (placed / planMs) * 1000,
    heapMiB,
    peakHeapMiB: first.peakHeapMib,
    ...{ runs: figures.length, workloads: herd.workloads.length },
    ...{ sought: last.sought, placed, broken },
    restMs: medianOf(figures.map((one) => one.restMs)),
    restCpuMs: leastOf(figures, (one) => one.restCpuMs),
    ...planCold(herd, random),
  }
}
