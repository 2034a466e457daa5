/**
 * Alarms, each with the place in the runbook that says what to do.
 *
 * An alarm nobody can act on trains people to look away, so there are few, and none can be made
 * without naming its section in docs/runbook.md.
 */
import { Duration, Stack } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import * as sns from 'aws-cdk-lib/aws-sns'
import * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { LIMITS } from '#shared/model/limits.ts'

export type AlarmFacts = {
  metric: cloudwatch.IMetric
  /** One sentence: what is wrong when it rings. */
  text: string
  /** The runbook's heading as an anchor. */
  runbook: string
  /** Rings at this value or above, or below it where silence is the trouble. */
  threshold: number
  comparison?: cloudwatch.ComparisonOperator
  /** What a period without data means; by default that all is well. */
  missing?: cloudwatch.TreatMissingData
}

/** Makes alarms and sends them where the person who deployed wants to hear of them. */
export class Alarms extends Construct {
  readonly #topic: sns.ITopic | undefined

  constructor(scope: Construct, id: string, alarmTopicArn: string | undefined) {
    super(scope, id)
    if (alarmTopicArn !== undefined) {
      this.#topic = sns.Topic.fromTopicArn(this, 'Topic', alarmTopicArn)
    }
  }

  add(scope: Construct, id: string, facts: AlarmFacts): cloudwatch.Alarm {
    const alarm = new cloudwatch.Alarm(scope, id, {
      metric: facts.metric,
      threshold: facts.threshold,
      evaluationPeriods: 1,
      comparisonOperator:
        facts.comparison ?? cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: facts.missing ?? cloudwatch.TreatMissingData.NOT_BREACHING,
      alarmDescription: `${facts.text} See docs/runbook.md#${facts.runbook}`,
    })
    if (this.#topic !== undefined) alarm.addAlarmAction(new SnsAction(this.#topic))
    return alarm
  }
}

/** A queue for what could not be handled, which rings as soon as anything lies in it. */
export function makeDeadLetters(
  scope: Construct,
  id: string,
  options: { alarms: Alarms; fifo?: true; text: string; runbook: string },
): sqs.Queue {
  const queue = new sqs.Queue(scope, id, {
    ...(options.fifo === true ? { fifo: true } : {}),
    encryption: sqs.QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    // The longest SQS knows: a person may be on holiday.
    retentionPeriod: Duration.days(14),
  })
  options.alarms.add(scope, `${id}NotEmpty`, {
    metric: queue.metricApproximateNumberOfMessagesVisible({
      period: Duration.millis(LIMITS.tickMs),
      statistic: cloudwatch.Stats.MAXIMUM,
    }),
    threshold: 1,
    text: `${options.text} (stack ${Stack.of(scope).stackName}).`,
    runbook: options.runbook,
  })
  return queue
}
