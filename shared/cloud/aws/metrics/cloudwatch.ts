/**
 * A metric of CloudWatch: the newest period that has a value.
 *
 * The period under way is not over, and CloudWatch itself is often a period or two behind, so the
 * last whole ones are looked at. None of them with a value is no zero: it cannot be told.
 */
import { CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { LIMITS } from '../../../model/limits.ts'
import { asAmount, unread } from '../../metric-source.ts'
import type { MetricSourcesOptions, Reader } from './reader.ts'

export function makeCloudwatchMetrics(options: MetricSourcesOptions): Reader<'cloudwatch'> {
  const { region, clock, cloudwatch } = options
  const client = new CloudWatchClient({ region, maxAttempts: 2, ...cloudwatch })
  return async (metric, abortSignal) => {
    const { namespace, metricName, dimensions, statistic, periodSeconds } = metric
    const periodMs = periodSeconds * 1000
    const endMs = Math.floor(clock.now() / periodMs) * periodMs
    const command = new GetMetricDataCommand({
      StartTime: new Date(endMs - LIMITS.metricPeriodsLooked * periodMs),
      EndTime: new Date(endMs),
      ScanBy: 'TimestampDescending',
      MetricDataQueries: [
        {
          Id: 'm',
          MetricStat: {
            Metric: {
              Namespace: namespace,
              MetricName: metricName,
              Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
            },
            Period: periodSeconds,
            Stat: statistic,
          },
        },
      ],
    })
    const { MetricDataResults: results } = await client.send(command, { abortSignal })
    const newest = results?.[0]?.Values?.[0]
    if (newest === undefined) {
      const looked = `${String(LIMITS.metricPeriodsLooked)} periods`
      return unread('NoData', `it has no value in the last ${looked} of ${String(periodSeconds)} s`)
    }
    return asAmount(newest, 'its value')
  }
}
