/**
 * A queue's messages to a function, as Lambda's event source mapping brings them.
 *
 * It polls, hands over at most ten messages at a time, and deletes them only when the function has
 * ended well. After an error it leaves them be: they come back when they are visible again, and
 * after too many times the queue itself sets them aside. One loop for one queue, so a FIFO group is
 * served in order and never twice at once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SQSClient,
  type Message,
} from '@aws-sdk/client-sqs'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { clientOf, REGION } from './laptop.ts'
import type { LocalQueue } from './queues.ts'

export type QueueToFunctionOptions = {
  readonly endpoint: string
  readonly queue: LocalQueue
  /** Throws to have the batch again. */
  readonly run: (event: SQSEvent) => Promise<void>
  readonly log: Logger
}

const WAIT_SECONDS = 20
const PAUSE_AFTER_ERROR_MS = 500

/** Starts the mapping; the result stops it after the batch in hand. */
export function mapQueueToFunction(options: QueueToFunctionOptions): () => Promise<void> {
  const client = new SQSClient({ ...clientOf(options.endpoint), maxAttempts: 1 })
  const abort = new AbortController()
  const running = loop(options, client, abort.signal)
  return async () => {
    abort.abort()
    await running
    client.destroy()
  }
}

async function loop(
  options: QueueToFunctionOptions,
  client: SQSClient,
  stopped: AbortSignal,
): Promise<void> {
  while (!stopped.aborted) {
    try {
      const messages = await receive(client, options.queue, stopped)
      if (messages.length > 0) await serve(options, client, messages)
    } catch (error) {
      if (stopped.aborted) return
      options.log.warn('a queue cannot be served', { error: describeError(error) })
      await sleep(PAUSE_AFTER_ERROR_MS, undefined, { signal: stopped }).catch(() => undefined)
    }
  }
}

async function receive(
  client: SQSClient,
  { url }: LocalQueue,
  stopped: AbortSignal,
): Promise<readonly Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: url,
    MaxNumberOfMessages: LIMITS.wakeBatchMax,
    WaitTimeSeconds: WAIT_SECONDS,
    MessageSystemAttributeNames: ['All'],
  })
  const timeout = AbortSignal.timeout((WAIT_SECONDS + 5) * 1000)
  const abortSignal = AbortSignal.any([stopped, timeout])
  return (await client.send(command, { abortSignal })).Messages ?? []
}

async function serve(
  { queue, run }: QueueToFunctionOptions,
  client: SQSClient,
  messages: readonly Message[],
): Promise<void> {
  try {
    await run({ Records: messages.map((message) => recordOf(message, queue)) })
  } catch {
    // Whoever ran it has logged it; the messages come back by themselves.
    return
  }
  const Entries = messages.map((message, at) => ({
    Id: String(at),
    ReceiptHandle: message.ReceiptHandle,
  }))
  await client.send(new DeleteMessageBatchCommand({ QueueUrl: queue.url, Entries }), {
    abortSignal: AbortSignal.timeout(2_000),
  })
}

/** The message in Lambda's own spelling. */
function recordOf(message: Message, queue: LocalQueue): SQSRecord {
  const attributes = message.Attributes ?? {}
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    attributes: {
      ApproximateReceiveCount: attributes.ApproximateReceiveCount ?? '1',
      SentTimestamp: attributes.SentTimestamp ?? '',
      SenderId: attributes.SenderId ?? '',
      ApproximateFirstReceiveTimestamp: attributes.ApproximateFirstReceiveTimestamp ?? '',
      ...(attributes.MessageGroupId && { MessageGroupId: attributes.MessageGroupId }),
      ...(attributes.MessageDeduplicationId && {
        MessageDeduplicationId: attributes.MessageDeduplicationId,
      }),
      ...(attributes.SequenceNumber && { SequenceNumber: attributes.SequenceNumber }),
    },
    messageAttributes: {},
    md5OfBody: message.MD5OfBody ?? '',
    eventSource: 'aws:sqs',
    eventSourceARN: queue.arn,
    awsRegion: REGION,
  }
}
