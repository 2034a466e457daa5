/**
 * The two queues of wakes.
 *
 * `wakes` is FIFO with one group, so one pass runs at a time, and its delay of a second is half of
 * the debounce. `delayed` is standard, because only there has each message a delay of its own.
 * EventBridge sends its tick only to a FIFO queue with content-based deduplication; drover's own
 * wakes bring ids.
 */
import { Duration } from 'aws-cdk-lib'
import * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { LIMITS } from '#shared/model/limits.ts'
import { makeDeadLetters, type Alarms } from './alarms.ts'

/**
 * SQS asks for six times the consumer's timeout where other consumers compete; `wake` has ten
 * seconds.
 */
const DELAYED_VISIBILITY_MS = 60_000
/** A wake that waited longer than this is worth nothing: sixty ticks have come since. */
const RETENTION_MS = 3_600_000

export class Queues extends Construct {
  readonly wakes: sqs.Queue
  readonly delayed: sqs.Queue

  constructor(scope: Construct, id: string, { alarms }: { alarms: Alarms }) {
    super(scope, id)
    const wakesDeadLetters = makeDeadLetters(this, 'WakesDeadLetters', {
      alarms,
      fifo: true,
      text: 'Reconcile failed a wake five times in a row',
      runbook: 'wakes-in-the-dead-letter-queue',
    })
    this.wakes = new sqs.Queue(this, 'Wakes', {
      fifo: true,
      contentBasedDeduplication: true,
      deliveryDelay: Duration.millis(LIMITS.wakeDelayMs),
      visibilityTimeout: Duration.millis(LIMITS.reconcileVisibilityMs),
      retentionPeriod: Duration.millis(RETENTION_MS),
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      deadLetterQueue: { queue: wakesDeadLetters, maxReceiveCount: LIMITS.wakeMaxReceives },
    })
    const delayedDeadLetters = makeDeadLetters(this, 'DelayedDeadLetters', {
      alarms,
      text: 'Delayed wakes could not be passed on',
      runbook: 'delayed-wakes-in-the-dead-letter-queue',
    })
    this.delayed = new sqs.Queue(this, 'Delayed', {
      visibilityTimeout: Duration.millis(DELAYED_VISIBILITY_MS),
      retentionPeriod: Duration.millis(RETENTION_MS),
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      deadLetterQueue: { queue: delayedDeadLetters, maxReceiveCount: LIMITS.wakeMaxReceives },
    })
  }
}
