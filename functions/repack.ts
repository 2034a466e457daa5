/**
 * Lambda `repack`: on its schedule, works out how little a fleet could cost that does the same.
 */
import { requireJson, requireVariable, type Environment } from '#shared/base/environment.ts'
import { makeLogger } from '#shared/base/log.ts'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import { launchSettingsSchema } from '#shared/controllers/launch-settings.ts'
import { planSettingsOf, snapshotSettingsOf } from '#shared/controllers/plan-settings.ts'
import { repack, type RepackOutcome, type RepackPorts } from '#shared/controllers/repack.ts'
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import { SEARCH_BUDGET } from '#shared/planner/repack/search.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'

export type RepackHandler = (event: unknown) => Promise<RepackOutcome>

/** Whatever it throws, what was found before stands and the schedule comes again. */
export function makeHandler(ports: RepackPorts): RepackHandler {
  return () => repack(ports)
}

export function bindPorts(environment: Environment): RepackPorts {
  const log = makeLogger((line) => process.stdout.write(`${line}\n`))
  const launch = requireJson(environment, 'DROVER_LAUNCH', (value) =>
    launchSettingsSchema.parse(value),
  )
  const store = makeDynamoStore({
    client: {},
    tableName: requireVariable(environment, 'DROVER_TABLE'),
    log,
  })
  const settings = snapshotSettingsOf(planSettingsOf(environment), launch)
  const clock = makeSystemClock()
  const budget = { ...BUDGETS['60s'], ...SEARCH_BUDGET }
  return { store, clock, settings, solver: loadSolver, budget, log }
}

let bound: RepackHandler | undefined

export const handler: RepackHandler = (event) => {
  bound ??= makeHandler(bindPorts(process.env))
  return bound(event)
}
