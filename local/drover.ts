/**
 * The whole of drover on one machine: the real functions on an embedded cloud.
 *
 * This is the stack of `infra/` once more, in one process: the same parts, joined the same way.
 * Starting goes from the bottom up, stopping from the top down, and whatever a start has opened is
 * closed again when a later step fails. A clean stop ends every process of the herd and remembers
 * its machines as terminated; after a crash they run on, and the next start adopts them.
 */
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { quotaPolicySchema, type QuotaPolicyName } from '#shared/model/quota-policy.ts'
import type { Store } from '#shared/store/store.ts'
import { keys } from '#shared/store/keys.ts'
import { tickBody } from '#shared/protocol/wake-message.ts'
import type { Ec2Event } from '#shared/cloud/memory-ec2/types.ts'
import { makeLocalBalancer, type LocalBalancer } from './balancer/local-balancer.ts'
import { makeControls } from './controls.ts'
import { forgetLocalEc2, type LocalEc2 } from './ec2/local-ec2.ts'
import { readMarketFile } from './ec2/market-file.ts'
import { stopStray } from './engine/dynoxide.ts'
import { sweepExpired } from './engine/expiry.ts'
import { StartError } from './errors.ts'
import { bindFunctions, type LocalFunctions } from './functions.ts'
import { makeHardware, type Hardware } from './hardware.ts'
import { startFrontDoor, type FrontDoor } from './http.ts'
import { complain } from './kernel-logs.ts'
import { ACCOUNT, REGION } from './laptop.ts'
import { endMachines, startMachines } from './machines.ts'
import { paceOf, type Pace } from './pace.ts'
import { processesWith, signalGroup } from './processes.ts'
import { mapQueueToFunction } from './queue-to-function.ts'
import { startLocalQueues, type LocalQueues } from './queues.ts'
import { makeRules } from './rules.ts'
import { forgetHerd, openStateDirectory, type StateDirectory } from './state-directory.ts'
import { followTable } from './streams.ts'
import { hasEngine, startLocalTable, type LocalTable } from './table.ts'
import { startRounds } from './ticks.ts'
import { makeWeather, type Weather } from './weather.ts'

export type DroverOptions = {
  /** 0 takes a free one. */
  readonly port: number
  readonly stateDirectory: string
  /** True when a person asked for this directory: without an engine it cannot be had. */
  readonly keepsState?: boolean
  readonly fresh?: boolean
  readonly marketFile?: string
  readonly speed?: number
  readonly quotaPolicy?: QuotaPolicyName
  /** As where there is no engine for the platform: the herd lives in memory. */
  readonly inMemory?: boolean
  readonly log: Logger
}

export type LocalDrover = {
  readonly url: string
  readonly stateDirectory: string
  /** Where agents find the table, for measurements. */
  readonly tableEndpoint: string
  readonly store: Store
  readonly ec2: LocalEc2
  /** Ends it and every process it started. Idempotent. */
  stop(): Promise<void>
}

/** What was started, to be ended in the opposite order. */
type Undo = { readonly name: string; readonly run: () => void | Promise<void> }

/**
 * Throws StartError, MarketFileError or EngineError with a sentence for the person who started it.
 */
