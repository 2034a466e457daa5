/**
 * What is measured, at which sizes.
 */
import { makeRandom } from '#shared/base/random.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import { medianOf } from '../measure/quantiles.ts'
import { burstSnapshot, judgeBurst, planBurst, wideSnapshot } from './burst.ts'
import { judgeChurn, planChurn, planCold, raiseHerd, type HerdOptions } from './herd.ts'
import { liveHeapMib, repeat } from './measure.ts'
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
      measureBurst({ name: 'burst', first: () => burstSnapshot(replicas) }, tell),
  },
  {
    name: 'wide',
    sizes: [1_000, 3_000, 10_000, 30_000, 100_000],
    measure: (replicas, tell) =>
      measureBurst({ name: 'wide', first: () => wideSnapshot(replicas) }, tell),
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
  readonly first: () => Snapshot
}

function measureBurst({ name, first }: BurstCase, tell: (text: string) => void): Row {
  const { last, figures } = repeat(
    () => planBurst(first(), tell),
    ({ planMs, firstPassMs, peakHeapMib }) => {
      return { spentMs: planMs, planMs, firstPassMs, peakHeapMib }
    },
  )
  const heapMiB = liveHeapMib()
  const { workloads, nodes, usdPerHour, nodeSpreadMost, broken } = judgeBurst(last)
  const planMs = medianOf(figures.map((own) => own.planMs))
  const { replicas, placed, passes, firstPassPlaced } = last
  return {
    ...{ case: name, replicas, nodes, planMs },
    replicasPerSecond: (placed / planMs) * 1000,
    heapMiB,
    peakHeapMiB: medianOf(figures.map((own) => own.peakHeapMib)),
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
  const { last, figures } = repeat(
    () => planChurn(herd, random),
    ({ restMs, planMs, peakHeapMib }) => {
      tell(`rest ${restMs.toFixed(1)} ms, churn ${planMs.toFixed(0)} ms`)
      return { spentMs: restMs + planMs, restMs, planMs, peakHeapMib }
    },
  )
  const heapMiB = liveHeapMib()
  const { placed, broken } = judgeChurn(last, herd.workloads)
  const planMs = medianOf(figures.map((one) => one.planMs))
  return {
    ...{ case: name, replicas, nodes: herd.nodes.length, planMs },
    replicasPerSecond: (placed / planMs) * 1000,
    heapMiB,
    peakHeapMiB: medianOf(figures.map((one) => one.peakHeapMib)),
    ...{ runs: figures.length, workloads: herd.workloads.length },
    ...{ sought: last.sought, placed, broken },
    restMs: medianOf(figures.map((one) => one.restMs)),
    coldMs: planCold(herd, random),
  }
}
