/**
 * The memory store's changes as a stream for functions, where there is no engine to poll.
 *
 * Batches come in order, one at a time, and a batch that keeps failing is set aside: as with the
 * engine's stream, only without a wire.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AttributeValue, DynamoDBRecord } from 'aws-lambda'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { fieldsToWire } from '#shared/store/aws/attribute-values.ts'
import type { MemoryStore } from '#shared/store/memory-store.ts'
import type { Change, Item } from '#shared/store/store.ts'
import type { DeadBatch } from './stream-poller.ts'

const BATCH_MAX_RECORDS = 100
const ATTEMPTS = 5
const PAUSE_MS = 100

export type FollowOptions = {
  readonly consume: (records: readonly DynamoDBRecord[]) => Promise<void>
  readonly deadLetter: (batch: DeadBatch) => void
  readonly log: Logger
}

/** Hands every change from now on over; the result ends that after the batch in hand. */
export function followMemory(
  store: Pick<MemoryStore, 'changes'>,
  options: FollowOptions,
): () => Promise<void> {
  const waiting: DynamoDBRecord[] = []
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let isRunning = false
  const drain = async (): Promise<void> => {
    while (waiting.length > 0 && !stopped) {
      await deliver(options, waiting.splice(0, BATCH_MAX_RECORDS))
    }
    isRunning = false
  }
  const end = store.changes((change) => {
    waiting.push(recordOf(change))
    if (isRunning) return
    isRunning = true
    running = Promise.resolve().then(drain)
  })
  return async () => {
    end()
    stopped = true
    await running
  }
}

async function deliver(
  { consume, deadLetter, log }: FollowOptions,
  records: readonly DynamoDBRecord[],
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await consume(records)
      return
    } catch (error) {
      log.warn('a batch of the stream failed', { attempt, error: describeError(error) })
      if (attempt >= ATTEMPTS) {
        deadLetter({ records, error })
        return
      }
      await sleep(PAUSE_MS * attempt)
    }
  }
}

function recordOf({ key, before, after, expired }: Change): DynamoDBRecord {
  const eventName = after === undefined ? 'REMOVE' : before === undefined ? 'INSERT' : 'MODIFY'
  return {
    eventSource: 'aws:dynamodb',
    eventName,
    ...(expired && { userIdentity: { type: 'Service', principalId: 'dynamodb.amazonaws.com' } }),
    dynamodb: {
      Keys: imageOf(key),
      ...(before && { OldImage: imageOf(before) }),
      ...(after && { NewImage: imageOf(after) }),
    },
  }
}

function imageOf(item: Item): Record<string, AttributeValue> {
  return fieldsToWire(item) as Record<string, AttributeValue>
}
