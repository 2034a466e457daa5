/**
 * Brings a failed batch back soon.
 *
 * The wake queue hides a message for longer than a pass may run. When a pass has failed there is
 * nothing left to wait for, so its messages are made visible again after two seconds; if that fails
 * too, they come back when their time is up.
 */
import {
  ChangeMessageVisibilityCommand,
  SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs'
import type { SQSEvent } from 'aws-lambda'
import { describeError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { LIMITS } from '../../model/limits.ts'

export type RetrySoonOptions = { queueUrl: string; log: Logger; client?: SQSClientConfig }

const TIMEOUT_MS = 2_000

/** Never throws: what brought the batch down is the error that matters. */
export function makeRetrySoon(options: RetrySoonOptions): (event: SQSEvent) => Promise<void> {
  const { queueUrl, log } = options
  const sqs = new SQSClient({ ...options.client, maxAttempts: 2 })
  return async ({ Records: records }) => {
    const changes = records.map((record) =>
      sqs.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: queueUrl,
          ReceiptHandle: record.receiptHandle,
          VisibilityTimeout: LIMITS.reconcileErrorVisibilityMs / 1000,
        }),
        { abortSignal: AbortSignal.timeout(TIMEOUT_MS) },
      ),
    )
    for (const result of await Promise.allSettled(changes)) {
      if (result.status === 'rejected') {
        log.warn('a failed wake stays hidden', { error: describeError(result.reason) })
      }
    }
  }
}
