/**
 * Market: what EC2 offers and for how much, looked up every few minutes.
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

/** Spot prices move over hours; an offering that is new can wait this long. */
const SCHEDULE_MS = 600_000

export class Market extends Construct {
  constructor(scope: Construct, id: string, { core }: { core: Core }) {
    super(scope, id)
    const { settings, tables, alarms } = core
    const deadLetters = makeDeadLetters(this, 'DeadLetters', {
      alarms,
      text: 'Prices could not be looked up',
      runbook: 'prices-are-not-looked-up',
    })
    const { lambda } = new DroverFunction(this, 'Market', {
      name: 'market',
      bundle: settings.bundle,
      timeoutMs: 300_000,
      memoryMib: 1_024,
      environment: core.environment,
      statements: [
        onItems(tables.table, ['dynamodb:GetItem', 'dynamodb:PutItem'], ['market#*']),
        // Describing actions and the price list know no resources; `*` is all IAM takes.
        allow(
          [
            'ec2:DescribeInstanceTypeOfferings',
            'ec2:DescribeInstanceTypes',
            'ec2:DescribeSpotPriceHistory',
            'pricing:GetProducts',
          ],
          ['*'],
        ),
      ],
      onFailure: new SqsDestination(deadLetters),
    })
    new events.Rule(this, 'Schedule', {
      description: 'drover: look up offerings and prices',
      schedule: events.Schedule.rate(Duration.millis(SCHEDULE_MS)),
      targets: [
        new LambdaFunction(lambda, {
          deadLetterQueue: deadLetters,
          maxEventAge: Duration.minutes(10),
        }),
      ],
    })
  }
}
