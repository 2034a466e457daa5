/**
 * Interruption: what EC2 and AWS Health announce about instances, one rule a kind of announcement.
 *
 * EventBridge cannot tell drover's instances from others by their tags, so the rules match all of
 * the account's and the function looks each one up.
 */
import { Duration } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import { Construct } from 'constructs'
import { makeDeadLetters } from './alarms.ts'
import type { Core } from './core.ts'
import { allow, DroverFunction } from './drover-function.ts'
import { onItems } from './tables.ts'

const ec2 = (...detailType: string[]): events.EventPattern => ({ source: ['aws.ec2'], detailType })

const RULES: Readonly<Record<string, events.EventPattern>> = {
  SpotInterruption: ec2('EC2 Spot Instance Interruption Warning'),
  Rebalance: ec2('EC2 Instance Rebalance Recommendation'),
  StateChange: {
    ...ec2('EC2 Instance State-change Notification'),
    // A start is no news: the agent's first report is.
    detail: { state: ['stopping', 'stopped', 'shutting-down', 'terminated'] },
  },
  Health: {
    source: ['aws.health'],
    detailType: ['AWS Health Event'],
    detail: { service: ['EC2'] },
  },
  CapacityReservation: ec2(
    'EC2 Capacity Reservation Instance Interruption Warning',
    'EC2 Interruptible Capacity Reservation Instance Interruption Warning',
    'Capacity Block Reservation Expiration Warning',
  ),
}

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
    for (const [name, eventPattern] of Object.entries(RULES)) {
      // A notice that is older than the two minutes it gives, and some, is history.
      const target = new LambdaFunction(lambda, {
        deadLetterQueue: deadLetters,
        maxEventAge: Duration.minutes(10),
      })
      new events.Rule(this, name, { eventPattern, targets: [target] })
    }
  }
}
