/**
 * Wakes over SQS.
 *
 * The deduplication id is the bucket of the moment an attempt is made, so a retry is a wake of its
 * own time and cannot be swallowed by a bucket that has long been delivered. That is why the SDK's
 * own retries, which would repeat the old id, are off, and why an attempt is cut short: it must end
 * well before its bucket's wake is handed out.
 */
import { SendMessageCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs'
import { LIMITS } from '../../model/limits.ts'
import type { Clock } from '../clock.ts'
import type { Queue, WakeBody } from '../queue.ts'
import { QueueError } from '../queue-error.ts'
import { delayedWakeSeconds, wakeBucket } from '../wake-timing.ts'

export type SqsQueueOptions = {
  /** The FIFO queue that reconcile consumes. */
  wakeQueueUrl: string
  /** The standard queue that `wake` consumes. */
  delayQueueUrl: string
  /** Group id of every wake: one group, one pass at a time. */
  cluster: string
  clock: Clock
  /** Region, endpoint and credentials; from the environment where left out. */
  client?: SQSClientConfig
}

export function makeSqsQueue(options: SqsQueueOptions): Queue {
  const { wakeQueueUrl, delayQueueUrl, cluster, clock } = options
  const sqs = new SQSClient({ ...options.client, maxAttempts: 1 })
  const body = (reason: string, sentAtMs: number): string =>
    JSON.stringify({ reason, sentAtMs } satisfies WakeBody)

  const wakeNow = (reason: string): SendMessageCommand => {
    const nowMs = clock.now()
    return new SendMessageCommand({
      QueueUrl: wakeQueueUrl,
      MessageGroupId: cluster,
      MessageDeduplicationId: wakeBucket(nowMs),
      MessageBody: body(reason, nowMs),
    })
  }
  const wakeThen = (reason: string, delayMs: number): SendMessageCommand =>
    new SendMessageCommand({
      QueueUrl: delayQueueUrl,
      DelaySeconds: delayedWakeSeconds(delayMs),
      MessageBody: body(reason, clock.now()),
    })

  return {
    wake: (reason) => sendWith({ sqs, clock, what: `wake (${reason})` }, () => wakeNow(reason)),
    wakeLater: (reason, delayMs) =>
      sendWith({ sqs, clock, what: `later wake (${reason})` }, () => wakeThen(reason, delayMs)),
  }
}

/**
 * Sends what `makeCommand` makes of each attempt's own moment; throws QueueError after the last.
 */
async function sendWith(
  { sqs, clock, what }: { sqs: SQSClient; clock: Clock; what: string },
  makeCommand: () => SendMessageCommand,
): Promise<void> {
  let cause: unknown
  for (let attempt = 1; attempt <= LIMITS.wakeSendAttempts; attempt += 1) {
    try {
      await sqs.send(makeCommand(), { abortSignal: AbortSignal.timeout(LIMITS.wakeSendTimeoutMs) })
      return
    } catch (error) {
      cause = error
    }
    if (attempt < LIMITS.wakeSendAttempts) await clock.sleep(LIMITS.wakeRetryPauseMs * attempt)
  }
  throw new QueueError({
    text: `a ${what} was not sent in ${String(LIMITS.wakeSendAttempts)} attempts`,
    next: 'nothing is lost: the next tick wakes reconcile; look at the cause if it lasts',
    cause,
  })
}
