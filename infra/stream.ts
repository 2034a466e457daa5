/**
 * One consumer of the table's stream, of the two that AWS allows.
 *
 * A record that cannot be handled must not hold up the rest: batches are halved, attempts and age
 * are bounded, and what remains is a pointer in the dead-letter queue. Filters run before anything
 * is invoked or paid for, so beats and reconcile's own writes cost nothing here.
 */
import { Duration } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources'
import type * as sqs from 'aws-cdk-lib/aws-sqs'
import { allow, type DroverFunction } from './drover-function.ts'

const BATCH_MAX_RECORDS = 100
/** With halving, enough to corner one bad record in a full batch. */
const RETRIES = 5
/** The tick has long done what an older change asked for. */
const MAX_AGE_MS = 600_000

export function consumeStream(
  target: DroverFunction,
  options: { streamArn: string; filters: readonly unknown[]; deadLetters: sqs.Queue },
): void {
  target.role.addToPolicy(
    allow(
      [
        'dynamodb:DescribeStream',
        'dynamodb:GetRecords',
        'dynamodb:GetShardIterator',
        'dynamodb:ListStreams',
      ],
      [options.streamArn],
    ),
  )
  target.lambda.addEventSourceMapping('Stream', {
    eventSourceArn: options.streamArn,
    startingPosition: lambda.StartingPosition.TRIM_HORIZON,
    batchSize: BATCH_MAX_RECORDS,
    bisectBatchOnError: true,
    retryAttempts: RETRIES,
    maxRecordAge: Duration.millis(MAX_AGE_MS),
    onFailure: new SqsDlq(options.deadLetters),
    filters: options.filters.map((pattern) => ({ pattern: JSON.stringify(pattern) })),
  })
}
