/**
 * Feeds the table's stream to a function on a laptop, as Lambda's event source mapping does on AWS.
 *
 * Batches are handed over in order, one at a time. A batch that keeps failing is retried with
 * back-off, then reported and left behind, so that one poison record cannot stop the herd. The
 * engine may be killed and come back at any moment: the poller then finds its place again by the
 * last record that was consumed. A record may be handed over twice, as on AWS, but none is passed
 * over.
 */
import { setTimeout as sleepMs } from 'node:timers/promises'
import type { DynamoDBRecord } from 'aws-lambda'
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
  type ShardIteratorType,
} from '@aws-sdk/client-dynamodb-streams'
import { describeError } from '#shared/base/errors.ts'
import { silentLogger, type Logger } from '#shared/base/log.ts'
import { EngineError, engineClientConfig } from './dynoxide.ts'
import { lambdaRecordsOf } from './lambda-records.ts'

const POLL_MS = 100
const BATCH_MAX_RECORDS = 100
const ATTEMPTS = 5
const BACK_OFF_MS = 100
const BACK_OFF_MAX_MS = 2_000
const REQUEST_MS = 3_000
const START_ATTEMPTS = 10

export type DeadBatch = { readonly records: readonly DynamoDBRecord[]; readonly error: unknown }

export type StreamPollerOptions = {
  readonly client: DynamoDBStreamsClient
  readonly tableName: string
  /** Where to begin: with what comes, or with all that the stream still has. */
  readonly from: 'LATEST' | 'TRIM_HORIZON'
  /** One batch, never empty; when it throws, the same batch comes again. */
  readonly consume: (records: readonly DynamoDBRecord[]) => Promise<void>
  /** Told of a batch given up after its last attempt. */
  readonly deadLetter: (batch: DeadBatch) => void | Promise<void>
  readonly log?: Logger
  readonly pollMs?: number
  readonly attempts?: number
  /** How often the stream is looked for before the start counts as failed. */
  readonly startAttempts?: number
}
export type StreamPoller = {
  /** Ends after the batch in hand; resolves when nothing runs any more. */
  stop(): Promise<void>
}

/** A client for an engine's stream; the poller does the retrying. */
export function makeStreamsClient(endpoint: string): DynamoDBStreamsClient {
  return new DynamoDBStreamsClient({
    ...engineClientConfig(endpoint),
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      throwOnRequestTimeout: true,
    },
  })
}

/** Where the poller stands in the stream. */
type Position = {
  readonly streamArn: string
  readonly iterator: string
  /** Of the last record consumed since the start. */
  readonly sequence?: string
}

type Run = Required<Omit<StreamPollerOptions, 'from'>> & {
  readonly from: ShardIteratorType
  readonly stopped: AbortSignal
}

/** Resolves once the place in the stream is taken: every write after that is seen. */
export async function startStreamPoller(options: StreamPollerOptions): Promise<StreamPoller> {
  const abort = new AbortController()
  const run: Run = {
    log: silentLogger,
    pollMs: POLL_MS,
    attempts: ATTEMPTS,
    startAttempts: START_ATTEMPTS,
    ...options,
    stopped: abort.signal,
  }
  const position = await firstPosition(run)
  const ended = follow(run, position)
  return {
    stop: async () => {
      abort.abort()
      await ended
    },
  }
}

async function firstPosition(run: Run): Promise<Position> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await locate(run, undefined)
    } catch (cause) {
      if (attempt >= run.startAttempts) {
        throw new EngineError('the stream cannot be read', run.tableName, cause)
      }
      await pause(run, backOffMs(attempt))
    }
  }
}

