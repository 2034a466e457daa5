import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { expect, test } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { makeMetricSources } from '#shared/cloud/aws/metric-sources.ts'
import { metricSchema, type OutsideMetric } from '#shared/model/metric.ts'
import { CREDENTIALS, describeOn, REGION } from './on-engine.ts'

describeOn('moto', (endpoint) => {
  test('CloudWatch tells the newest period of a metric, with its dimensions', async () => {
    const cloudwatch = { endpoint, credentials: CREDENTIALS }
    const client = new CloudWatchClient({ region: REGION, ...cloudwatch })
    const nowMs = Date.now()
    const put = (value: number, minutesAgo: number, queue: string) =>
      client.send(
        new PutMetricDataCommand({
          Namespace: 'acme',
          MetricData: [
            {
              MetricName: 'Depth',
              Value: value,
              Timestamp: new Date(nowMs - minutesAgo * 60_000),
              Dimensions: [{ Name: 'Queue', Value: queue }],
            },
          ],
        }),
      )
    await put(30, 4, 'orders')
    await put(12, 2, 'orders')
    await put(5, 2, 'orders')
    await put(99, 2, 'mail')
    const source = makeMetricSources({
      ...{ region: REGION, clock: { now: () => nowMs }, log: silentLogger, cloudwatch },
    })
    const read = (queue: string, statistic: string) =>
      source.read(
        metricSchema.parse({
          ...{ type: 'cloudwatch', namespace: 'acme', metricName: 'Depth', statistic, target: 1 },
          dimensions: { Queue: queue },
        }) as OutsideMetric,
      )
    expect(await read('orders', 'Sum')).toEqual({ ok: true, value: 17 })
    expect(await read('orders', 'Maximum')).toEqual({ ok: true, value: 12 })
    expect(await read('nobody', 'Sum')).toMatchObject({ ok: false, reason: { code: 'NoData' } })
    client.destroy()
  })
})
