/**
 * Wake: the table's changes and the delayed wakes go through one function; the tick goes straight
 * to the queue, so that reconcile comes round even if everything else is broken.
 */
import { Duration } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Construct } from 'constructs'
import { STREAM_FILTERS } from '#shared/controllers/stream-filters.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { tickBody } from '#shared/protocol/wake-message.ts'
import { makeDeadLetters } from './alarms.ts'
import type { Core } from './core.ts'
import { allow, DroverFunction } from './drover-function.ts'
import { consumeStream } from './stream.ts'

export class Wake extends Construct {
  constructor(scope: Construct, id: string, { core }: { core: Core }) {
    super(scope, id)
    const { settings, tables, queues, alarms } = core
    const deadLetters = makeDeadLetters(this, 'DeadLetters', {
      alarms,
      text: 'Changes of the table, or ticks, could not be turned into wakes',
      runbook: 'changes-that-woke-nobody',
    })
    const wake = new DroverFunction(this, 'Wake', {
      name: 'wake',
      bundle: settings.bundle,
      timeoutMs: 10_000,
      memoryMib: 512,
      environment: core.environment,
      statements: [allow(['sqs:SendMessage'], [queues.wakes.queueArn])],
    })
    consumeStream(wake, {
      streamArn: tables.streamArn,
      filters: STREAM_FILTERS.wake,
      deadLetters,
    })
    wake.lambda.addEventSource(
      new SqsEventSource(queues.delayed, { batchSize: LIMITS.wakeBatchMax }),
    )
    new events.Rule(this, 'Tick', {
      description: 'drover: a wake each minute, whatever happens',
      schedule: events.Schedule.rate(Duration.millis(LIMITS.tickMs)),
      targets: [
        new SqsQueue(queues.wakes, {
          messageGroupId: settings.cluster,
          // The time makes each body, and so each deduplication id, another one.
          message: events.RuleTargetInput.fromObject(tickBody(events.EventField.time)),
          deadLetterQueue: deadLetters,
        }),
      ],
    })
  }
}
