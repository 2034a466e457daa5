/**
 * What a workload's replicas use of what they request, as their agents measured it.
 *
 * Only those count that are told to run, on living nodes, and are ready. An agent speaks of the
 * replicas that are bound to its own machine, of this boot, and not of those long ago.
 */
import { LIMITS } from '../../model/limits.ts'
import { isUsage, type Metric, type MetricOf, type UsageMetric } from '../../model/metric.ts'
import type { Resources } from '../../model/quantities.ts'
import type { Beat } from '../../model/report.ts'
import type { Draft } from '../fold.ts'
import { isReady, isRunning, needOfBound, type Replica } from '../replicas.ts'
import type { Reading } from './wants.ts'

export type UsageFacts = {
  /** All of the workload's. */
  readonly replicas: readonly Replica[]
  /** The herd that they are part of. */
  readonly draft: Draft
  /** By the machine's ARN. */
  readonly beats: ReadonlyMap<string, Beat>
  readonly nowMs: number
}

const FIELDS = { cpu: 'cpuMilli', memory: 'memoryMib', gpu: 'gpuMilli' } as const satisfies Record<
  UsageMetric['type'],
  keyof Resources
>

export type ReadingFacts = {
  /** A total, by its metric. */
  readonly totalOf: (metric: Exclude<Metric, UsageMetric | MetricOf<'schedule'>>) => Reading
  readonly usage: UsageFacts
}

/** One for each metric, in their order. */
export function readingsOf(
  metrics: readonly Metric[],
  { totalOf, usage }: ReadingFacts,
): readonly Reading[] {
  return metrics.map((metric) => {
    if (metric.type === 'schedule') return { kind: 'clock' }
    return isUsage(metric) ? usageReading(metric, usage) : totalOf(metric)
  })
}

function usageReading({ type }: UsageMetric, facts: UsageFacts): Reading {
  const field = FIELDS[type]
  const shares = facts.replicas.flatMap((own) => {
    if (!isRunning(own) || !isReady(own)) return []
    const used = measuredOf(own, facts)?.[field]
    const need = needOfBound(own, facts.draft)[field]
    return used === undefined || need === 0 ? [] : [used / need]
  })
  return { kind: 'usage', shares }
}

function measuredOf(
  { bound, node }: Replica,
  { beats, nowMs }: UsageFacts,
): NonNullable<Beat['usage']>[string] | undefined {
  const beat = beats.get(node.machine?.arn ?? '')
  if (beat === undefined || beat.bootId !== node.bootId) return undefined
  return nowMs - beat.atMs > LIMITS.usageMaxAgeMs ? undefined : beat.usage?.[bound.id]
}
