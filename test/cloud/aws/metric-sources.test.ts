/**
 * Metrics from outside: SQS against fauxqs, pages against a server of the test's own, CloudWatch's
 * wire in `test/engines/moto-metrics.test.ts` and its refusals here.
 */
import { CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { mockClient } from 'aws-sdk-client-mock'
import { startFauxqs, type FauxqsServer } from 'fauxqs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { makeMetricSources } from '#shared/cloud/aws/metric-sources.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { metricSchema, type OutsideMetric } from '#shared/model/metric.ts'

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const NOW_MS = Date.UTC(2026, 10, 22, 12, 0, 30)

const metric = (fields: object): OutsideMetric =>
  metricSchema.parse({ target: 1, ...fields }) as OutsideMetric

const here = { region: 'us-east-1', clock: makeVirtualClock(NOW_MS), log: silentLogger }
const onLaptop = (timeoutMs = 2_000) =>
  makeMetricSources({ ...here, loopback: credentials, timeoutMs })
const inLambda = makeMetricSources(here)

describe('a queue', () => {
  let fauxqs: FauxqsServer
  let client: SQSClient
  beforeAll(async () => {
    fauxqs = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false })
    client = new SQSClient({ endpoint: fauxqs.address, region: 'us-east-1', credentials })
  })
  afterAll(async () => {
    client.destroy()
    await fauxqs.stop()
  })

  test('counts what waits, what is being worked on, and what is delayed', async () => {
    const { queueName } = fauxqs.createQueue('backlog')
    const QueueUrl = `${fauxqs.address}/000000000000/${queueName}`
    for (let i = 0; i < 5; i += 1) {
      await client.send(new SendMessageCommand({ QueueUrl, MessageBody: String(i) }))
    }
    const sqs = metric({ type: 'sqs', queueUrl: QueueUrl })
    expect(await onLaptop().read(sqs)).toEqual({ ok: true, value: 5 })
    await client.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 3 }))
    expect(await onLaptop().read(sqs)).toEqual({ ok: true, value: 5 })
    const late = { QueueUrl, MessageBody: 'late', DelaySeconds: 60 }
    await client.send(new SendMessageCommand(late))
    expect(await onLaptop().read(sqs)).toEqual({ ok: true, value: 6 })
  })

  test('that is not there is told, and no signed request goes anywhere but to AWS', async () => {
    const gone = metric({ type: 'sqs', queueUrl: `${fauxqs.address}/000000000000/gone` })
    expect(await onLaptop().read(gone)).toMatchObject({
      ok: false,
      reason: { code: 'ReadFailed', text: expect.stringContaining('QueueDoesNotExist') as string },
    })
    expect(await inLambda.read(gone)).toMatchObject({ reason: { code: 'NotAnSqsQueue' } })
    for (const host of ['http://sqs.us-east-1.amazonaws.com', 'https://sqs.evil.example']) {
      const other = metric({ type: 'sqs', queueUrl: `${host}/111122223333/orders` })
      expect(await onLaptop().read(other)).toMatchObject({ reason: { code: 'NotAnSqsQueue' } })
    }
  })
})