async function follow(run: Run, start: Position): Promise<void> {
  let position = start
  let failures = 0
  while (!run.stopped.aborted) {
    try {
      // After a failure it may be another engine that answers: look where the stream is now.
      if (failures > 0) position = await locate(run, position)
      const { next, count } = await pollOnce(run, position)
      if (failures > 0) run.log.info('the stream is back', { table: run.tableName, failures })
      failures = 0
      position = next
      if (count === 0) await pause(run, run.pollMs)
    } catch (error) {
      if (run.stopped.aborted) return
      failures += 1
      if (failures === 1) {
        run.log.warn('the stream cannot be read', { error: describeError(error) })
      }
      await pause(run, backOffMs(failures))
    }
  }
}

/**
 * Reads one batch and hands it over; the new position, or the old one when it was stopped midway.
 */
async function pollOnce(run: Run, position: Position): Promise<{ next: Position; count: number }> {
  const answer = await run.client.send(
    new GetRecordsCommand({ ShardIterator: position.iterator, Limit: BATCH_MAX_RECORDS }),
    { abortSignal: run.stopped },
  )
  const raw = answer.Records ?? []
  const records = lambdaRecordsOf(raw, position.streamArn)
  if (records.length > 0 && !(await deliver(run, records))) return { next: position, count: 0 }
  const sequence = raw.at(-1)?.dynamodb?.SequenceNumber ?? position.sequence
  const iterator = answer.NextShardIterator
  if (iterator === undefined) throw new EngineError('the shard was closed', position.streamArn)
  const next = { ...position, iterator, ...(sequence !== undefined && { sequence }) }
  return { next, count: raw.length }
}

/** True when the batch is done with, consumed or given up; false when the poller was stopped. */
async function deliver(run: Run, records: readonly DynamoDBRecord[]): Promise<boolean> {
  for (let attempt = 1; !run.stopped.aborted; attempt += 1) {
    try {
      await run.consume(records)
      return true
    } catch (error) {
      run.log.warn('a batch of the stream failed', { attempt, error: describeError(error) })
      if (attempt >= run.attempts) {
        await giveUp(run, { records, error })
        return true
      }
      await pause(run, backOffMs(attempt))
    }
  }
  return false
}

async function giveUp(run: Run, batch: DeadBatch): Promise<void> {
  try {
    await run.deadLetter(batch)
  } catch (error) {
    run.log.error('a dead batch could not be reported', { error: describeError(error) })
  }
}

/** The table's stream, at the place after `before`, or where the poller was asked to begin. */
async function locate(run: Run, before: Position | undefined): Promise<Position> {
  const { Streams = [] } = await run.client.send(
    new ListStreamsCommand({ TableName: run.tableName }),
    { abortSignal: run.stopped },
  )
  const streamArn = Streams.at(-1)?.StreamArn
  if (streamArn === undefined) throw new EngineError('the table has no stream', run.tableName)
  // Nothing consumed yet and still the same stream: the iterator in hand is the place.
  const isSame = before?.streamArn === streamArn
  if (isSame && before.sequence === undefined) return before
  const { StreamDescription } = await run.client.send(
    new DescribeStreamCommand({ StreamArn: streamArn }),
    { abortSignal: run.stopped },
  )
  const answer = await run.client.send(
    new GetShardIteratorCommand({
      StreamArn: streamArn,
      ShardId: StreamDescription?.Shards?.at(-1)?.ShardId,
      ...(isSame
        ? { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: before.sequence }
        : // A new stream under a running poller is a new table: all of it is unseen.
          { ShardIteratorType: before === undefined ? run.from : 'TRIM_HORIZON' }),
    }),
    { abortSignal: run.stopped },
  )
  const iterator = answer.ShardIterator
  if (iterator === undefined) throw new EngineError('the stream gave no place', streamArn)
  return { ...(isSame && before), streamArn, iterator }
}

const backOffMs = (failures: number): number =>
  Math.min(BACK_OFF_MS * 2 ** (failures - 1), BACK_OFF_MAX_MS)

/** Sleeps, or returns at once when the poller is stopped. */
async function pause(run: Run, ms: number): Promise<void> {
  await sleepMs(ms, undefined, { signal: run.stopped }).catch(() => undefined)
}
