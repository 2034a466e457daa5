/** Messages to a function, with SQS's own rules, against the queue that local mode really uses. */
import type { SQSEvent } from 'aws-lambda'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { mapQueueToFunction } from '#local/queue-to-function.ts'
import { startLocalQueues, type LocalQueues } from '#local/queues.ts'
import { clientOf } from '#local/laptop.ts'
import { silentLogger } from '#shared/base/log.ts'
import { makeSqsQueue } from '#shared/cloud/aws/sqs-queue.ts'
import { makeRetrySoon } from '#shared/cloud/aws/sqs-visibility.ts'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import type { Queue } from '#shared/cloud/queue.ts'

let queues: LocalQueues
let queue: Queue
let stops: (() => Promise<void>)[] = []

beforeEach(async () => {
  queues = await startLocalQueues()
  queue = makeSqsQueue({
    wakeQueueUrl: queues.wakes.url,
    delayQueueUrl: queues.delayed.url,
    cluster: 'test',
    clock: makeSystemClock(),
    client: clientOf(queues.endpoint),
  })
})
afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()))
  stops = []
  await queues.stop()
})

function map(which: 'wakes' | 'delayed', run: (event: SQSEvent) => Promise<void>): void {
  const { endpoint } = queues
  stops.push(mapQueueToFunction({ endpoint, queue: queues[which], run, log: silentLogger }))
}

async function until(look: () => boolean, withinMs = 8_000): Promise<void> {
  for (let waited = 0; waited < withinMs && !look(); waited += 20) await sleep(20)
  expect(look()).toBe(true)
}

it("hands a message over in Lambda's shape, after the queue's delay, once", async () => {
  const events: SQSEvent[] = []
  map('wakes', (event) => {
    events.push(event)
    return Promise.resolve()
  })
  const sentMs = Date.now()
  await queue.wake('test')
  await until(() => events.length > 0)
  expect(Date.now() - sentMs).toBeGreaterThanOrEqual(990)
  const [record] = events[0]?.Records ?? []
  expect(record).toMatchObject({
    eventSource: 'aws:sqs',
    eventSourceARN: queues.wakes.arn,
    awsRegion: 'us-east-1',
    attributes: { MessageGroupId: 'test', ApproximateReceiveCount: '1' },
  })
  expect(JSON.parse(record?.body ?? '')).toMatchObject({ reason: 'test' })
  expect(Math.abs(Number(record?.attributes.SentTimestamp) - sentMs)).toBeLessThan(500)
  await sleep(100)
  expect(events).toHaveLength(1)
})

it('runs one batch of a group at a time', async () => {
  let atOnce = 0
  let most = 0
  let done = 0
  map('wakes', async () => {
    atOnce += 1
    most = Math.max(most, atOnce)
    await sleep(50)
    atOnce -= 1
    done += 1
  })
  for (const body of ['a', 'b', 'c']) queues.sendTick(body, 'test')
  await until(() => done === 3)
  expect(most).toBe(1)
})

it('swallows the same tick twice', async () => {
  const bodies: string[] = []
  map('wakes', (event) => {
    bodies.push(...event.Records.map(({ body }) => body))
    return Promise.resolve()
  })
  for (const body of ['same', 'same', 'other']) queues.sendTick(body, 'test')
  await until(() => bodies.length === 2)
  expect(bodies).toEqual(['same', 'other'])
})

it('brings a failed message back in two seconds when the function asks for that', async () => {
  const atMs: number[] = []
  const client = clientOf(queues.endpoint)
  const retrySoon = makeRetrySoon({ queueUrl: queues.wakes.url, log: silentLogger, client })
  map('wakes', async (event) => {
    atMs.push(performance.now())
    if (atMs.length > 1) return
    await retrySoon(event)
    throw new Error('a poisoned pass')
  })
  await queue.wake('test')
  await until(() => atMs.length === 2)
  const waitedMs = (atMs[1] ?? 0) - (atMs[0] ?? 0)
  expect(waitedMs).toBeGreaterThan(1_800)
  expect(waitedMs).toBeLessThan(4_000)
})

it('sets a message aside that failed too often', async () => {
  let calls = 0
  const { endpoint, delayed } = queues
  const { ChangeMessageVisibilityCommand, SQSClient } = await import('@aws-sdk/client-sqs')
  const client = new SQSClient(clientOf(endpoint))
  map('delayed', async ({ Records: records }) => {
    calls += 1
    const ReceiptHandle = records[0]?.receiptHandle
    const VisibilityTimeout = 0
    await client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: delayed.url,
        ReceiptHandle,
        VisibilityTimeout,
      }),
    )
    throw new Error('never')
  })
  await queue.wakeLater('test', 0)
  await until(() => queues.deadLetters() === 1)
  expect(calls).toBe(5)
  client.destroy()
})

it('stops although it is waiting', async () => {
  map('wakes', () => Promise.resolve())
  await sleep(50)
  const startMs = performance.now()
  await stops.pop()?.()
  expect(performance.now() - startMs).toBeLessThan(1_000)
})
