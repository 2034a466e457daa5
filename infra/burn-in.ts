/**
 * Burn-in: finished reports come by the stream, and a schedule looks for any that were missed.
 */
import { Duration } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import { Construct } from 'constructs'
import { STREAM_FILTERS } from '#shared/controllers/stream-filters.ts'
import { makeDeadLetters } from './alarms.ts'
import type { Core } from './core.ts'
import { DroverFunction } from './drover-function.ts'
import { consumeStream } from './stream.ts'
import { onItems } from './tables.ts'

const SCHEDULE_MS = 120_000

export class BurnIn extends Construct {
  constructor(scope: Construct, id: string, { core }: { core: Core }) {
    super(scope, id)
    const { settings, tables, alarms } = core
    const deadLetters = makeDeadLetters(this, 'DeadLetters', {
      alarms,
      text: 'Burn-in reports could not be judged',
      runbook: 'reports-that-were-not-judged',
    })
    const burnIn = new DroverFunction(this, 'BurnIn', {
      name: 'burn-in',
      bundle: settings.bundle,
      timeoutMs: 60_000,
      memoryMib: 512,
      environment: core.environment,
      statements: [
        onItems(
          tables.table,
          ['dynamodb:GetItem'],
          ['assign#*', 'report#*', 'verdict#*', 'node', 'order', 'rates'],
        ),
        onItems(tables.table, ['dynamodb:Query'], ['node']),
        onItems(tables.table, ['dynamodb:PutItem'], ['verdict#*', 'rates']),
        onItems(tables.history, ['dynamodb:GetItem', 'dynamodb:PutItem'], ['hardware#*']),
        onItems(tables.history, ['dynamodb:PutItem'], ['burn-in#*']),
      ],
      onFailure: new SqsDestination(deadLetters),
    })
    consumeStream(burnIn, {
      streamArn: tables.streamArn,
      filters: STREAM_FILTERS.burnIn,
      deadLetters,
    })
    new events.Rule(this, 'Schedule', {
      description: 'drover: judge what the stream missed',
      schedule: events.Schedule.rate(Duration.millis(SCHEDULE_MS)),
      targets: [
        new LambdaFunction(burnIn.lambda, {
          deadLetterQueue: deadLetters,
          maxEventAge: Duration.minutes(5),
        }),
      ],
    })
  }
}
