/**
 * An emulated EC2: one world behind the simulator, the memory fleet and the laptop's drover.
 *
 * It has what makes EC2 hard: places that run out, prices that move, tokens that remember, buckets
 * that run dry, instances that are not listed yet, never boot, or get two minutes' notice, and
 * answers that never arrive. It is deterministic: the same seed, calls and times make the same
 * story to the last byte. It has no clock of its own: `settle()` lets happen what is due by
 * `clock()`, and `nextDueMs()` says when to call it next; every verb settles first. Nothing in it
 * waits or fails by throwing; what EC2 would refuse is an answer.
 */
import { makeRandom } from '../base/random.ts'
import type { InstanceType } from '../model/machine.ts'
import { controlsOf, type Ec2Controls } from './memory-ec2/controls.ts'
import {
  describeInstances,
  describeInstanceStatus,
  describeInstanceTypeOfferings,
  describeInstanceTypes,
  describeSpotPriceHistory,
  findAll,
  type InstanceQuery,
  type StatusQuery,
} from './memory-ec2/describe.ts'
import { createFleet } from './memory-ec2/launch.ts'
import { changed, nextDueMs, restart, settle, shutDown } from './memory-ec2/life.ts'
import { capacityLeft, priceAt } from './memory-ec2/market.ts'
import { EC2_DEFAULTS } from './memory-ec2/options.ts'
import { throttle, type Action } from './memory-ec2/throttle.ts'
import type {
  Ec2Answer,
  Ec2Dump,
  Ec2Faults,
  Ec2Hooks,
  Ec2Instance,
  Ec2Offering,
  Ec2Options,
  FleetAnswer,
  FleetRequest,
  InstanceStatus,
  Page,
  PageRequest,
  Place,
  Refusal,
  SpotPrice,
  StateChange,
} from './memory-ec2/types.ts'
import { hold, placeKey, type World } from './memory-ec2/world.ts'

type Made<T> = { readonly answer: 'done'; readonly value: T } | Refusal

export type MemoryEc2 = Ec2Controls & {
  readonly options: Ec2Options

  // EC2's verbs, as a client meets them: throttled, refused, lost
  createFleet(request: FleetRequest): Ec2Answer<FleetAnswer>
  terminateInstances(instanceIds: readonly string[]): Ec2Answer<readonly StateChange[]>
  rebootInstances(instanceIds: readonly string[]): Ec2Answer<null>
  describeInstances(query: InstanceQuery): Ec2Answer<Page<Ec2Instance>>
  describeInstanceStatus(query: StatusQuery): Ec2Answer<Page<InstanceStatus>>
  describeInstanceTypes(
    query: PageRequest & { readonly instanceTypes?: readonly string[] },
  ): Ec2Answer<Page<InstanceType>>
  describeInstanceTypeOfferings(
    query: PageRequest,
  ): Ec2Answer<Page<{ instanceType: string; zone: string }>>
  describeSpotPriceHistory(
    query: PageRequest & { readonly startMs?: number; readonly instanceTypes?: readonly string[] },
  ): Ec2Answer<Page<SpotPrice>>

  // The world itself, seen by whoever owns it
  settle(): void
  nextDueMs(): number | undefined
  /** Every instance it remembers, the fresh and the terminated too. */
  instances(): readonly Ec2Instance[]
  instance(instanceId: string): Ec2Instance | undefined
  /** Every place that sells, as it stands. */
  offerings(): readonly Ec2Offering[]
  capacityLeft(place: Place): number
  /** What a place asks now; undefined where nothing is sold. */
  priceUsdPerHour(place: Place): number | undefined
  faults(): Ec2Faults
  dump(): Ec2Dump
  restore(dump: Ec2Dump): void
}

export type MemoryEc2Setup = {
  /** Milliseconds since the epoch; may only grow. */
  readonly clock: () => number
  readonly options?: Partial<Ec2Options>
  readonly hooks?: Ec2Hooks
}

export function makeMemoryEc2({ clock, options = {}, hooks = {} }: MemoryEc2Setup): MemoryEc2 {
  const world = makeWorld(clock, { ...EC2_DEFAULTS, ...options }, hooks)
  return { options: world.options, ...verbsOf(world), ...controlsOf(world), ...viewsOf(world) }
}

function makeWorld(clock: () => number, options: Ec2Options, hooks: Ec2Hooks): World {
  return {
    options,
    hooks,
    clock,
    random: makeRandom(options.seed),
    faults: options.faults,
    sequence: 0,
    hosts: new Map(),
    instances: new Map(),
    tokens: new Map(),
    offerings: new Map(options.offerings.map((own) => [placeKey(own), own])),
    vcpuByType: new Map(options.instanceTypes.map(({ name, vcpu }) => [name, vcpu])),
    changedOfferings: new Set(),
    used: new Map(),
    buckets: new Map(),
    outbox: [],
    nextDueMs: undefined,
  }
}

type Call<T> = {
  readonly action: Action
  readonly cost?: { readonly instances?: number; readonly everything?: boolean }
  readonly changes: boolean
  readonly run: () => Made<T>
}

