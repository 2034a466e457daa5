/**
 * Autoscale: what scaled workloads' metrics say, read every minute.
 */
import { Duration, Stack } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import { Construct } from 'constructs'
import { LIMITS } from '#shared/model/limits.ts'
import { makeDeadLetters } from './alarms.ts'
import type { Core } from './core.ts'
import { allow, DroverFunction } from './drover-function.ts'
import { onItems, readAll } from './tables.ts'

export class Autoscale extends Construct {
  constructor(scope: Construct, id: string, { core }: { core: Core }) {
    super(scope, id)
    const { settings, tables, alarms } = core
    const deadLetters = makeDeadLetters(this, 'DeadLetters', {
      alarms,
      text: 'Scaled workloads could not be looked at',
      runbook: 'scaled-workloads-are-not-looked-at',
    })
    const { lambda } = new DroverFunction(this, 'Autoscale', {
      name: 'autoscale',
      bundle: settings.bundle,
      timeoutMs: LIMITS.scaleEveryMs,
      memoryMib: 512,
      environment: core.environment,
      statements: [
        readAll(tables.table),
        onItems(tables.table, ['dynamodb:PutItem', 'dynamodb:DeleteItem'], ['target']),
        // CloudWatch knows no resources; which queues workloads will name is not known here.
        allow(['cloudwatch:GetMetricData'], ['*']),
        allow(['sqs:GetQueueAttributes'], [`arn:${Stack.of(this).partition}:sqs:*:*:*`]),
      ],
      onFailure: new SqsDestination(deadLetters),
    })
    new events.Rule(this, 'Schedule', {
      description: 'drover: look at what scaled workloads need',
      schedule: events.Schedule.rate(Duration.millis(LIMITS.scaleEveryMs)),
      targets: [
        new LambdaFunction(lambda, {
          deadLetterQueue: deadLetters,
          // The next look knows better than one that comes late.
          maxEventAge: Duration.minutes(1),
          retryAttempts: 0,
        }),
      ],
    })
  }
}
