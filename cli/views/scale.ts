/**
 * How a workload is scaled: what its metrics say beside what one replica is to bear.
 */
import type { WorkloadObject } from '#shared/protocol/api.ts'
import type { ReadingAnswer, ScaleAnswer } from '#shared/protocol/scale-answer.ts'
import type { Fact, Section } from '../render/page.ts'
import { table, type Cell, type Column, type TableStyle } from '../render/table.ts'
import { ageOf, formatDuration } from '../render/time.ts'

export function scaleFacts({ spec, status }: WorkloadObject): readonly Fact[] {
  const { scale } = status
  if (scale === undefined) return []
  const { min, max, desired, why } = scale
  const cooldown = spec.scale?.cooldownSeconds ?? 0
  const toZero = min === 0 ? `; to 0 after ${formatDuration(cooldown * 1000)} of nothing` : ''
  return [
    ['Scale', `${String(desired)} of ${String(min)} to ${String(max)}${toZero}`],
    ['Because', why],
  ]
}

export function scaleSection(
  scale: ScaleAnswer | undefined,
  { style, nowMs }: { readonly style: TableStyle; readonly nowMs: number },
): Section {
  const title = 'Metrics'
  if (scale === undefined || scale.readings.length === 0) return { title, lines: [] }
  const last = scale.lastScaled
  const told =
    last === undefined
      ? []
      : [
          `last scaled ${ageOf(last.at, nowMs)} ago, ${String(last.from)} → ${String(last.to)}`,
          `  ${last.why}`,
        ]
  return { title, lines: [...table(columnsAt(nowMs), scale.readings, style), ...told] }
}

const columnsAt = (nowMs: number): readonly Column<ReadingAnswer>[] => [
  { title: 'METRIC', of: ({ metric }) => metric },
  { title: 'NOW', of: ({ value, metric }) => amount(value, metric), align: 'right' },
  { title: 'A REPLICA', of: ({ target, metric }) => amount(target, metric), align: 'right' },
  { title: 'ASKS FOR', of: ({ replicas }) => amount(replicas, ''), align: 'right' },
  { title: 'READ', of: ({ at }) => ageOf(at, nowMs), align: 'right' },
  { title: 'WHY NOT', of: whyNot, shrink: true },
]

const whyNot = ({ error }: ReadingAnswer): Cell =>
  error === undefined ? '' : { text: error.text, colour: 'red' }

const PERCENTS = new Set(['cpu', 'memory', 'gpu'])

function amount(value: number | undefined, metric: string): string {
  if (value === undefined) return ''
  return `${String(Number(value.toPrecision(6)))}${PERCENTS.has(metric) ? '%' : ''}`
}
