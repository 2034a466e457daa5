/**
 * Lambda `wake`: a batch of the table's stream, or of the delay queue, becomes one wake at most.
 */
import type { DynamoDBStreamEvent, SQSEvent } from 'aws-lambda'
import { requireVariable, type Environment } from '#shared/base/environment.ts'
import { makeLogger } from '#shared/base/log.ts'
import { makeSqsQueue } from '#shared/cloud/aws/sqs-queue.ts'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import { wakeForChanges, wakeForMessages, type WakePorts } from '#shared/controllers/wake.ts'
import { changeOf } from '#shared/store/aws/stream-records.ts'

export type WakeEvent = DynamoDBStreamEvent | SQSEvent
export type WakeHandler = (event: WakeEvent) => Promise<void>

/** Whatever it throws, the batch comes again, and then goes to the dead-letter queue. */
export function makeHandler(ports: WakePorts): WakeHandler {
  return async (event) => {
    if (isFromQueue(event)) {
      await wakeForMessages(
        ports,
        event.Records.map(({ body }) => body),
      )
    } else {
      await wakeForChanges(ports, event.Records.map(changeOf))
    }
  }
}

function isFromQueue(event: WakeEvent): event is SQSEvent {
  return event.Records[0]?.eventSource === 'aws:sqs'
}

export function bindPorts(environment: Environment): WakePorts {
  const log = makeLogger((line) => process.stdout.write(`${line}\n`))
  const queue = makeSqsQueue({
    wakeQueueUrl: requireVariable(environment, 'DROVER_WAKE_QUEUE_URL'),
    delayQueueUrl: requireVariable(environment, 'DROVER_DELAY_QUEUE_URL'),
    cluster: requireVariable(environment, 'DROVER_CLUSTER'),
    clock: makeSystemClock(),
  })
  return { queue, log }
}

let bound: WakeHandler | undefined

export const handler: WakeHandler = (event) => {
  bound ??= makeHandler(bindPorts(process.env))
  return bound(event)
}
