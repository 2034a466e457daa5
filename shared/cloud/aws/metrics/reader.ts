/** What every reader of metrics is given, and what it is. */
import type { Logger } from '../../../base/log.ts'
import type { MetricOf, OutsideMetric } from '../../../model/metric.ts'
import type { Clock } from '../../clock.ts'
import type { MetricAnswer } from '../../metric-source.ts'

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
