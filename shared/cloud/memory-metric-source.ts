/**
 * Metrics in memory: what a test or a simulated world says they are.
 */
import { metricLabel, type OutsideMetric } from '../model/metric.ts'
import { unread, type MetricAnswer, type MetricSource } from './metric-source.ts'

export type MemoryMetricSource = MetricSource & {
  /** From now on the metric of that label says so. */
  set(label: string, answer: number | MetricAnswer): void
  /** Labels in the order in which they were asked for. */
  readonly asked: readonly string[]
}

export function makeMemoryMetricSource(): MemoryMetricSource {
  const answers = new Map<string, MetricAnswer>()
  const asked: string[] = []
  return {
    asked,
    set: (label, answer) => {
      answers.set(label, typeof answer === 'number' ? { ok: true, value: answer } : answer)
    },
    read: (metric: OutsideMetric) => {
      const label = metricLabel(metric)
      asked.push(label)
      return Promise.resolve(answers.get(label) ?? unread('NoData', `${label} says nothing`))
    },
  }
}
