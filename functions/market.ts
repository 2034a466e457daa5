/**
 * Lambda `market`: on its schedule, takes EC2's offerings, shapes and prices into the table.
 */
import { requireVariable, type Environment } from '#shared/base/environment.ts'
import { makeLogger } from '#shared/base/log.ts'
import { makeEc2Prices } from '#shared/cloud/aws/ec2-prices.ts'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import { updateMarket, type MarketOutcome, type MarketPorts } from '#shared/controllers/market.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'

export type MarketHandler = (event: unknown) => Promise<MarketOutcome>

/** Whatever it throws, the last good prices stand and the schedule comes again. */
export function makeHandler(ports: MarketPorts): MarketHandler {
  return () => updateMarket(ports)
}

export function bindPorts(environment: Environment): MarketPorts {
  const log = makeLogger((line) => process.stdout.write(`${line}\n`))
  const clock = makeSystemClock()
  const store = makeDynamoStore({
    client: {},
    tableName: requireVariable(environment, 'DROVER_TABLE'),
    log,
  })
  const prices = makeEc2Prices({
    region: requireVariable(environment, 'AWS_REGION'),
    clock: () => clock.now(),
  })
  return { store, prices, clock, log }
}

let bound: MarketHandler | undefined

export const handler: MarketHandler = (event) => {
  bound ??= makeHandler(bindPorts(process.env))
  return bound(event)
}
