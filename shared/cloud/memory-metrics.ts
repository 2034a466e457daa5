/**
 * Metrics kept as running figures, so that a test can ask what was measured and a long simulation
 * does not drown in points.
 */
import type { MetricUnit, Metrics } from './metrics.ts'

export type MetricFigures = {
  readonly unit: MetricUnit
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  readonly last: number
}

export type MemoryMetrics = Metrics & {
  /** What was recorded under `name`; undefined when nothing was. */
  figures(name: string): MetricFigures | undefined
  names(): readonly string[]
}

export function makeMemoryMetrics(): MemoryMetrics {
  const all = new Map<string, MetricFigures>()
  return {
    record: (name, value, unit) => {
      if (!Number.isFinite(value)) return
      const seen = all.get(name)
      all.set(name, {
        unit,
        count: (seen?.count ?? 0) + 1,
        sum: (seen?.sum ?? 0) + value,
        min: Math.min(seen?.min ?? value, value),
        max: Math.max(seen?.max ?? value, value),
        last: value,
      })
    },
    figures: (name) => all.get(name),
    names: () => [...all.keys()].sort(),
  }
}
