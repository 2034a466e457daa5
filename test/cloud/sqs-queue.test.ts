import { SQSClient } from '@aws-sdk/client-sqs'
import { startFauxqs, type FauxqsServer } from 'fauxqs'
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeSqsQueue } from '#shared/cloud/aws/sqs-queue.ts'
import { QueueError } from '#shared/cloud/queue-error.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { describeQueue } from '../conformance/queue.ts'
import { openSqsQueue } from './sqs-kit.ts'

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const START_MS = 1_000_000

let fauxqs: FauxqsServer
let consumer: SQSClient | undefined

beforeAll(async () => {
  fauxqs = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false })
})
afterAll(async () => {
  consumer?.destroy()
  await fauxqs.stop()
})

describeQueue('SQS', () => {
  const config = { endpoint: fauxqs.address, region: 'us-east-1', credentials }
  consumer ??= new SQSClient(config)
  return openSqsQueue(config, consumer)
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
