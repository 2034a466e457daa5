/**
 * Lambda `interruption`: one EventBridge event of EC2 or AWS Health, taken in as signals.
 */
import { requireVariable, type Environment } from '#shared/base/environment.ts'
import { makeLogger } from '#shared/base/log.ts'
import { makeSqsQueue } from '#shared/cloud/aws/sqs-queue.ts'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import { takeInEc2Event, type InterruptionPorts } from '#shared/controllers/interruption.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'

export type InterruptionHandler = (event: unknown) => Promise<void>

/** Whatever it throws, Lambda tries again and then hands the event to the dead-letter queue. */
export function makeHandler(ports: InterruptionPorts): InterruptionHandler {
  return (event) => takeInEc2Event(ports, event)
}

export function bindPorts(environment: Environment): InterruptionPorts {
  const log = makeLogger((line) => process.stdout.write(`${line}\n`))
  const clock = makeSystemClock()
  const store = makeDynamoStore({
    client: {},
    tableName: requireVariable(environment, 'DROVER_TABLE'),
    log,
  })
  const queue = makeSqsQueue({
    wakeQueueUrl: requireVariable(environment, 'DROVER_WAKE_QUEUE_URL'),
    delayQueueUrl: requireVariable(environment, 'DROVER_DELAY_QUEUE_URL'),
    cluster: requireVariable(environment, 'DROVER_CLUSTER'),
    clock,
  })
  return { store, queue, clock, log }
}

let bound: InterruptionHandler | undefined

export const handler: InterruptionHandler = (event) => {
  bound ??= makeHandler(bindPorts(process.env))
  return bound(event)
}
