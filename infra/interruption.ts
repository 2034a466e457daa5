/**
 * Interruption: what EC2 and AWS Health announce about instances, one rule a kind of announcement.
 */
import { Duration } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import { Construct } from 'constructs'
import { EC2_EVENT_PATTERNS, type EventPattern } from '#shared/protocol/ec2-event-patterns.ts'
import { makeDeadLetters } from './alarms.ts'
import type { Core } from './core.ts'
import { allow, DroverFunction } from './drover-function.ts'
import { onItems } from './tables.ts'

export class Interruption extends Construct {
  constructor(scope: Construct, id: string, { core }: { core: Core }) {
    super(scope, id)
    const { settings, tables, queues, alarms } = core
    const deadLetters = makeDeadLetters(this, 'DeadLetters', {
      alarms,
      text: 'Announcements of EC2 could not be taken in',
      runbook: 'announcements-in-the-dead-letter-queue',
    })
    const { lambda } = new DroverFunction(this, 'Interruption', {
      name: 'interruption',
      bundle: settings.bundle,
      timeoutMs: 30_000,
      memoryMib: 512,
      environment: core.environment,
      statements: [
        onItems(tables.table, ['dynamodb:GetItem'], ['assign#*']),
        onItems(tables.table, ['dynamodb:UpdateItem'], ['signal#*']),
        allow(['sqs:SendMessage'], [queues.wakes.queueArn]),
      ],
      onFailure: new SqsDestination(deadLetters),
    })
    for (const [name, eventPattern] of Object.entries<EventPattern>(EC2_EVENT_PATTERNS)) {
      // A notice that is older than the two minutes it gives, and some, is history.
      const target = new LambdaFunction(lambda, {
        deadLetterQueue: deadLetters,
        maxEventAge: Duration.minutes(10),
      })
      new events.Rule(this, name, { eventPattern, targets: [target] })
    }
  }
}
