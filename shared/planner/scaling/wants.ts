/**
 * How many replicas one metric asks for.
 *
 * The sum of what all replicas bear, divided by what one is to bear. It does not ask how many there
 * are, so a surge or a canary beside them changes nothing. Those that cannot be measured, or do not
 * serve yet, count as idle where the rest ask for more and as busy where they ask for fewer: what
 * nobody has seen moves nothing.
 */
import { LIMITS } from '../../model/limits.ts'
import { metricLabel, type Metric, type UsageMetric } from '../../model/metric.ts'
import type { Reason } from '../../model/status.ts'
import { holds } from './schedule.ts'

export type Reading =
  /** What the replicas share. */
  | { readonly kind: 'total'; readonly value: number }
  /** What those use that serve and were measured: each a part of what it requests. */
  | { readonly kind: 'usage'; readonly shares: readonly number[] }
  /** Nothing has to be read. */
  | { readonly kind: 'clock' }
  | { readonly kind: 'unread'; readonly reason: Reason }

export type Want = {
  readonly metric: string
  /** Absent where it cannot be told. */
  readonly replicas?: number
  /** Whether anything goes on; absent where the metric does not say. */
  readonly isActive?: boolean
  /** Why so many, for people. */
  readonly text: string
  readonly value?: number
  readonly target?: number
  readonly error?: Reason
}

export type WantContext = {
  readonly current: number
  readonly tolerance: number
  readonly nowMs: number
}

export function wantOf(metric: Metric, reading: Reading, context: WantContext): Want {
  const label = metricLabel(metric)
  if (metric.type === 'schedule') return scheduled(metric, context)
  if (reading.kind === 'unread') {
    return { metric: label, text: `${label}: ${reading.reason.text}`, error: reading.reason }
  }
  if (metric.type === 'cpu' || metric.type === 'memory' || metric.type === 'gpu') {
    return used(metric, reading.kind === 'usage' ? reading.shares : [], context)
  }
  const value = reading.kind === 'total' ? reading.value : 0
  const { target, activation } = metric
  const replicas = counted({ load: value / target, unseen: 0 }, context)
  const text = `${label} is ${shown(value)}, ${shown(target)} a replica`
  return {
    ...{ metric: label, replicas, isActive: value > activation, value, target },
    text: `${text}: ${countText(replicas, context)}`,
  }
}

function scheduled(metric: Extract<Metric, { type: 'schedule' }>, { nowMs }: WantContext): Want {
  const label = metricLabel(metric)
  const isActive = holds(metric, nowMs)
  const replicas = isActive ? metric.replicas : 0
  const when = isActive ? `until ${metric.to}` : `from ${metric.from}`
  const text = `${label}: ${String(metric.replicas)} ${when} in ${metric.timeZone}`
  return { metric: label, replicas, isActive, text }
}

function used(metric: UsageMetric, shares: readonly number[], context: WantContext): Want {
  const { current } = context
  const target = metric.targetPercent
  const label = metric.type
  if (shares.length === 0) {
    if (current === 0) return { metric: label, replicas: 0, text: `${label}: nobody runs`, target }
    const error = { code: 'NotMeasured', text: 'no replica that serves has been measured' }
    return { metric: label, text: `${label}: ${error.text}`, target, error }
  }
  const sum = shares.reduce((all, own) => all + own, 0)
  // Memory does not spread over more replicas: what a surge takes of it is the surge's own.
  const counts = metric.type === 'memory' ? Math.min(1, current / shares.length) : 1
  const load = (sum * counts * 100) / target
  const replicas = counted({ load, unseen: Math.max(0, current - shares.length) }, context)
  const value = Math.round((sum / shares.length) * 100)
  const text = `${label} is at ${String(value)} % of what is requested, ${String(target)} % wanted`
  return {
    ...{ metric: label, replicas, value, target },
    text: `${text}: ${countText(replicas, context)}`,
  }
}

type Load = {
  /** In what one replica is to bear. */
  readonly load: number
  /** Replicas of the count whose part of it is not known. */
  readonly unseen: number
}

/** Up by what was seen alone; down as if those unseen bore their whole part; else as it is. */
function counted({ load, unseen }: Load, { current, tolerance }: WantContext): number {
  if (load > current * (1 + tolerance) + DUST) return whole(load)
  if (load + unseen < current * (1 - tolerance) - DUST) return whole(load + unseen)
  return current
}

/** What binary fractions leave of a sum that is a whole number. */
const DUST = 1e-9

/** No more than can be kept, however small a target is. */
const whole = (load: number): number =>
  Math.min(LIMITS.amountMax, Math.max(0, Math.ceil(load - DUST)))

function countText(replicas: number, { current }: WantContext): string {
  return replicas === current ? `${String(replicas)}, as now` : String(replicas)
}

const shown = (value: number): string => String(Number(value.toPrecision(6)))
