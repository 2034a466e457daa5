/**
 * Metrics from where they are: SQS, CloudWatch, and any address that answers with JSON.
 *
 * Each read is cut short by one deadline, and whatever goes wrong is an answer. What a queue or a
 * page says is not repeated to people, for whoever may read a workload may not read that.
 */
import { describeError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { LIMITS } from '../../model/limits.ts'
import { metricLabel, type MetricOf, type OutsideMetric } from '../../model/metric.ts'
import type { Clock } from '../clock.ts'
import { unread, type MetricAnswer, type MetricSource } from '../metric-source.ts'
import { makeCloudwatchMetrics } from './metrics/cloudwatch.ts'
import { makeHttpMetrics } from './metrics/http.ts'
import { makeSqsMetrics } from './metrics/sqs.ts'

export type MetricSourcesOptions = {
  readonly region: string
  readonly clock: Pick<Clock, 'now'>
  readonly log: Logger
  /**
   * On a laptop alone: a queue or a page may be at this very machine, the queue with these
   * credentials. In Lambda that machine would be its runtime.
   */
  readonly loopback?: Credentials
  /** Instead of AWS, for CloudWatch. */
  readonly cloudwatch?: { readonly endpoint: string; readonly credentials: Credentials }
  readonly timeoutMs?: number
}

type Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string }

/** One sort of metric; it may throw, and hears when it is too late. */
export type Reader<T extends OutsideMetric['type']> = (
  metric: MetricOf<T>,
  signal: AbortSignal,
) => Promise<MetricAnswer>

export function makeMetricSources(options: MetricSourcesOptions): MetricSource {
  const sqs = makeSqsMetrics(options)
  const cloudwatch = makeCloudwatchMetrics(options)
  const http = makeHttpMetrics(options)
  const ask = (metric: OutsideMetric, signal: AbortSignal): Promise<MetricAnswer> => {
    if (metric.type === 'sqs') return sqs(metric, signal)
    return metric.type === 'cloudwatch' ? cloudwatch(metric, signal) : http(metric, signal)
  }
  const timeoutMs = options.timeoutMs ?? LIMITS.metricReadMs
  return {
    read: async (metric) => {
      const signal = AbortSignal.timeout(timeoutMs)
      try {
        return await ask(metric, signal)
      } catch (error) {
        const facts = { metric: metricLabel(metric), error: describeError(error) }
        options.log.warn('a metric could not be read', facts)
        if (signal.aborted) {
          return unread('TimedOut', `there was no answer within ${String(timeoutMs / 1000)} s`)
        }
        return unread('ReadFailed', nameOf(error))
      }
    },
  }
}

/** What sort of failure it was, and nothing that an answer said. */
function nameOf(error: unknown): string {
  const { name, cause } = error as { name?: unknown; cause?: { code?: unknown } }
  const what = typeof cause?.code === 'string' ? cause.code : name
  return `it could not be asked (${typeof what === 'string' ? what : 'Error'})`
}
