/**
 * Queues as the stack makes them, in any service that speaks SQS, and both ends of them: drover's
 * adapter to send, a plain client to receive.
 *
 * The buckets of wakes are stamped by a clock that the test holds, and the service's delays take
 * real time, so `pass` moves both.
 */
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  type QueueAttributeName,
  type SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeSqsQueue } from '#shared/cloud/aws/sqs-queue.ts'
import type { Clock } from '#shared/cloud/clock.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { QueueHarness, Received } from '../conformance/queue.ts'

const START_MS = 1_000_000
/** The service counts from its own clock's whole milliseconds. */
const ROUNDING_MS = 20

type Which = 'fifo' | 'delayed' | 'dead'
type Attributes = Partial<Record<QueueAttributeName, string>>

let count = 0

/** The consumer is a client of the same service as `config` names; its owner destroys it. */
export async function openSqsQueue(
  config: SQSClientConfig,
  consumer: SQSClient,
): Promise<QueueHarness> {
  const urls = await makeQueues(consumer)
  const held = makeVirtualClock(START_MS)
  // A send that a busy machine cuts short is tried again after a real pause.
  const clock: Clock = { now: () => held.now(), sleep: (ms) => sleep(ms) }
  const receive = async (which: Which): Promise<Received[]> => {
    const answer = await consumer.send(
      new ReceiveMessageCommand({ QueueUrl: urls[which], MaxNumberOfMessages: 10 }),
    )
    return (answer.Messages ?? []).map(({ Body = '', ReceiptHandle = '' }) => ({
      body: Body,
      receipt: ReceiptHandle,
    }))
  }
  return {
    queue: makeSqsQueue({
      wakeQueueUrl: urls.fifo,
      delayQueueUrl: urls.delayed,
      cluster: 'test',
      clock,
      client: config,
    }),
    nowMs: () => clock.now(),
    pass: async (ms) => {
      const untilMs = Date.now() + ms + ROUNDING_MS
      await held.advance(ms)
      // A timer set late in a busy turn of the loop counts from the turn's start, and ends early.
      while (Date.now() < untilMs) await sleep(untilMs - Date.now())
    },
    receive,
    remove: async (which, ReceiptHandle) => {
      await consumer.send(new DeleteMessageCommand({ QueueUrl: urls[which], ReceiptHandle }))
    },
    giveBack: async (which, ReceiptHandle) => {
      const QueueUrl = urls[which]
      await consumer.send(
        new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }),
      )
    },
    deadLetters: async () => (await receive('dead')).map(({ body }) => body),
  }
}

/** A fresh pair of queues, the first with a dead-letter queue; their URLs. */
async function makeQueues(client: SQSClient): Promise<Record<Which, string>> {
  count += 1
  const name = `q${String(count)}`
  const make = async (QueueName: string, Attributes: Attributes = {}): Promise<string> => {
    const { QueueUrl = '' } = await client.send(new CreateQueueCommand({ QueueName, Attributes }))
    return QueueUrl
  }
  const dead = await make(`${name}-dead.fifo`, { FifoQueue: 'true' })
  const { Attributes: ofDead } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: dead, AttributeNames: ['QueueArn'] }),
  )
  const fifo = await make(`${name}.fifo`, {
    FifoQueue: 'true',
    ContentBasedDeduplication: 'true',
    DelaySeconds: String(LIMITS.wakeDelayMs / 1000),
    VisibilityTimeout: String(LIMITS.reconcileVisibilityMs / 1000),
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: ofDead?.QueueArn,
      maxReceiveCount: LIMITS.wakeMaxReceives,
    }),
  })
  return { fifo, delayed: await make(name), dead }
}
