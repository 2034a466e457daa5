/**
 * Metrics from where they are: SQS, CloudWatch, and any address that answers with JSON.
 *
 * Each read is cut short by one deadline, and whatever goes wrong is an answer. What a queue or a
 * page says is not repeated to people, for whoever may read a workload may not read that.
 */
import { describeError } from '../../base/errors.ts'
import { LIMITS } from '../../model/limits.ts'
import { metricLabel, type OutsideMetric } from '../../model/metric.ts'
import { unread, type MetricAnswer, type MetricSource } from '../metric-source.ts'
import { makeCloudwatchMetrics } from './metrics/cloudwatch.ts'
import { makeHttpMetrics } from './metrics/http.ts'
import type { MetricSourcesOptions } from './metrics/reader.ts'
import { makeSqsMetrics } from './metrics/sqs.ts'

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
