/**
 * The real functions, bound to the laptop's services through the adapters that they have on AWS.
 */
import type { DynamoDBStreamEvent, EventBridgeEvent, SQSEvent } from 'aws-lambda'
import type { Hono } from 'hono'
import manifest from '../package.json' with { type: 'json' }
import { makeHandler as makeAutoscale, type AutoscaleHandler } from '#functions/autoscale.ts'
import { makeHandler as makeBurnIn } from '#functions/burn-in.ts'
import { makeHandler as makeInterruption } from '#functions/interruption.ts'
import { makeHandler as makeMarket } from '#functions/market.ts'
import { makeHandler as makeReconcile } from '#functions/reconcile.ts'
import { makeHandler as makeRepack } from '#functions/repack.ts'
import { makeHandler as makeWake } from '#functions/wake.ts'
import type { Logger } from '#shared/base/log.ts'
import { makeEc2Fleet } from '#shared/cloud/aws/ec2-fleet.ts'
import { makeEc2Prices } from '#shared/cloud/aws/ec2-prices.ts'
import { makeMetricSources } from '#shared/cloud/aws/metric-sources.ts'
import { makeRandomIds } from '#shared/cloud/aws/random-ids.ts'
import { makeSqsQueue } from '#shared/cloud/aws/sqs-queue.ts'
import { makeRetrySoon } from '#shared/cloud/aws/sqs-visibility.ts'
import { makeSystemClock } from '#shared/cloud/aws/system-clock.ts'
import type { Balancer } from '#shared/cloud/balancer.ts'
import type { Bus } from '#shared/cloud/bus.ts'
import type { Ec2Event } from '#shared/cloud/memory-ec2/types.ts'
import { makeMemoryMetrics } from '#shared/cloud/memory-metrics.ts'
import { makeAdminApi } from '#shared/controllers/admin-api/app.ts'
import { makeForesight } from '#shared/controllers/foresight.ts'
import {
  reconcile,
  snapshotSettings,
  type ReconcileOutcome,
} from '#shared/controllers/reconcile/reconcile.ts'
import {
  reconcileSettingsSchema,
  type ReconcileSettings,
} from '#shared/controllers/reconcile/settings.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import type { QuotaPolicyName } from '#shared/model/quota-policy.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { invoke } from './invoke.ts'
import { ACCOUNT, clientOf, CREDENTIALS, REGION } from './laptop.ts'
import type { Pace } from './pace.ts'
import type { LocalQueues } from './queues.ts'
import type { LocalTable } from './table.ts'

export type FunctionsOptions = {
  readonly cluster: string
  readonly zones: readonly string[]
  readonly pace: Pace
  readonly table: Pick<LocalTable, 'store' | 'history'>
  readonly queues: LocalQueues
  readonly balancer: Balancer
  readonly ec2Url: string
  readonly quotaPolicy: QuotaPolicyName
  readonly log: Logger
}

export type LocalFunctions = {
  readonly adminApi: Hono
  readonly interruption: (event: Ec2Event) => Promise<void>
  readonly burnIn: (event: DynamoDBStreamEvent) => Promise<void>
  readonly rejudge: () => Promise<void>
  readonly market: () => Promise<void>
  readonly autoscale: () => Promise<void>
  readonly repack: () => Promise<void>
  readonly wake: (event: DynamoDBStreamEvent | SQSEvent) => Promise<void>
  readonly reconcile: (event: SQSEvent) => Promise<void>
}

/** As the stack sets them. */
const TIMEOUT_MS = {
  ...{ wake: 10_000, burnIn: 60_000, interruption: 30_000, market: 60_000, repack: 600_000 },
  autoscale: LIMITS.scaleEveryMs,
} as const

/** Even repack shares its core with all the others here, and they must not wait for it long. */
const SEARCH = { trialNodesMax: 2_000, guessesMax: 2_000 }
const LOOKING = { solver: loadSolver, budget: { ...BUDGETS['5s'], ...SEARCH } }