export async function startDrover(options: DroverOptions): Promise<LocalDrover> {
  const undos: Undo[] = []
  const undo = (name: string, run: Undo['run']): void => {
    undos.unshift({ name, run })
  }
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= unwind(undos, options.log))
  try {
    const started = await startAll(options, undo)
    return { ...started, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function unwind(undos: readonly Undo[], log: Logger): Promise<void> {
  for (const { name, run } of undos) {
    try {
      await run()
    } catch (error) {
      log.error('a part did not end well', { name, error: describeError(error) })
    }
  }
}

type UndoList = (name: string, run: Undo['run']) => void

async function startAll(
  options: DroverOptions,
  undo: UndoList,
): Promise<Omit<LocalDrover, 'stop'>> {
  const { log, speed = 1 } = options
  const market = readMarketFile(options.marketFile)
  const pace = paceOf(speed)
  const door = await startFrontDoor(options.port)
  undo('front door', () => door.close())
  const state = await openState(options, door)
  undo('state directory', () => {
    state.release()
  })
  const table = await startLocalTable({ state, log, inMemory: isInMemory(options) })
  undo('table', () => table.stop())
  const queues = await startLocalQueues()
  undo('queues', () => queues.stop())

  const hardware = makeHardware()
  const weather = makeWeather()
  const ways: { interruption: (event: Ec2Event) => Promise<void> } = {
    interruption: () => Promise.reject(new Error('not started yet')),
  }
  const rules = makeRules({ target: (event) => ways.interruption(event), weather, log })
  const ec2 = await startMachines({
    ...{ state, market, speed, pace, hardware, log },
    tableEndpoint: table.endpoint,
    onEvent: (event) => {
      rules.take(event)
    },
  })
  undo('machines', () => endMachines(ec2))
  undo('rules', () => rules.stop())
  const balancer = makeLocalBalancer({ hostOf: (instanceId) => hostOf(ec2, instanceId) })
  undo('balancer', () => balancer.close())
  const functions = bindFunctions({
    ...{ pace, table, queues, balancer, log },
    cluster: state.cluster,
    zones: ec2.world.options.zones,
    ec2Url: ec2.url,
    quotaPolicy: quotaPolicySchema.parse(options.quotaPolicy),
  })
  ways.interruption = functions.interruption
  await join({ state, pace, table, queues, ec2, functions, weather, log }, undo)
  openDoor(door, { ec2, weather, hardware, balancer, functions, stateDirectory: state.path })
  undo('requests', () => {
    door.shut()
  })
  return {
    url: door.url,
    stateDirectory: state.path,
    tableEndpoint: table.endpoint,
    store: table.store,
    ec2,
  }
}

/** Every machine of the herd is processes on this one; its ports are theirs. */
const hostOf = ({ world }: LocalEc2, instanceId: string): string | undefined =>
  world.instance(instanceId)?.up === true ? '127.0.0.1' : undefined

const isInMemory = ({ inMemory = false }: DroverOptions): boolean => inMemory || !hasEngine()

async function openState(options: DroverOptions, door: FrontDoor): Promise<StateDirectory> {
  const { stateDirectory, log } = options
  if (options.keepsState === true && isInMemory(options)) {
    const text = 'there is no table engine for this platform, so nothing can be kept'
    throw new StartError('NoEngine', text, 'start without --state')
  }
  const state = await openStateDirectory(stateDirectory, { url: door.url })
  if (options.fresh !== true && !isInMemory(options)) return state
  await stopStray(state.files.enginePid)
  const strays = processesWith({ DROVER_STATE_DIR: state.path })
  for (const stray of strays) signalGroup(stray, 'SIGKILL')
  if (strays.length > 0)
    log.info('processes of a forgotten herd were ended', { count: strays.length })
  await forgetLocalEc2(state.path, log)
  forgetHerd(state.path)
  state.release()
  return openStateDirectory(stateDirectory, { url: door.url })
}

type Parts = {
  readonly state: StateDirectory
  readonly pace: Pace
  readonly table: LocalTable
  readonly queues: LocalQueues
  readonly ec2: LocalEc2
  readonly functions: LocalFunctions
  readonly weather: Weather
  readonly log: Logger
}

/** Joins streams, queues and schedules to the functions they drive. */
async function join(parts: Parts, undo: UndoList): Promise<void> {
  const { state, pace, table, queues, functions, weather, log } = parts
  const { endpoint } = queues
  const streams = await followTable({
    ...{ table, weather, log },
    targets: { wake: functions.wake, burnIn: functions.burnIn },
  })
  undo('streams', streams)
  const { wakes, delayed } = queues
  undo('reconcile', mapQueueToFunction({ endpoint, queue: wakes, run: functions.reconcile, log }))
  undo('wake', mapQueueToFunction({ endpoint, queue: delayed, run: functions.wake, log }))
  await catchUp(parts)
  const rounds = startRounds(
    [
      {
        name: 'tick',
        everyMs: pace.tickMs,
        run: () => {
          queues.sendTick(JSON.stringify(tickBody(new Date().toISOString())), state.cluster)
        },
      },
      { name: 'market', everyMs: pace.marketMs, run: functions.market },
      { name: 'burn-in', everyMs: pace.rejudgeMs, run: functions.rejudge },
      { name: 'autoscale', everyMs: pace.scaleMs, run: functions.autoscale },
      { name: 'repack', everyMs: pace.repackMs, run: functions.repack },
      {
        name: 'expiry',
        everyMs: pace.expiryMs,
        run: async () => {
          await sweepExpired(table.store, Date.now())
        },
      },
    ],
    log,
  )
  undo('schedules', rounds)
}

/**
 * What EC2 announced while nobody listened: machines of ours that ended with the last run, or in
 * between. EventBridge would have kept trying; here they are announced again.
 */
async function catchUp({ ec2, table, functions, log }: Parts): Promise<void> {
  for (const { instanceId, state, arn } of ec2.world.instances()) {
    if (state !== 'terminated' && state !== 'shutting-down') continue
    if ((await table.store.get(keys.assignmentHead(arn))) === undefined) continue
    log.info('announced again: a machine that ended', { instanceId, state })
    await functions.interruption(stateChange({ instanceId, arn, state }))
  }
}

function stateChange({
  instanceId,
  arn,
  state,
}: {
  instanceId: string
  arn: string
  state: string
}): Ec2Event {
  return {
    version: '0',
    id: `again-${instanceId}`,
    'detail-type': 'EC2 Instance State-change Notification',
    source: 'aws.ec2',
    account: ACCOUNT,
    time: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    region: REGION,
    resources: [arn],
    detail: { 'instance-id': instanceId, state },
  }
}

type Behind = {
  readonly ec2: LocalEc2
  readonly weather: Weather
  readonly hardware: Hardware
  readonly balancer: LocalBalancer
  readonly functions: LocalFunctions
  readonly stateDirectory: string
}

function openDoor(door: FrontDoor, { functions, stateDirectory, ...ports }: Behind): void {
  const controls = makeControls({
    ...ports,
    complain: (fault) => {
      const up = ports.ec2.instances().filter((own) => own.up)
      complain(stateDirectory, up, fault)
    },
  })
  door.open((request) => {
    const isControl = new URL(request.url).pathname.startsWith('/local/')
    return isControl ? controls.fetch(request) : functions.adminApi.fetch(request)
  })
}
