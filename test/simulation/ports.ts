/**
 * The ports as one invocation gets them: the memory versions, each call parked, told and in danger.
 *
 * Nothing is made up here. What a call does is what the memory table, queue or EC2 does; this file
 * says how long calls take, what their failures look like, and who hears of them.
 */
import { describeError } from '#shared/base/errors.ts'
import { byText } from '#shared/base/order.ts'
import { FleetError } from '#shared/cloud/fleet-error.ts'
import { BalancerError } from '#shared/cloud/balancer-error.ts'
import type { Balancer } from '#shared/cloud/balancer.ts'
import type { Target } from '#shared/model/service.ts'
import type { Bus } from '#shared/cloud/bus.ts'
import type { Clock } from '#shared/cloud/clock.ts'
import type { Fleet } from '#shared/cloud/fleet.ts'
import { unread, type MetricSource } from '#shared/cloud/metric-source.ts'
import type { MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import type { MemoryMetricSource } from '#shared/cloud/memory-metric-source.ts'
import type { MemoryQueue } from '#shared/cloud/memory-queue.ts'
import { PricesError } from '#shared/cloud/prices-error.ts'
import type { Prices } from '#shared/cloud/prices.ts'
import { QueueError } from '#shared/cloud/queue-error.ts'
import type { Queue, WakeBody } from '#shared/cloud/queue.ts'
import { delayedWakeSeconds, wakeBucket } from '#shared/cloud/wake-timing.ts'
import type { MemoryStore } from '#shared/store/memory-store.ts'
import { StoreError, type Change, type Item, type Store, type Write } from '#shared/store/store.ts'
import type { Balancers } from './balancer.ts'
import type { Calls, CallSpec, Invocation } from './calls.ts'
import type { Scheduler } from './scheduler.ts'
import type { Seen } from './traffic.ts'

export type Backends = {
  readonly scheduler: Scheduler
  readonly calls: Calls
  readonly store: MemoryStore
  readonly history: MemoryStore
  readonly queue: MemoryQueue
  readonly ec2: MemoryEc2
  readonly fleet: Fleet
  readonly balancer: Balancers
  readonly prices: Prices
  readonly metrics: MemoryMetricSource
  readonly see: (seen: Seen) => void
  /** What the main table's stream has told since it was last asked. */
  readonly takeChanges: () => readonly Change[]
  /** Agents' beats are written when somebody is about to read them. */
  readonly refreshBeats: () => void
  /** Which partitions a scan reads when it begins; undefined: it reads all of them at once. */
  readonly tear: (scan: string) => ((pk: string) => boolean) | undefined
  /** Something was put into a queue. */
  readonly onSend: () => void
}

export type Ports = {
  readonly store: Store
  readonly history: Store
  readonly queue: Queue
  readonly fleet: Fleet
  readonly balancer: Balancer
  readonly bus: Bus
  readonly prices: Prices
  readonly metrics: MetricSource
  readonly clock: Clock
}

const LATENCY = {
  read: { min: 1, max: 6 },
  write: { min: 3, max: 15 },
  scan: { min: 8, max: 40 },
  tornScan: { min: 100, max: 3_000 },
  send: { min: 3, max: 30 },
  launch: { min: 600, max: 2_500 },
  ec2: { min: 120, max: 800 },
} as const

type Latency = keyof typeof LATENCY
type Called<T> = {
  readonly method: string
  readonly takes: Latency
  readonly act: () => Promise<T>
} & Partial<Pick<CallSpec<T>, 'lostAnswer' | 'conflict'>>

const failureOf: Readonly<Record<string, (text: string) => Error>> = {
  store: (text) => new StoreError({ text, next: 'try again' }),
  history: (text) => new StoreError({ text, next: 'try again' }),
  queue: (text) => new QueueError({ text, next: 'try again' }),
  fleet: (text) => new FleetError({ text, next: 'try again' }),
  balancer: (text) => new BalancerError({ text, next: 'try again', code: 'Unreachable' }),
  prices: (text) => new PricesError({ text, next: 'try again' }),
  bus: (text) => new Error(text),
}

type Caller = <T>(port: string, called: Called<T>) => Promise<T>

export function makePorts(backends: Backends, invocation: Invocation): Ports {
  const { calls, scheduler } = backends
  const call: Caller = <T>(port: string, { takes, ...called }: Called<T>) =>
    calls.call<T>(invocation, {
      ...called,
      port,
      latencyMs: LATENCY[takes],
      failure: failureOf[port] ?? ((text) => new Error(text)),
    })
  const now = (): number => scheduler.now() + invocation.skewMs
  return {
    store: mainTable(backends, invocation, call),
    history: table(backends.history, 'history', call),
    queue: queueOf(backends, now, call),
    fleet: fleetOf(backends, invocation, call),
    balancer: balancerOf(backends, invocation, call),
    bus: {
      publish: (events) =>
        call('bus', {
          method: 'publish',
          takes: 'send',
          act: () => {
            const atMs = scheduler.now()
            backends.see({ kind: 'decided', atMs, by: invocation, events })
            return Promise.resolve()
          },
        }),
    },
    prices: {
      instanceTypes: () =>
        call('prices', {
          method: 'instanceTypes',
          takes: 'ec2',
          act: () => backends.prices.instanceTypes(),
        }),
      zones: () =>
        call('prices', { method: 'zones', takes: 'ec2', act: () => backends.prices.zones() }),
    },
    metrics: {
      // As the adapters: what goes wrong is an answer.
      read: async (metric) => {
        const act = () => backends.metrics.read(metric)
        try {
          return await call('metrics', { method: 'read', takes: 'ec2', act })
        } catch (error) {
          return unread('Unreachable', describeError(error))
        }
      },
    },
    clock: {
      now,
      sleep: (ms) =>
        new Promise((wake) => {
          scheduler.at(scheduler.now() + ms, () => {
            if (invocation.alive) wake()
          })
        }),
    },
  }
}

const LOST = { applied: false, index: 0, reason: 'condition' } as const
const CONFLICT = { applied: false, index: 0, reason: 'conflict' } as const

function table(store: Store, port: string, call: Caller): Store {
  return {
    get: (key, options) =>
      call(port, { method: 'get', takes: 'read', act: () => store.get(key, options) }),
    getMany: (keys) =>
      call(port, { method: 'getMany', takes: 'read', act: () => store.getMany(keys) }),
    query: (pk, options) =>
      call(port, { method: 'query', takes: 'read', act: () => store.query(pk, options) }),
    scan: () => call(port, { method: 'scan', takes: 'scan', act: () => store.scan() }),
    write: (write) =>
      call(port, {
        method: 'write',
        takes: 'write',
        act: () => store.write(write),
        // The adapter sends a conditional write again; the condition then fails on its own effect.
        ...((write.when ?? []).length > 0 ? { lostAnswer: LOST } : {}),
      }),
    update: (key, fields, when) =>
      call(port, {
        method: 'update',
        takes: 'write',
        act: () => store.update(key, fields, when),
        ...((when ?? []).length > 0 ? { lostAnswer: LOST } : {}),
      }),
    transact: (writes, token) =>
      call(port, {
        method: 'transact',
        takes: 'write',
        act: () => store.transact(writes, token),
        conflict: CONFLICT,
      }),
  }
}

/** The main table: who reads all of it and who changes it is told. */
function mainTable(backends: Backends, by: Invocation, call: Caller): Store {
  const { store, scheduler, see, takeChanges, refreshBeats, tear } = backends
  const told = <T>(writes: readonly Write[], made: Promise<T>): Promise<T> => {
    const changes = takeChanges()
    if (changes.length > 0) {
      see({ kind: 'write', atMs: scheduler.now(), by, writes, changes })
    }
    return made
  }
  const tellingStore: Store = {
    ...store,
    write: (write) => told([write], store.write(write)),
    update: (key, fields, when) => {
      const made = store.update(key, fields, when)
      const item = { ...fields, ...key }
      return told([{ kind: 'put', item, ...(when === undefined ? {} : { when }) }], made)
    },
    transact: (writes, token) => told(writes, store.transact(writes, token)),
  }
  const readAll = (): Promise<readonly Item[]> => {
    refreshBeats()
    return store.scan()
  }
  return {
    ...table(tellingStore, 'store', call),
    scan: () => {
      const isEarly = tear(`${by.label}.${String(by.calls)}`)
      const torn = isEarly === undefined ? undefined : { isEarly, early: readAll() }
      const act = async (): Promise<readonly Item[]> => {
        const late = await readAll()
        const items = torn === undefined ? late : joined(await torn.early, late, torn.isEarly)
        see({ kind: 'scan', atMs: scheduler.now(), by, items })
        return items
      }
      const takes = torn === undefined ? 'scan' : 'tornScan'
      return call('store', { method: 'scan', takes, act })
    },
  }
}

/** Of one reading some partitions and of another one the others, in the order of a scan. */
function joined(
  early: readonly Item[],
  late: readonly Item[],
  isEarly: (pk: string) => boolean,
): readonly Item[] {
  const own = early.filter(({ pk }) => isEarly(pk))
  return [...own, ...late.filter(({ pk }) => !isEarly(pk))].sort(
    (a, b) => byText(a.pk, b.pk) || byText(a.sk, b.sk),
  )
}

/** SQS stamps what it receives by its own clock; the sender stamps what it writes by its own. */
function queueOf(
  { queue, scheduler, onSend }: Backends,
  senderNow: () => number,
  call: Caller,
): Queue {
  const bodyOf = (reason: string): string =>
    JSON.stringify({ reason, sentAtMs: senderNow() } satisfies WakeBody)
  const sent = (): Promise<void> => {
    onSend()
    return Promise.resolve()
  }
  return {
    wake: (reason) =>
      call('queue', {
        method: 'wake',
        takes: 'send',
        act: () => {
          const dedupId = wakeBucket(senderNow())
          queue.fifo.send(bodyOf(reason), { nowMs: scheduler.now(), dedupId })
          return sent()
        },
      }),
    wakeLater: (reason, delayMs) =>
      call('queue', {
        method: 'wakeLater',
        takes: 'send',
        act: () => {
          const delay = delayedWakeSeconds(delayMs) * 1000
          queue.delayed.send(bodyOf(reason), { nowMs: scheduler.now(), delayMs: delay })
          return sent()
        },
      }),
  }
}

function balancerOf(
  { balancer, scheduler, see }: Backends,
  by: Invocation,
  call: Caller,
): Balancer {
  const told = (
    what: 'register' | 'deregister',
    targetGroupArn: string,
    targets: readonly Target[],
  ): Promise<void> =>
    call('balancer', {
      method: what,
      takes: 'ec2',
      act: () => {
        const atMs = scheduler.now()
        see({ kind: 'balance', atMs, by, what, targetGroupArn, targets })
        return balancer[what](targetGroupArn, targets)
      },
    })
  return {
    // An answer that is lost has told nobody anything.
    health: async (targetGroupArn) => {
      const act = () => balancer.health(targetGroupArn)
      const targets = await call('balancer', { method: 'health', takes: 'ec2', act })
      see({ kind: 'targets', atMs: scheduler.now(), by, targetGroupArn, targets })
      return targets
    },
    register: (targetGroupArn, targets) => told('register', targetGroupArn, targets),
    deregister: (targetGroupArn, targets) => told('deregister', targetGroupArn, targets),
  }
}

function fleetOf({ fleet, ec2, scheduler, see }: Backends, by: Invocation, call: Caller): Fleet {
  const at = (): { atMs: number; by: Invocation } => ({ atMs: scheduler.now(), by })
  return {
    launch: (request) =>
      call('fleet', {
        method: 'launch',
        takes: 'launch',
        act: async () => {
          const known = new Set(ec2.instances().map((own) => own.instanceId))
          const made = fleet.launch(request)
          const fresh = ec2.instances().filter((own) => !known.has(own.instanceId))
          const born = fresh.map((own) => own.instanceId)
          const outcome = await made
          see({ kind: 'launch', ...at(), request, outcome, born })
          return outcome
        },
      }),
    terminate: (instanceIds) =>
      call('fleet', {
        method: 'terminate',
        takes: 'ec2',
        act: () => {
          see({ kind: 'terminate', ...at(), instanceIds })
          return fleet.terminate(instanceIds)
        },
      }),
    reboot: (instanceIds) =>
      call('fleet', {
        method: 'reboot',
        takes: 'ec2',
        act: () => {
          see({ kind: 'reboot', ...at(), instanceIds })
          return fleet.reboot(instanceIds)
        },
      }),
    list: (tableUid) =>
      call('fleet', {
        method: 'list',
        takes: 'ec2',
        act: async () => {
          const instances = await fleet.list(tableUid)
          see({ kind: 'list', ...at(), instances })
          return instances
        },
      }),
    describe: (instanceIds) =>
      call('fleet', { method: 'describe', takes: 'ec2', act: () => fleet.describe(instanceIds) }),
    impaired: (instanceIds) =>
      call('fleet', {
        method: 'impaired',
        takes: 'ec2',
        act: async () => {
          const found = await fleet.impaired(instanceIds)
          see({ kind: 'impaired', ...at(), instanceIds: found })
          return found
        },
      }),
  }
}
