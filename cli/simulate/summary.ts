/**
 * What a replay comes to: the figures that a person asks for first.
 */
import { must } from '#shared/base/assert.ts'
import { byNumber } from '#shared/base/order.ts'
import { sum } from '#shared/base/sum.ts'
import type { Replay } from './replay.ts'
import type { Sample } from './sample.ts'

export type Summary = {
  readonly hours: number
  readonly workloads: number
  readonly mostReplicas: number
  /** As EC2 bills it, all in all. */
  readonly costUsd: number
  readonly spotShare: number
  /** The mean of cost over bound, less one, where a bound was found. */
  readonly meanGap: number | null
  readonly worstGap: number | null
  /** Of a fleet that is bought anew, on-demand, at every moment; and for its busiest alone. */
  readonly onDemandUsd: number | null
  readonly staticUsd: number | null
  readonly waitMedianSeconds: number | null
  readonly waitP99Seconds: number | null
  /** Workloads that came and went, or stand at the end, without ever having been ready. */
  readonly neverReady: number
  readonly machinesTakenBack: number
  readonly replicasInterrupted: number
  readonly replicasReclaimed: number
  readonly repackMoves: number
  readonly repackMovesPerReplicaDay: number
}

export const costOf = ({ cost }: Pick<Sample, 'cost'>): number => cost.spot + cost['on-demand']

/** Cost over bound, less one; undefined where there is no bound to speak of. */
export function gapOf(sample: Sample): number | undefined {
  const bound = sample.bound?.boundUsdPerHour ?? 0
  return bound > 0 ? costOf(sample) / bound - 1 : undefined
}

export function summaryOf(replay: Replay, facts: { hours: number; workloads: number }): Summary {
  const { samples, bill, counts, waitsMs, replicaDays } = replay
  const costUsd = costOf({ cost: bill })
  const gaps = samples.flatMap((own) => gapOf(own) ?? [])
  const onDemand = samples.flatMap((own) => own.onDemandUsdPerHour ?? [])
  const waits = waitsMs.toSorted(byNumber)
  return {
    ...facts,
    mostReplicas: Math.max(0, ...samples.map((own) => own.wanted)),
    costUsd,
    spotShare: costUsd === 0 ? 0 : bill.spot / costUsd,
    meanGap: gaps.length === 0 ? null : mean(gaps),
    worstGap: gaps.length === 0 ? null : Math.max(...gaps),
    onDemandUsd: onDemand.length === 0 ? null : mean(onDemand) * facts.hours,
    staticUsd: onDemand.length === 0 ? null : Math.max(...onDemand) * facts.hours,
    waitMedianSeconds: secondsAt(waits, 0.5),
    waitP99Seconds: secondsAt(waits, 0.99),
    neverReady: facts.workloads - waits.length,
    machinesTakenBack: replay.struck,
    replicasInterrupted: counts.interrupted,
    replicasReclaimed: counts.reclaimed,
    repackMoves: counts.repackMoves,
    repackMovesPerReplicaDay: replicaDays === 0 ? 0 : counts.repackMoves / replicaDays,
  }
}

const mean = (values: readonly number[]): number => sum(values) / values.length

/** Of sorted milliseconds. */
function secondsAt(sorted: readonly number[], share: number): number | null {
  if (sorted.length === 0) return null
  const at = Math.min(sorted.length - 1, Math.floor(sorted.length * share))
  return must(sorted[at], 'a wait') / 1000
}