function answer<T>(world: World, call: Call<T>): Ec2Answer<T> {
  settle(world)
  const refusal = throttle(world, call.action, call.cost)
  if (refusal !== undefined) return refusal
  const made = call.run()
  if (call.changes && made.answer === 'done') changed(world)
  return world.random.chance(world.faults.loseResponsesRate) ? { answer: 'lost' } : made
}

type Verbs = Pick<
  MemoryEc2,
  | 'createFleet'
  | 'terminateInstances'
  | 'rebootInstances'
  | 'describeInstances'
  | 'describeInstanceStatus'
  | 'describeInstanceTypes'
  | 'describeInstanceTypeOfferings'
  | 'describeSpotPriceHistory'
>

function verbsOf(world: World): Verbs {
  const change = <T>(action: Action, instances: number, run: () => Made<T>): Ec2Answer<T> =>
    answer(world, { action, cost: { instances }, changes: true, run })
  const look = <T>(action: Action, query: InstanceQuery, run: () => Made<T>): Ec2Answer<T> => {
    const { instanceIds, filters, maxResults } = query
    const narrow = instanceIds ?? filters?.[0] ?? maxResults
    return answer(world, {
      action,
      cost: { everything: narrow === undefined },
      changes: false,
      run,
    })
  }
  return {
    createFleet: (request) => change('CreateFleet', 0, () => createFleet(world, request)),
    terminateInstances: (ids) =>
      change('TerminateInstances', ids.length, () => terminateInstances(world, ids)),
    rebootInstances: (ids) => change('RebootInstances', 0, () => rebootInstances(world, ids)),
    describeInstances: (query) =>
      look('DescribeInstances', query, () => describeInstances(world, query)),
    describeInstanceStatus: (query) =>
      look('DescribeInstanceStatus', query, () => describeInstanceStatus(world, query)),
    describeInstanceTypes: (query) =>
      look('DescribeInstanceTypes', { maxResults: 1 }, () => describeInstanceTypes(world, query)),
    describeInstanceTypeOfferings: (query) =>
      look('DescribeInstanceTypeOfferings', { maxResults: 1 }, () =>
        describeInstanceTypeOfferings(world, query),
      ),
    describeSpotPriceHistory: (query) =>
      look('DescribeSpotPriceHistory', { maxResults: 1 }, () =>
        describeSpotPriceHistory(world, query),
      ),
  }
}

/** All or nothing: one unknown id fails the call, and no instance is touched. */
function terminateInstances(
  world: World,
  instanceIds: readonly string[],
): Made<readonly StateChange[]> {
  const found = findAll(world, instanceIds)
  if (found.answer === 'refused') return found
  const value = found.value.map((instance) => {
    const previous = instance.state
    shutDown(world, instance, world.clock())
    return { instanceId: instance.instanceId, previous, current: instance.state }
  })
  return { answer: 'done', value }
}

function rebootInstances(world: World, instanceIds: readonly string[]): Made<null> {
  const found = findAll(world, instanceIds)
  if (found.answer === 'refused') return found
  for (const instance of found.value) restart(world, instance, world.clock())
  return { answer: 'done', value: null }
}

type Views = Omit<MemoryEc2, keyof Verbs | keyof Ec2Controls | 'options'>

function viewsOf(world: World): Views {
  return {
    settle: () => {
      settle(world)
    },
    nextDueMs: () => nextDueMs(world),
    instances: () => [...world.instances.values()],
    instance: (instanceId) => world.instances.get(instanceId),
    offerings: () => [...world.offerings.values()],
    capacityLeft: (place) => capacityLeft(world, place),
    priceUsdPerHour: (place) => priceAt(world, place, world.clock()),
    faults: () => world.faults,
    dump: () => dump(world),
    restore: (from) => {
      restore(world, from)
    },
  }
}

function dump(world: World): Ec2Dump {
  const offerings = [...world.changedOfferings].flatMap((key) => world.offerings.get(key) ?? [])
  return structuredClone({
    random: world.random.state(),
    sequence: world.sequence,
    hosts: Object.fromEntries(world.hosts),
    instances: [...world.instances.values()],
    tokens: Object.fromEntries(world.tokens),
    offerings,
    faults: world.faults,
  })
}

/** Puts the world where the dump was; tells no hook: whoever restores knows what ran. */
function restore(world: World, from: Ec2Dump): void {
  const { random, sequence, hosts, instances, tokens, offerings, faults } = structuredClone(from)
  world.random = makeRandom(random)
  world.sequence = sequence
  world.faults = faults
  world.hosts.clear()
  world.instances.clear()
  world.tokens.clear()
  world.used.clear()
  world.buckets.clear()
  world.nextDueMs = undefined
  for (const [place, count] of Object.entries(hosts)) world.hosts.set(place, count)
  for (const instance of instances) {
    world.instances.set(instance.instanceId, instance)
    if (instance.state !== 'terminated') hold(world, instance, 1)
  }
  for (const [token, record] of Object.entries(tokens)) world.tokens.set(token, record)
  for (const offering of offerings) {
    world.offerings.set(placeKey(offering), offering)
    world.changedOfferings.add(placeKey(offering))
  }
}
