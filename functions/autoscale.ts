/**
 * Lambda `autoscale`: every minute, how many replicas scaled workloads are to have.
 */
import { requireVariable, type Environment } from '#shared/base/environment.ts'
import { makeLogger } from '#shared/base/log.ts'
import { makeMetricSources } from '#shared/cloud/aws/metric-sources.ts'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import {
  autoscale,
  type AutoscaleOutcome,
  type AutoscalePorts,
} from '#shared/controllers/autoscale.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'

export type AutoscaleHandler = (event: unknown) => Promise<AutoscaleOutcome>

/** Whatever it throws, the targets that stand go on standing, and the schedule comes again. */
export function makeHandler(ports: AutoscalePorts): AutoscaleHandler {
  return () => autoscale(ports)
}

export function bindPorts(environment: Environment): AutoscalePorts {
  const log = makeLogger((line) => process.stdout.write(`${line}\n`))
  const clock = makeSystemClock()
  const store = makeDynamoStore({
    client: {},
    tableName: requireVariable(environment, 'DROVER_TABLE'),
    log,
  })
  const region = requireVariable(environment, 'AWS_REGION')
  return { store, metrics: makeMetricSources({ region, clock, log }), clock, log }
}

let bound: AutoscaleHandler | undefined

export const handler: AutoscaleHandler = (event) => {
  bound ??= makeHandler(bindPorts(process.env))
  return bound(event)
}
