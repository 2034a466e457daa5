/**
 * Lambda `burn-in`: judges the reports that the stream names, or on its schedule all that wait.
 */
import type { DynamoDBStreamEvent, EventBridgeEvent } from 'aws-lambda'
import { requireVariable, type Environment } from '#shared/base/environment.ts'
import { makeLogger } from '#shared/base/log.ts'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import { judgeChanges, judgePending, type BurnInPorts } from '#shared/controllers/burn-in.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import type { Store } from '#shared/store/store.ts'
import { changeOf } from '#shared/store/aws/stream-records.ts'

export type BurnInEvent = DynamoDBStreamEvent | EventBridgeEvent<'Scheduled Event', unknown>
export type BurnInHandler = (event: BurnInEvent) => Promise<void>

/** Whatever it throws, the batch comes again; a report that was missed waits for the schedule. */
export function makeHandler(ports: BurnInPorts): BurnInHandler {
  return async (event) => {
    if ('Records' in event) await judgeChanges(ports, event.Records.map(changeOf))
    else await judgePending(ports)
  }
}

export function bindPorts(environment: Environment): BurnInPorts {
  const log = makeLogger((line) => process.stdout.write(`${line}\n`))
  const storeOf = (variable: string): Store =>
    makeDynamoStore({ client: {}, tableName: requireVariable(environment, variable), log })
  const [store, history] = [storeOf('DROVER_TABLE'), storeOf('DROVER_HISTORY_TABLE')]
  return { store, history, clock: makeSystemClock(), log }
}

let bound: BurnInHandler | undefined

export const handler: BurnInHandler = (event) => {
  bound ??= makeHandler(bindPorts(process.env))
  return bound(event)
}
