/**
 * What a workload's replicas use of what they request, as their agents measured it.
 *
 * Only those count that are told to run, on living nodes, and are ready. An agent speaks of the
 * replicas that are bound to its own machine, of this boot, and not of those long ago.
 */
import { groupBy } from '../../base/order.ts'
import { templateKey, type Assignment } from '../../model/assignment.ts'
import { LIMITS } from '../../model/limits.ts'
import { isUsage, type Metric, type MetricOf, type UsageMetric } from '../../model/metric.ts'
import type { Node } from '../../model/node.ts'
import type { Resources } from '../../model/quantities.ts'
import type { Beat } from '../../model/report.ts'
import { isReady, isRunning, type Replica } from '../replicas.ts'
import { weightOf } from '../revision.ts'
import type { Reading } from './wants.ts'

export type UsageFacts = {
  /** All of the workload's. */
  readonly replicas: readonly Replica[]
  /** By node. */
  readonly assignments: ReadonlyMap<string, Assignment>
  /** By the machine's ARN. */
  readonly beats: ReadonlyMap<string, Beat>
  readonly nowMs: number
}

/** By workload uid, stopping ones too. */
export function replicasIn(
  assignments: readonly Assignment[],
  nodes: readonly Node[],
): ReadonlyMap<string, readonly Replica[]> {
  const byName = new Map(nodes.map((own) => [own.name, own]))
  const all = assignments.flatMap(({ node: name, replicas }) => {
    const node = byName.get(name)
    return node === undefined ? [] : replicas.map((bound) => ({ bound, node }))
  })
  return groupBy(all, ({ bound }) => bound.uid)
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
    const need = needOf(own, facts)?.[field] ?? 0
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

function needOf({ bound, node }: Replica, { assignments }: UsageFacts): Resources | undefined {
  const template = assignments.get(node.name)?.templates[templateKey(bound)]
  return template === undefined ? undefined : weightOf(template).need
}
