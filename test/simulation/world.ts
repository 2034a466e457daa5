/**
 * A whole world for one seed: EC2, the table, the queues, drover's functions and agents, people and
 * bad luck, all on one virtual clock; and the truth about it for whoever judges.
 */
import { typeByName } from '#shared/catalog/catalog.ts'
import { spotPriceUsdPerHour } from '#shared/catalog/spot.ts'
import { DEFAULT_ZONES, REGION } from '#shared/catalog/zones.ts'
import { must } from '#shared/base/assert.ts'
import { onceFor } from '#shared/base/remembered.ts'
import { makeMemoryEc2, type MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import type { Ec2Event, Ec2Instance, Ec2Offering } from '#shared/cloud/memory-ec2/types.ts'
import { makeMemoryFleet } from '#shared/cloud/memory-fleet.ts'
import { makeMemoryMetricSource } from '#shared/cloud/memory-metric-source.ts'
import { makeMemoryPrices } from '#shared/cloud/memory-prices.ts'
import { makeMemoryQueue } from '#shared/cloud/memory-queue.ts'
import { snapshotSettings } from '#shared/controllers/reconcile/reconcile.ts'
import {
  MEMORY_ACCOUNT,
  memoryInstallation,
} from '#shared/controllers/reconcile/memory-installation.ts'
import type { ReconcileSettings } from '#shared/controllers/reconcile/settings.ts'
import { TAGS } from '#shared/model/launch.ts'
import { quotaPolicySchema } from '#shared/model/quota-policy.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import type { Change } from '#shared/store/store.ts'
import { makeBalancers } from './balancer.ts'
import { makeCalls, type CallHooks } from './calls.ts'
import { makeChance, type Chance } from './chance.ts'
import { makeFaults, type Faults } from './faults.ts'
import { makeUnluckyFleet } from './fleet.ts'
import type { Stage } from './happen.ts'
import { isGood } from './hardware.ts'
import { makeIdle, type Idle } from './idle.ts'
import { makeInvocations } from './invocations.ts'
import { boot, makeMachine, refreshBeat, shutDown, trueProcesses, type Machine } from './machine.ts'
import { makeMirror, type Mirror } from './mirror.ts'
import { PROFILES, type SimOptions } from './options.ts'
import { makePeople } from './people.ts'
import type { Backends } from './ports.ts'
import { makeScheduler, type Scheduler } from './scheduler.ts'
import type { HerdPlan } from './script.ts'
import { makeSources, type Sources } from './sources.ts'
import type { Seen, Truth, Violation } from './traffic.ts'

/** On the hour, so that prices move when the market is read. */
export const START_MS = Date.UTC(2026, 0, 5, 8)

const SETTINGS = memoryInstallation('sim')

/** The installation as the plan wants it. */
export function settingsOf({ quotaPolicy }: HerdPlan): ReconcileSettings {
  return {
    ...SETTINGS,
    plan: { ...SETTINGS.plan, quotaPolicy: quotaPolicySchema.parse(quotaPolicy) },
  }
}

export type WorldSetup = {
  readonly options: SimOptions
  readonly plan: HerdPlan
  readonly see: (seen: Seen) => void
  readonly onThrow: (label: string, text: string) => void
  readonly blame: (found: Violation) => void
  readonly hooks?: CallHooks
  /** Exactly these faults strike. */
  readonly only?: ReadonlySet<string>
}

export type World = {
  readonly scheduler: Scheduler
  readonly faults: Faults
  readonly stage: Stage
  readonly sources: Sources
  readonly truth: Truth
  readonly backends: Backends
}

export function makeWorld(setup: WorldSetup): World {
  const { options } = setup
  const scheduler = makeScheduler({ seed: options.seed, startMs: START_MS })
  const chance = makeChance(options.seed)
  const faults = makeFaults({
    ...{ chance, knobs: PROFILES[options.profile], now: scheduler.now },
    ...(setup.only === undefined ? {} : { only: setup.only }),
  })
  const base = { setup, scheduler, chance, faults }
  const machines = new Map<string, Machine>()
  const late: Late = { machines }
  const ec2 = makeEc2(base, late)
  const backends = makeBackends(base, { ec2, late })
  const idle = makeIdle({
    ...{ backends: () => backends, machines, blame: setup.blame },
    ...{ peek: mirrorOf(late).get, partition: mirrorOf(late).partition },
    isOut: () => (late.stage?.outUntilMs ?? 0) > scheduler.now(),
  })
  late.idle = idle
  const invocations = makeInvocations({ backends, chance, faults, onThrow: setup.onThrow })
  const mirror = mirrorOf(late)
  const sources = makeSources({
    ...{ backends, invocations, chance, faults, settings: settingsOf(setup.plan) },
    ...{ awaitsVerdict: mirror.awaitsVerdict, scales: mirror.scales, idle },
  })
  late.backends = backends
  late.sources = sources
  const settings = snapshotSettings(settingsOf(setup.plan))
  const capacities = new Map(ec2.offerings().map((own) => [placeOf(own), own.capacity]))
  const stage: Stage = {
    ...{ backends, chance, faults, machines, peek: mirror.get, partition: mirror.partition },
    people: makePeople({ scheduler, invocations, chance, settings }),
    capacityOf: (own) => capacities.get(placeOf(own)) ?? 0,
    outUntilMs: 0,
    unlisted: new Set(),
    badImages: new Set(),
    mends: new Set(),
  }
  late.stage = stage
  return {
    scheduler,
    faults,
    stage,
    sources,
    backends,
    truth: truthOf(base, { ec2, late, mirror }),
  }
}

const mirrorOf = ({ mirror }: Late): Mirror => must(mirror, 'the mirror')

const placeOf = ({ instanceType, zone, capacityType }: Ec2Offering): string =>
  `${instanceType}/${zone}/${capacityType}`

type Base = {
  readonly setup: WorldSetup
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly faults: Faults
}

/** What exists only once the rest does. */
type Late = {
  readonly machines: Map<string, Machine>
  mirror?: Mirror
  idle?: Idle
  backends?: Backends
  sources?: Sources
  stage?: Stage
}

function makeEc2({ setup, scheduler, chance, faults }: Base, late: Late): MemoryEc2 {
  const { plan, options } = setup
  let settling: { atMs: number; cancel: () => void } | undefined
  const settleWhenDue = (): void => {
    const atMs = ec2.nextDueMs()
    if (settling?.atMs === atMs) return
    settling?.cancel()
    settling = undefined
    if (atMs === undefined) return
    const cancel = scheduler.at(atMs, () => {
      settling = undefined
      ec2.settle()
      settleWhenDue()
    })
    settling = { atMs, cancel }
  }
  const machineOf = ({ instanceId }: Ec2Instance): Machine | undefined =>
    late.machines.get(instanceId)
  const birth = (instanceId: string): void => {
    const instance = ec2.instance(instanceId)
    const { backends, mirror } = late
    if (instance === undefined || backends === undefined || mirror === undefined) return
    const hasBadImage = late.stage?.badImages.has(instance.tags[TAGS.pool] ?? '') === true
    if (hasBadImage) faults.note()
    const setup = { backends, chance, faults, peek: mirror.get, hasBadImage }
    const machine = makeMachine(setup, instance)
    late.machines.set(instanceId, machine)
    if (!faults.strikes('diesAtOnce', machine.name)) return
    const afterMs = chance.int(`death of ${machine.name}`, { min: 500, max: 60_000 })
    scheduler.at(scheduler.now() + afterMs, () => {
      ec2.kill(instanceId)
    })
  }
  const onEvent = (event: Ec2Event): void => {
    const instanceId = event.detail['instance-id'] ?? ''
    if (event.detail['state'] === 'pending') birth(instanceId)
    late.machines.get(instanceId)?.onMetadata?.()
    late.sources?.onEc2Event(event)
    if (event.detail['state'] === 'terminated') late.machines.delete(instanceId)
  }
  const ec2 = makeMemoryEc2({
    clock: scheduler.now,
    hooks: {
      onChange: () => {
        late.idle?.onEc2Change()
        settleWhenDue()
      },
      onEvent,
      onStart: (instance) => {
        const machine = machineOf(instance)
        if (machine === undefined) return
        if (faults.strikes('neverBoots', machine.name)) instance.impaired = true
        else boot(machine, instance.bootNumber)
      },
      onEnd: (instance) => {
        const machine = machineOf(instance)
        if (machine !== undefined) shutDown(machine)
      },
    },
    options: {
      ...{ seed: options.seed, region: REGION, account: MEMORY_ACCOUNT, zones: DEFAULT_ZONES },
      instanceTypes: plan.types.map((name) => must(typeByName.get(name), `type ${name}`)),
      offerings: offeringsOf(plan, chance),
      bootMs: { min: 15_000, max: 60_000 },
      shutdownMs: { min: 2_000, max: 30_000 },
      listDelayMs: PROFILES[options.profile].listDelayMs,
      priceWalk: { spread: 0.2, stepMs: 3_600_000 },
    },
  })
  return ec2
}

function offeringsOf({ types, capacity }: HerdPlan, chance: Chance): Ec2Offering[] {
  return types.flatMap((instanceType) =>
    DEFAULT_ZONES.flatMap((zone): Ec2Offering[] => {
      const type = must(typeByName.get(instanceType), `type ${instanceType}`)
      const left = (capacityType: string): number =>
        chance.int(`capacity ${instanceType} ${zone} ${capacityType}`, capacity)
      const spot = spotPriceUsdPerHour({ type: instanceType, zone, atMs: START_MS, seed: 1 })
      return [
        {
          ...{ instanceType, zone, capacityType: 'on-demand' },
          ...{ capacity: left('on-demand') + 2, priceUsdPerHour: type.onDemandUsdPerHour },
        },
        {
          ...{ instanceType, zone, capacityType: 'spot' },
          ...{ capacity: left('spot'), priceUsdPerHour: spot },
        },
      ]
    }),
  )
}

function makeBackends(
  { setup, scheduler, chance, faults }: Base,
  { ec2, late }: { ec2: MemoryEc2; late: Late },
): Backends {
  const clock = { now: scheduler.now }
  const store = makeMemoryStore({ clock })
  let pending: Change[] = []
  late.mirror = makeMirror(store, (change) => {
    pending.push(change)
    if (change.key.sk === 'head') {
      const arn = change.key.pk.slice('assign#'.length)
      late.machines.get(arn.slice(arn.lastIndexOf('/') + 1))?.onHead?.()
    }
    late.idle?.onChange(change)
    late.sources?.onChange(change)
  })
  const isOut = (): boolean => (late.stage?.outUntilMs ?? 0) > scheduler.now()
  return {
    ...{ scheduler, store, ec2 },
    see: (seen) => {
      if (seen.kind === 'scan' && seen.by.role === 'reconcile') late.idle?.onScan()
      if (seen.kind === 'list') late.idle?.onList()
      setup.see(seen)
    },
    calls: makeCalls({
      ...{ scheduler, chance, faults, isOut },
      ...(setup.hooks === undefined ? {} : { hooks: setup.hooks }),
    }),
    history: makeMemoryStore({ clock }),
    queue: makeMemoryQueue({ clock }),
    fleet: makeUnluckyFleet(makeMemoryFleet(ec2), {
      faults,
      isUnlisted: (instanceId) => late.stage?.unlisted.has(instanceId) === true,
    }),
    prices: makeMemoryPrices(ec2),
    metrics: makeMemoryMetricSource(),
    balancer: makeBalancers({ scheduler, chance, faults, machines: late.machines }),
    takeChanges: () => {
      const taken = pending
      pending = []
      return taken
    },
    refreshBeats: () => {
      if (!isOut()) for (const machine of late.machines.values()) refreshBeat(machine)
    },
    tear: (scan) => {
      if (!faults.strikes('tornScan', scan)) return undefined
      return onceFor((pk: string) => chance.of(`${scan} reads ${pk} early`) < 0.5)
    },
    onSend: () => {
      late.sources?.onSend()
    },
  }
}

type Known = { readonly ec2: MemoryEc2; readonly late: Late; readonly mirror: Mirror }

function truthOf({ setup, scheduler, faults }: Base, { ec2, late, mirror }: Known): Truth {
  const machine = (instanceId: string): Machine | undefined => late.machines.get(instanceId)
  return {
    nowMs: scheduler.now,
    ...{ get: mirror.get, partition: mirror.partition, items: mirror.items },
    ...{ instances: ec2.instances, instance: ec2.instance },
    processes: (instanceId) => {
      const own = machine(instanceId)
      return own === undefined ? [] : trueProcesses(own)
    },
    data: (instanceId) => {
      const cached = machine(instanceId)?.cache.values() ?? []
      return new Map([...cached].map((own) => [own.key, own.digest]))
    },
    targets: () => late.backends?.balancer.targets() ?? [],
    hardwareIsGood: (instanceId) => isGood(machine(instanceId)?.fault ?? 'none'),
    agentIsWell: (instanceId) => {
      const own = machine(instanceId)
      return (
        own?.run !== undefined && !own.isHung && (late.stage?.outUntilMs ?? 0) <= scheduler.now()
      )
    },
    ...{ capacityLeft: ec2.capacityLeft, priceUsdPerHour: ec2.priceUsdPerHour },
    ...{ lastDisturbanceAtMs: faults.lastAtMs, faultsAreOn: faults.areOn },
    impossibleWorkloads: () =>
      new Set(
        mirror
          .partition('spec#workload')
          .map((own) => own.sk)
          .filter((name) => name.startsWith('huge') || name.startsWith('garbage')),
      ),
    quotaPolicy: quotaPolicySchema.parse(setup.plan.quotaPolicy),
    lostAfterMs: SETTINGS.plan.lostAfterMs,
    bootDeadlineMs: SETTINGS.plan.bootDeadlineMs,
  }
}
