/**
 * Repack: a look at the whole herd, every quarter of an hour, with more work than a pass may take.
 */
import { Duration } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import { Construct } from 'constructs'
import { makeDeadLetters } from './alarms.ts'
import type { Core } from './core.ts'
import { DroverFunction } from './drover-function.ts'
import type { Nodes } from './nodes.ts'
import { onItems, readAll } from './tables.ts'

const SCHEDULE_MS = 900_000

export class Repack extends Construct {
  constructor(scope: Construct, id: string, { core, nodes }: { core: Core; nodes: Nodes }) {
    super(scope, id)
    const { settings, tables, alarms } = core
    const deadLetters = makeDeadLetters(this, 'DeadLetters', {
      alarms,
      text: 'The herd could not be looked at as a whole',
      runbook: 'repack-does-not-come-through',
    })
    const { lambda } = new DroverFunction(this, 'Repack', {
      name: 'repack',
      bundle: settings.bundle,
      timeoutMs: 600_000,
      // One whole core, which the work of a look is calibrated for.
      memoryMib: 1_769,
      // It looks at what reconcile would buy.
      environment: { ...core.environment, DROVER_LAUNCH: nodes.launchSettingsJson },
      statements: [
        readAll(tables.table),
        onItems(tables.table, ['dynamodb:PutItem'], ['proposal']),
      ],
      onFailure: new SqsDestination(deadLetters),
    })
    new events.Rule(this, 'Schedule', {
      description: 'drover: look at the whole herd',
      schedule: events.Schedule.rate(Duration.millis(SCHEDULE_MS)),
      targets: [
        new LambdaFunction(lambda, {
          deadLetterQueue: deadLetters,
          maxEventAge: Duration.minutes(15),
        }),
      ],
    })
  }
}
