/**
 * The metric source port: one number from outside, for autoscaling.
 *
 * What cannot be read is an answer too, with its reason: a workload whose queue is gone must keep
 * no other from being scaled.
 */
import { LIMITS } from '../model/limits.ts'
import type { OutsideMetric } from '../model/metric.ts'
import type { Reason } from '../model/status.ts'

export type MetricAnswer =
  { readonly ok: true; readonly value: number } | { readonly ok: false; readonly reason: Reason }

export type MetricSource = {
  /** Never throws, and answers within LIMITS.metricReadMs. */
  read(metric: OutsideMetric): Promise<MetricAnswer>
}

export const unread = (code: string, text: string): MetricAnswer => ({
  ok: false,
  reason: { code, text },
})

/** A number that may be compared with a target, or why it may not. */
export function asAmount(value: unknown, what: string): MetricAnswer {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) {
    return unread('NotANumber', `${what} is no number`)
  }
  if (number < 0) return unread('NegativeValue', `${what} is less than 0`)
  if (number > LIMITS.amountMax) return unread('TooLarge', `${what} is beyond what can be counted`)
  return { ok: true, value: number }
}
