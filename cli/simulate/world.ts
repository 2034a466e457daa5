/**
 * Drover and its cloud in memory, on virtual time: the API's writes, reconcile, burn-in,
 * interruption, market and repack as they run on AWS, on the emulated EC2, with machines that do as
 * they are told.
 *
 * Nothing goes wrong here that is not asked for: faults are the simulator's business
 * (`test/simulation/`). A pass takes no time, and waits at least so long after the one before it;
 * everything that wakes on AWS wakes here.
 */
import { assert } from '#shared/base/assert.ts'
import { silentLogger } from '#shared/base/log.ts'
import { catalog } from '#shared/catalog/catalog.ts'
import { spotPriceUsdPerHour } from '#shared/catalog/spot.ts'
import { DEFAULT_ZONES, REGION } from '#shared/catalog/zones.ts'
import { makeCountingIds } from '#shared/cloud/counting-ids.ts'
import { makeMemoryBalancer } from '#shared/cloud/memory-balancer.ts'
import { makeMemoryBus } from '#shared/cloud/memory-bus.ts'
import { makeMemoryEc2, type MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import { EC2_DEFAULTS } from '#shared/cloud/memory-ec2/options.ts'
import type { Ec2Event, Ec2Offering } from '#shared/cloud/memory-ec2/types.ts'
import { makeMemoryFleet } from '#shared/cloud/memory-fleet.ts'
import { makeMemoryMetrics } from '#shared/cloud/memory-metrics.ts'
import { makeMemoryPrices } from '#shared/cloud/memory-prices.ts'
import type { Queue } from '#shared/cloud/queue.ts'
import { changeSpec, type Change as SpecChange } from '#shared/controllers/admin-api/change-spec.ts'
import { judgeChanges } from '#shared/controllers/burn-in.ts'
import { takeInEc2Event } from '#shared/controllers/interruption.ts'
import { updateMarket } from '#shared/controllers/market.ts'
import {
  MEMORY_ACCOUNT,
  memoryInstallation,
} from '#shared/controllers/reconcile/memory-installation.ts'
import { reconcile, snapshotSettings } from '#shared/controllers/reconcile/reconcile.ts'
import type { ReconcilePorts } from '#shared/controllers/reconcile/settings.ts'
import { repack } from '#shared/controllers/repack.ts'
import { wakeForChanges } from '#shared/controllers/wake.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { GenerateBudget } from '#shared/planner/packing/generate.ts'
import type { Solver } from '#shared/planner/packing/linear-program.ts'
import type { SearchBudget } from '#shared/planner/repack/search.ts'
import type { Document } from '#shared/protocol/documents.ts'
import { makeMemoryStore, type MemoryStore } from '#shared/store/memory-store.ts'
import type { SnapshotSettings } from '#shared/store/snapshot.ts'
import type { Change } from '#shared/store/store.ts'
import type { Agenda } from './agenda.ts'
import { makeMachines, type Machines } from './machines.ts'

const HOUR_MS = 3_600_000
/** As the stack has it. */
const REPACK_EVERY_MS = 900_000
/** EventBridge brings an event about so late. */
const EVENT_AFTER_MS = 500

export type WorldSetup = {
  readonly agenda: Agenda
  readonly seed: number
  /** Instances that each place can hold at once. */
  readonly capacity: number
  /** From one pass to the next, at least. */
  readonly passEveryMs: number
  readonly solver: Solver
  /** Work that one look of `repack` may take. */
  readonly lookBudget: GenerateBudget & SearchBudget
  readonly onChange: (change: Change) => void
  readonly onEc2Event: (event: Ec2Event) => void
}

export type World = {
  readonly ec2: MemoryEc2
  readonly store: MemoryStore
  /** As `PUT` and `DELETE` of the API. */
  apply(document: Document): Promise<void>
  remove(document: Document): Promise<void>
  readonly settings: SnapshotSettings
  start(): Promise<void>
  /** Tells drover of whatever has changed in the table since. */
  flush(): Promise<void>
}

const SETTINGS = memoryInstallation('replay')

export function makeWorld(setup: WorldSetup): World {
  const { agenda } = setup
  const clock = { now: agenda.now, sleep: () => Promise.resolve() }
  const store = makeMemoryStore({ clock })
  const machines = makeMachines({ agenda, store })
  const changes: Change[] = []
  store.changes((change) => {
    changes.push(change)
    const { pk, sk } = change.key
    if (sk === 'head') machines.assigned(pk.slice('assign#'.length))
    setup.onChange(change)
  })
  const events: Ec2Event[] = []
  const ec2 = makeEc2(setup, machines, (event) => {
    setup.onEc2Event(event)
    events.push(event)
  })
  const queue = makeWakes(setup, () => pass())
  const ports: ReconcilePorts = {
    ...{ store, history: makeMemoryStore({ clock }), fleet: makeMemoryFleet(ec2), queue },
    ...{ bus: makeMemoryBus(0), balancer: makeMemoryBalancer({ clock }) },
    ...{ metrics: makeMemoryMetrics(), clock, log: silentLogger },
  }
  const settings = snapshotSettings(SETTINGS)
  const flush = async (): Promise<void> => {
    for (const event of events.splice(0)) {
      agenda.at(agenda.now() + EVENT_AFTER_MS, () => takeInEc2Event(ports, event))
    }
    while (changes.length > 0) {
      const batch = changes.splice(0)
      await judgeChanges(ports, batch)
      await wakeForChanges(ports, batch)
    }
  }
  const ids = makeCountingIds()
  const change = async ({ noun, name }: Document, wanted: SpecChange): Promise<void> => {
    const { outcome } = await changeSpec({ ...ports, ids }, { noun, name }, () => wanted)
    assert(outcome !== 'refused', 'nobody else writes specs', { noun, name })
    await flush()
  }
  const pass = async (): Promise<void> => {
    await machines.beat()
    await reconcile(ports, SETTINGS)
    await flush()
  }
  return {
    ...{ ec2, store, settings, flush },
    apply: (document) => change(document, { kind: 'store', document }),
    remove: (document) => change(document, { kind: 'delete' }),
    start: () => startSchedules(setup, { ports, ec2, settings, flush }),
  }
}

function makeEc2(
  { agenda, seed, capacity }: WorldSetup,
  machines: Machines,
  onEvent: (event: Ec2Event) => void,
): MemoryEc2 {
  let settlesAtMs = Infinity
  const settleWhenDue = (): void => {
    const atMs = ec2.nextDueMs()
    if (atMs === undefined || atMs >= settlesAtMs) return
    settlesAtMs = atMs
    agenda.at(atMs, () => {
      settlesAtMs = Infinity
      ec2.settle()
      settleWhenDue()
    })
  }
  const ec2 = makeMemoryEc2({
    clock: agenda.now,
    hooks: {
      ...{ onChange: settleWhenDue, onEvent, onStart: machines.boot },
      onEnd: ({ instanceId }) => {
        machines.shutDown(instanceId)
      },
    },
    options: {
      ...{
        seed,
        region: REGION,
        account: MEMORY_ACCOUNT,
        zones: DEFAULT_ZONES,
        instanceTypes: catalog,
      },
      offerings: offeringsOf(agenda.now(), { seed, capacity }),
      priceWalk: {
        ...EC2_DEFAULTS.priceWalk,
        spotPriceAt: ({ instanceType: type, zone }, atMs) =>
          spotPriceUsdPerHour({ type, zone, atMs, seed }),
      },
    },
  })
  return ec2
}

/** Every type in every zone, both ways to buy. */
function offeringsOf(
  atMs: number,
  { seed, capacity }: Pick<WorldSetup, 'seed' | 'capacity'>,
): readonly Ec2Offering[] {
  return catalog.flatMap(({ name: type, onDemandUsdPerHour }) =>
    DEFAULT_ZONES.flatMap((zone): Ec2Offering[] => {
      const place = { instanceType: type, zone, capacity }
      const spot = spotPriceUsdPerHour({ type, zone, atMs, seed })
      return [
        { ...place, capacityType: 'on-demand', priceUsdPerHour: onDemandUsdPerHour },
        { ...place, capacityType: 'spot', priceUsdPerHour: spot },
      ]
    }),
  )
}

/** One wake stands at a time: the earliest that was asked for. */
function makeWakes({ agenda, passEveryMs }: WorldSetup, pass: () => Promise<void>): Queue {
  let dueMs = Infinity
  let lastMs = -Infinity
  const wakeAt = (atMs: number): Promise<void> => {
    const fromMs = Math.max(atMs + LIMITS.wakeDelayMs, lastMs + passEveryMs)
    if (fromMs < dueMs) {
      dueMs = fromMs
      agenda.at(fromMs, async () => {
        // An earlier wake took its place.
        if (dueMs !== fromMs) return
        dueMs = Infinity
        lastMs = agenda.now()
        await pass()
      })
    }
    return Promise.resolve()
  }
  return {
    wake: () => wakeAt(agenda.now()),
    wakeLater: (_, delayMs) => wakeAt(agenda.now() + delayMs),
  }
}

type Running = {
  readonly ports: ReconcilePorts
  readonly ec2: MemoryEc2
  readonly settings: SnapshotSettings
  readonly flush: () => Promise<void>
}

/** The market is read first, for without prices nothing is bought. */
async function startSchedules(setup: WorldSetup, running: Running): Promise<void> {
  const { agenda, solver, lookBudget } = setup
  const { ports, ec2, settings, flush } = running
  const every = (ms: number, fromMs: number, act: () => Promise<unknown>): void => {
    agenda.at(fromMs, async () => {
      await act()
      await flush()
      every(ms, fromMs + ms, act)
    })
  }
  const readMarket = (): Promise<unknown> =>
    updateMarket({ ...ports, prices: makeMemoryPrices(ec2) })
  const nowMs = agenda.now()
  await readMarket()
  every(HOUR_MS, nowMs + HOUR_MS, readMarket)
  every(LIMITS.tickMs, nowMs, () => ports.queue.wake('tick'))
  every(REPACK_EVERY_MS, nowMs + REPACK_EVERY_MS, () =>
    repack({ ...ports, settings, solver: () => Promise.resolve(solver), budget: lookBudget }),
  )
}
