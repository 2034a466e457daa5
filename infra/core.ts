/**
 * What every subsystem stands on: the tables, the queues of wakes, the bus, the alarms.
 */
import { CfnOutput } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import { Construct } from 'constructs'
import { Alarms } from './alarms.ts'
import { Queues } from './queues.ts'
import type { Settings } from './settings.ts'
import { Tables } from './tables.ts'

export class Core extends Construct {
  readonly settings: Settings
  readonly alarms: Alarms
  readonly tables: Tables
  readonly queues: Queues
  /** For people's own rules; nothing of drover listens to it. */
  readonly bus: events.EventBus

  constructor(scope: Construct, id: string, { settings }: { settings: Settings }) {
    super(scope, id)
    this.settings = settings
    this.alarms = new Alarms(this, 'Alarms', settings.alarmTopicArn)
    this.tables = new Tables(this, 'Tables')
    this.queues = new Queues(this, 'Queues', { alarms: this.alarms })
    this.bus = new events.EventBus(this, 'Bus', {
      description: `what happens in ${settings.cluster}`,
    })
    new CfnOutput(this, 'EventBus', {
      value: this.bus.eventBusName,
      description: 'where rules of yours may listen',
    })
  }

  /** What every function's environment holds. */
  get environment(): Record<string, string> {
    return {
      DROVER_CLUSTER: this.settings.cluster,
      DROVER_TABLE: this.tables.table.tableName,
      DROVER_HISTORY_TABLE: this.tables.history.tableName,
      DROVER_WAKE_QUEUE_URL: this.queues.wakes.queueUrl,
      DROVER_DELAY_QUEUE_URL: this.queues.delayed.queueUrl,
      DROVER_QUOTA_POLICY: this.settings.quotaPolicy,
    }
  }
}
