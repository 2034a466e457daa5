import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { startFauxqs, type FauxqsServer } from 'fauxqs'
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeSqsQueue } from '#shared/cloud/aws/sqs-queue.ts'
import { QueueError } from '#shared/cloud/queue-error.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { describeQueue } from '../conformance/queue.ts'

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const START_MS = 1_000_000

let fauxqs: FauxqsServer
let count = 0
const clients: SQSClient[] = []

beforeAll(async () => {
  fauxqs = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false })
})
afterAll(async () => {
  for (const client of clients) client.destroy()
  await fauxqs.stop()
})

/** A fresh pair of queues as the stack makes them, with a dead-letter queue each. */
function makeQueues(): Record<'fifo' | 'delayed' | 'fifoDead', string> {
  count += 1
  const name = `q${String(count)}`
  const dead = fauxqs.createQueue(`${name}-dead.fifo`, { attributes: { FifoQueue: 'true' } })
  const fifo = fauxqs.createQueue(`${name}.fifo`, {
    attributes: {
      FifoQueue: 'true',
      ContentBasedDeduplication: 'true',
      DelaySeconds: String(LIMITS.wakeDelayMs / 1000),
      VisibilityTimeout: String(LIMITS.reconcileVisibilityMs / 1000),
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: dead.queueArn,
        maxReceiveCount: LIMITS.wakeMaxReceives,
      }),
    },
  })
  const delayed = fauxqs.createQueue(name)
  const urlOf = (queueName: string): string => `${fauxqs.address}/000000000000/${queueName}`
  return {
    fifo: urlOf(fifo.queueName),
    delayed: urlOf(delayed.queueName),
    fifoDead: urlOf(dead.queueName),
  }
}

describeQueue('SQS', () => {
  const urls = makeQueues()
  const config = { endpoint: fauxqs.address, region: 'us-east-1', credentials }
  const consumer = new SQSClient(config)
  clients.push(consumer)
  // Buckets are stamped by a clock that the test holds; the emulator's delays take real time.
  const clock = makeVirtualClock(START_MS)
  const receive = async (
    which: keyof typeof urls,
  ): Promise<{ body: string; receipt: string }[]> => {
    const answer = await consumer.send(
      new ReceiveMessageCommand({ QueueUrl: urls[which], MaxNumberOfMessages: 10 }),
    )
    return (answer.Messages ?? []).map(({ Body = '', ReceiptHandle = '' }) => ({
      body: Body,
      receipt: ReceiptHandle,
    }))
  }
  return Promise.resolve({
    queue: makeSqsQueue({
      wakeQueueUrl: urls.fifo,
      delayQueueUrl: urls.delayed,
      cluster: 'test',
      clock,
      client: config,
    }),
    nowMs: () => clock.now(),
    pass: async (ms) => {
      await clock.advance(ms)
      // The emulator counts from its own clock's whole milliseconds.
      await sleep(ms + 20)
    },
    receive,
    remove: async (which, ReceiptHandle) => {
      await consumer.send(new DeleteMessageCommand({ QueueUrl: urls[which], ReceiptHandle }))
    },
    giveBack: async (which, ReceiptHandle) => {
      await consumer.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: urls[which],
          ReceiptHandle,
          VisibilityTimeout: 0,
        }),
      )
    },
    deadLetters: async () => (await receive('fifoDead')).map(({ body }) => body),
  })
})

describe('the SQS queue when SQS does not answer', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })

  type Sent = {
    MessageBody: string
    MessageDeduplicationId?: string
    MessageGroupId?: string
    DelaySeconds?: number
  }

  async function serve(
    answer: (facts: { attempt: number; response: ServerResponse; sent: Sent }) => void,
  ): Promise<{ endpoint: string; sent: Sent[] }> {
    const sent: Sent[] = []
    const server = createServer((request: IncomingMessage, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Sent
        sent.push(body)
        answer({ attempt: sent.length, response, sent: body })
      })
    })
    servers.push(server)
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const { port } = server.address() as AddressInfo
    return { endpoint: `http://127.0.0.1:${String(port)}`, sent }
  }

  const queueAt = (endpoint: string, clock = makeVirtualClock(START_MS, { jumping: true })) =>
    makeSqsQueue({
      wakeQueueUrl: `${endpoint}/0/wakes.fifo`,
      delayQueueUrl: `${endpoint}/0/delayed`,
      cluster: 'herd',
      clock,
      client: { endpoint, region: 'us-east-1', credentials },
    })

  const fail = ({ response }: { response: ServerResponse }): void => {
    response.writeHead(503, { 'content-type': 'application/x-amz-json-1.0' })
    response.end('{"__type":"ServiceUnavailable"}')
  }
  const succeed = ({ response, sent }: { response: ServerResponse; sent: Sent }): void => {
    // The SDK compares the checksum, as a proof that the body arrived.
    const MD5OfMessageBody = createHash('md5').update(sent.MessageBody).digest('hex')
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(JSON.stringify({ MessageId: 'm', MD5OfMessageBody }))
  }

  test('tries again, each attempt stamped with its own time', async () => {
    const { endpoint, sent } = await serve((facts) =>
      facts.attempt < 4 ? fail(facts) : succeed(facts),
    )
    await queueAt(endpoint).wake('now')
    // Pauses of 100, 200 and 300 ms from 1,000,000 ms on: the last falls into the next bucket.
    expect(sent.map(({ MessageDeduplicationId }) => MessageDeduplicationId)).toEqual([
      '2500',
      '2500',
      '2500',
      '2501',
    ])
    expect(sent.map(({ MessageGroupId }) => MessageGroupId)).toEqual(Array(4).fill('herd'))
  })

  test('gives up after its attempts and says what to do', async () => {
    const { endpoint, sent } = await serve(fail)
    const failure = await queueAt(endpoint)
      .wake('now')
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(QueueError)
    expect((failure as QueueError).next).toContain('next tick')
    expect(sent).toHaveLength(LIMITS.wakeSendAttempts)
  })

  test('cuts an attempt short that gets no answer', async () => {
    const { endpoint, sent } = await serve((facts) => {
      if (facts.attempt > 1) succeed(facts)
    })
    const startedAt = performance.now()
    await queueAt(endpoint).wake('now')
    const tookMs = performance.now() - startedAt
    expect(sent).toHaveLength(2)
    expect(tookMs).toBeGreaterThanOrEqual(LIMITS.wakeSendTimeoutMs - 20)
    expect(tookMs).toBeLessThan(2 * LIMITS.wakeSendTimeoutMs + 500)
  })

  test('rounds a later wake up to whole seconds, and to what SQS allows', async () => {
    const { endpoint, sent } = await serve(succeed)
    const queue = queueAt(endpoint)
    await queue.wakeLater('soon', 1_001)
    await queue.wakeLater('past', -1)
    await queue.wakeLater('far', 86_400_000)
    expect(sent.map(({ DelaySeconds }) => DelaySeconds)).toEqual([2, 0, 900])
  })
})
