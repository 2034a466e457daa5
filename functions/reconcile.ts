/**
 * Lambda `reconcile`: a batch of wakes becomes one pass, judged by the youngest of them.
 */
import type { SQSEvent } from 'aws-lambda'
import { requireJson, requireVariable, type Environment } from '#shared/base/environment.ts'
import { makeLogger } from '#shared/base/log.ts'
import { makeElbv2Balancer } from '#shared/cloud/aws/elbv2-balancer.ts'
import { makeEventBridgeBus } from '#shared/cloud/aws/event-bridge-bus.ts'
import { makeEc2Fleet } from '#shared/cloud/aws/ec2-fleet.ts'
import { makeEmfMetrics } from '#shared/cloud/aws/emf-metrics.ts'
import { makeSqsQueue } from '#shared/cloud/aws/sqs-queue.ts'
import { makeRetrySoon } from '#shared/cloud/aws/sqs-visibility.ts'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import { launchSettingsSchema } from '#shared/controllers/launch-settings.ts'
import { planSettingsOf } from '#shared/controllers/plan-settings.ts'
import { reconcile, type ReconcileOutcome } from '#shared/controllers/reconcile/reconcile.ts'
import {
  reconcileSettingsSchema,
  type ReconcilePorts,
  type ReconcileSettings,
} from '#shared/controllers/reconcile/settings.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'

export type ReconcileHandlerPorts = {
  reconcile: (wake: { sentAtMs?: number }) => Promise<ReconcileOutcome>
  /** Makes the batch's messages visible again in two seconds: a poisoned group must not wait 35. */
  retrySoon: (event: SQSEvent) => Promise<void>
}
export type ReconcileHandler = (event: SQSEvent) => Promise<void>

export function makeHandler(ports: ReconcileHandlerPorts): ReconcileHandler {
  return async (event) => {
    try {
      await ports.reconcile(youngest(event))
    } catch (error) {
      await ports.retrySoon(event)
      throw error
    }
  }
}

/** When the last of the wakes was sent; a message without a time always gets its pass. */
function youngest({ Records: records }: SQSEvent): { sentAtMs?: number } {
  const times = records.map((record) => Number(record.attributes.SentTimestamp))
  const sentAtMs = Math.max(...times)
  return Number.isFinite(sentAtMs) ? { sentAtMs } : {}
}

export function bindPorts(environment: Environment): {
  ports: ReconcilePorts
  settings: ReconcileSettings
  retrySoon: ReconcileHandlerPorts['retrySoon']
} {
  const log = makeLogger((line) => process.stdout.write(`${line}\n`))
  const clock = makeSystemClock()
  const read = (name: string): string => requireVariable(environment, name)
  const store = (tableName: string): ReconcilePorts['store'] =>
    makeDynamoStore({ client: {}, tableName, log })
  const cluster = read('DROVER_CLUSTER')
  const region = read('AWS_REGION')
  const wakeQueueUrl = read('DROVER_WAKE_QUEUE_URL')
  const delayQueueUrl = read('DROVER_DELAY_QUEUE_URL')
  return {
    ports: {
      store: store(read('DROVER_TABLE')),
      history: store(read('DROVER_HISTORY_TABLE')),
      fleet: makeEc2Fleet({ region }),
      balancer: makeElbv2Balancer({ region }),
      queue: makeSqsQueue({ wakeQueueUrl, delayQueueUrl, cluster, clock }),
      bus: makeEventBridgeBus({ busName: read('DROVER_BUS_NAME'), cluster, clock, log }),
      metrics: makeEmfMetrics({ clock, cluster }),
      clock,
      log,
    },
    settings: reconcileSettingsSchema.parse({
      cluster,
      region,
      account: read('DROVER_ACCOUNT'),
      launch: requireJson(environment, 'DROVER_LAUNCH', (value) =>
        launchSettingsSchema.parse(value),
      ),
      plan: planSettingsOf(environment),
    }),
    retrySoon: makeRetrySoon({ queueUrl: wakeQueueUrl, log }),
  }
}

let bound: ReconcileHandler | undefined

export const handler: ReconcileHandler = (event) => {
  if (bound === undefined) {
    const { ports, settings, retrySoon } = bindPorts(process.env)
    bound = makeHandler({ reconcile: (wake) => reconcile(ports, settings, wake), retrySoon })
  }
  return bound(event)
}