export function bindFunctions(options: FunctionsOptions): LocalFunctions {
  const { table, queues, cluster, ec2Url } = options
  const clock = makeSystemClock()
  const logOf = (name: string): Logger => options.log.with({ function: name })
  const queue = makeSqsQueue({
    wakeQueueUrl: queues.wakes.url,
    delayQueueUrl: queues.delayed.url,
    ...{ cluster, clock },
    client: clientOf(queues.endpoint),
  })
  const prices = makeEc2Prices({
    ...{ region: REGION, endpoint: ec2Url, pricingEndpoint: ec2Url, credentials: CREDENTIALS },
    clock: () => clock.now(),
  })
  const { store } = table
  const burnIn = makeBurnIn({ store, history: table.history, clock, log: logOf('burn-in') })
  const interruption = makeInterruption({ store, queue, clock, log: logOf('interruption') })
  const market = makeMarket({ store, prices, clock, log: logOf('market') })
  const wake = makeWake({ queue, log: logOf('wake') })
  const settings = settingsOf(options)
  const autoscale = bindAutoscale(options, logOf('autoscale'))
  const repack = makeRepack({
    ...{ store, clock, settings: snapshotSettings(settings), log: logOf('repack'), ...LOOKING },
  })
  const reconcileNow = bindReconcile(options, { settings, queue, clock })
  const run = <T>(name: string, timeoutMs: number, call: () => Promise<T>): Promise<T> =>
    invoke({ name, timeoutMs, log: options.log }, call)
  return {
    adminApi: bindAdminApi(options, settings),
    interruption: (event) =>
      run('interruption', TIMEOUT_MS.interruption, () => interruption(event)),
    burnIn: (event) => run('burn-in', TIMEOUT_MS.burnIn, () => burnIn(event)),
    rejudge: () => run('burn-in', TIMEOUT_MS.burnIn, () => burnIn(SCHEDULED)),
    market: async () => {
      await run('market', TIMEOUT_MS.market, () => market(SCHEDULED))
    },
    autoscale: async () => {
      await run('autoscale', TIMEOUT_MS.autoscale, () => autoscale(SCHEDULED))
    },
    repack: async () => {
      await run('repack', TIMEOUT_MS.repack, () => repack(SCHEDULED))
    },
    wake: (event) => run('wake', TIMEOUT_MS.wake, () => wake(event)),
    reconcile: (event) => run('reconcile', LIMITS.reconcileTimeoutMs, () => reconcileNow(event)),
  }
}

/** SQS and pages may be on this machine; CloudWatch is where the environment's credentials lead. */
function bindAutoscale({ table }: FunctionsOptions, log: Logger): AutoscaleHandler {
  const clock = makeSystemClock()
  const metrics = makeMetricSources({
    ...{ region: REGION, clock, log, loopback: CREDENTIALS },
  })
  return makeAutoscale({ store: table.store, metrics, clock, log })
}

const SCHEDULED: EventBridgeEvent<'Scheduled Event', unknown> = {
  version: '0',
  id: 'local',
  'detail-type': 'Scheduled Event',
  source: 'aws.events',
  account: ACCOUNT,
  time: '1970-01-01T00:00:00Z',
  region: REGION,
  resources: [],
  detail: {},
}

function settingsOf(options: FunctionsOptions): ReconcileSettings {
  const { cluster, zones, pace, quotaPolicy } = options
  const template = (id: string): { id: string; version: string } => ({ id, version: '1' })
  return reconcileSettingsSchema.parse({
    ...{ cluster, region: REGION, account: ACCOUNT },
    launch: {
      launchTemplates: {
        amd64: template('lt-local-amd64'),
        arm64: template('lt-local-arm64'),
        gpu: template('lt-local-gpu'),
      },
      subnets: Object.fromEntries(zones.map((zone) => [zone, `subnet-${zone}`])),
    },
    plan: { lostAfterMs: pace.lostAfterMs, bootDeadlineMs: pace.bootDeadlineMs, quotaPolicy },
  })
}

type Bound = {
  readonly settings: ReconcileSettings
  readonly queue: ReturnType<typeof makeSqsQueue>
  readonly clock: ReturnType<typeof makeSystemClock>
}

function bindReconcile(
  { table, queues, balancer, ec2Url, log: rootLog }: FunctionsOptions,
  { settings, queue, clock }: Bound,
): (event: SQSEvent) => Promise<void> {
  const log = rootLog.with({ function: 'reconcile' })
  const ports = {
    ...{ store: table.store, history: table.history, queue, balancer, clock, log },
    fleet: makeEc2Fleet({ region: REGION, endpoint: ec2Url, credentials: CREDENTIALS }),
    bus: makeLogBus(log),
    metrics: makeMemoryMetrics(),
  }
  return makeReconcile({
    retrySoon: makeRetrySoon({
      ...{ queueUrl: queues.wakes.url, log },
      client: clientOf(queues.endpoint),
    }),
    reconcile: async (wake) => {
      const startMs = performance.now()
      const outcome = await reconcile(ports, settings, wake)
      tell(log, outcome, performance.now() - startMs)
      return outcome
    },
  })
}

function tell(log: Logger, outcome: ReconcileOutcome, tookMs: number): void {
  const facts = { ...outcome, tookMs: Math.round(tookMs) }
  if (outcome.outcome === 'done' && outcome.actions > 0) log.info('pass', facts)
  else log.debug('pass', facts)
}

/** Nobody listens on a laptop, so drover's own events go to the log. */
function makeLogBus(log: Logger): Bus {
  return {
    publish: (events) => {
      for (const { object, reason, text } of events)
        log.info('event', { object, reason, seen: text })
      return Promise.resolve()
    },
  }
}

function bindAdminApi({ table, log }: FunctionsOptions, settings: ReconcileSettings): Hono {
  const clock = makeSystemClock()
  const { store, history } = table
  const own = log.with({ function: 'admin-api' })
  const foresight = makeForesight({
    ...{ store, clock, settings: snapshotSettings(settings), log: own, ...LOOKING },
  })
  return makeAdminApi({
    ...{ store, history, clock },
    ids: makeRandomIds(),
    log: own,
    planner: foresight.planner,
    cost: foresight.cost,
    repack: foresight.repack,
    version: manifest.version,
  })
}