describe('a page', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })

  async function serve(answer: RequestListener): Promise<string> {
    const server = createServer(answer)
    servers.push(server)
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  }
  const json = (value: unknown) =>
    serve((_request, response) => response.end(JSON.stringify(value)))
  const read = (url: string, path?: string) =>
    onLaptop().read(metric({ type: 'http', url, ...(path === undefined ? {} : { path }) }))

  test('is a number, or has one where the pointer points', async () => {
    expect(await read(await json(42))).toEqual({ ok: true, value: 42 })
    const url = await json({ queues: [{ 'a/b~c': '17.5' }], none: null })
    expect(await read(url, '/queues/0/a~1b~0c')).toEqual({ ok: true, value: 17.5 })
    for (const path of ['/queues', '/queues/1', '/none', '/toString', '']) {
      expect(await read(url, path), path).toMatchObject({ reason: { code: 'NotANumber' } })
    }
    expect(await read(await json(-1))).toMatchObject({ reason: { code: 'NegativeValue' } })
    // A time in nanoseconds: no table keeps what comes of it.
    expect(await read(await json(1.7e18))).toMatchObject({ reason: { code: 'TooLarge' } })
  })

  test('that says no, sends elsewhere, is no JSON, or never ends, is told', async () => {
    const status = await serve((_request, response) => response.writeHead(503).end('no'))
    expect(await read(status)).toEqual({
      ok: false,
      reason: { code: 'BadAnswer', text: 'it answers 503' },
    })
    const target = await json(1)
    const moved = await serve((_request, response) =>
      response.writeHead(302, { location: target }).end(),
    )
    expect(await read(moved)).toMatchObject({ reason: { text: 'it answers 302' } })
    const text = await serve((_request, response) => response.end('<html>'))
    expect(await read(text)).toMatchObject({ reason: { text: 'it does not answer with JSON' } })
    const large = await serve((_request, response) =>
      response.end(' '.repeat(LIMITS.metricAnswerMaxBytes) + '12'),
    )
    expect(await read(large)).toMatchObject({ reason: { code: 'AnswerTooLarge' } })
  })

  test('that does not answer in time, or is not there, keeps nobody', async () => {
    const silent = await serve(() => undefined)
    const asked = onLaptop(100).read(metric({ type: 'http', url: silent }))
    expect(await asked).toEqual({
      ok: false,
      reason: { code: 'TimedOut', text: 'there was no answer within 0.1 s' },
    })
    expect(await read('http://127.0.0.1:9')).toMatchObject({
      reason: { code: 'ReadFailed', text: 'it could not be asked (TypeError)' },
    })
  })

  test('of this machine is not asked in Lambda, and of others only by https', async () => {
    const url = await json(1)
    const refused = { reason: { code: 'AddressRefused' } }
    expect(await inLambda.read(metric({ type: 'http', url }))).toMatchObject(refused)
    for (const own of ['http://localhost:9001/', 'http://[::1]/', 'http://2130706433/']) {
      expect(await inLambda.read(metric({ type: 'http', url: own })), own).toMatchObject(refused)
    }
    const plain = metric({ type: 'http', url: 'http://example.com/' })
    expect(await onLaptop().read(plain)).toMatchObject(refused)
  })
})

describe('a metric of CloudWatch', () => {
  const cloudwatch = mockClient(CloudWatchClient)
  afterEach(() => {
    cloudwatch.reset()
  })
  const requests = metric({
    ...{ type: 'cloudwatch', namespace: 'AWS/ApplicationELB', metricName: 'RequestCount' },
    ...{ statistic: 'Sum', periodSeconds: 120, dimensions: { LoadBalancer: 'app/web/1' } },
  })

  test('is the newest whole period that has a value', async () => {
    cloudwatch.on(GetMetricDataCommand).resolves({ MetricDataResults: [{ Values: [70, 60] }] })
    expect(await inLambda.read(requests)).toEqual({ ok: true, value: 70 })
    const [call] = cloudwatch.commandCalls(GetMetricDataCommand)
    expect(call?.args[0].input).toMatchObject({
      StartTime: new Date('2026-11-22T11:50:00Z'),
      EndTime: new Date('2026-11-22T12:00:00Z'),
      MetricDataQueries: [
        {
          MetricStat: {
            Metric: { Dimensions: [{ Name: 'LoadBalancer', Value: 'app/web/1' }] },
            Period: 120,
            Stat: 'Sum',
          },
        },
      ],
    })
  })

  test('without a value is no zero, and a refusal is told by its name', async () => {
    cloudwatch.on(GetMetricDataCommand).resolves({ MetricDataResults: [{ Values: [] }] })
    expect(await inLambda.read(requests)).toEqual({
      ok: false,
      reason: { code: 'NoData', text: 'it has no value in the last 5 periods of 120 s' },
    })
    const denied = Object.assign(new Error('not you'), { name: 'AccessDenied' })
    cloudwatch.on(GetMetricDataCommand).rejects(denied)
    expect(await inLambda.read(requests)).toEqual({
      ok: false,
      reason: { code: 'ReadFailed', text: 'it could not be asked (AccessDenied)' },
    })
  })
})
