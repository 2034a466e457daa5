/**
 * What EC2 or bad luck does to instances and places, on request: the levers of a simulation, of the
 * laptop's controls and of tests. A lever that cannot be pulled says why.
 */
import { changed, die, isAlive, notice, recommendRebalance, settle } from './life.ts'
import type { ControlOutcome, Ec2Faults, Ec2Instance, Ec2Offering, Place } from './types.ts'
import { placeKey, type World } from './world.ts'

export type OfferingChange = Place & Partial<Pick<Ec2Offering, 'capacity' | 'priceUsdPerHour'>>

export type Ec2Controls = {
  /**
   * A spot notice: the event and the metadata now, the end `noticeSeconds` later (default 120 s).
   */
  interrupt(instanceId: string, noticeSeconds?: number): ControlOutcome
  rebalance(instanceId: string): ControlOutcome
  /** Gone at once, without a notice. */
  kill(instanceId: string): ControlOutcome
  /** Status checks fail from now on, or, with `false`, pass again. */
  impair(instanceId: string, impaired?: boolean): ControlOutcome
  /**
   * A shortage, a glut or a price. Capacity below what runs ends nothing: it only sells no more.
   * A price set here stands still. A place that sold nothing so far needs both.
   */
  setOffering(change: OfferingChange): ControlOutcome
  setFaults(change: Partial<Ec2Faults>): void
}

export function controlsOf(world: World): Ec2Controls {
  const control = (
    instanceId: string,
    act: (instance: Ec2Instance) => string | undefined,
  ): ControlOutcome => {
    settle(world)
    const instance = world.instances.get(instanceId)
    if (instance === undefined) {
      return { done: false, code: 'NotFound', text: `there is no instance ${instanceId}` }
    }
    const state = isAlive(instance) ? undefined : `${instanceId} is ${instance.state} already`
    const text = state ?? act(instance)
    if (text !== undefined) return { done: false, code: 'WrongState', text }
    changed(world)
    return { done: true }
  }
  const onlySpot = ({ instanceId, capacityType }: Ec2Instance): string | undefined =>
    capacityType === 'spot' ? undefined : `${instanceId} is on-demand: EC2 takes back spot alone`
  return {
    interrupt: (instanceId, noticeSeconds) =>
      control(instanceId, (instance) => {
        const noticeMs =
          noticeSeconds === undefined ? world.options.noticeMs : noticeSeconds * 1_000
        const text = onlySpot(instance)
        if (text === undefined) notice(world, instance, { atMs: world.clock(), noticeMs })
        return text
      }),
    rebalance: (instanceId) =>
      control(instanceId, (instance) => {
        const text = onlySpot(instance)
        if (text === undefined) recommendRebalance(world, instance, world.clock())
        return text
      }),
    kill: (instanceId) =>
      control(instanceId, (instance) => {
        die(world, instance, world.clock())
        return undefined
      }),
    impair: (instanceId, impaired = true) =>
      control(instanceId, (instance) => {
        instance.impaired = impaired
        return undefined
      }),
    setOffering: (change) => setOffering(world, change),
    setFaults: (change) => {
      settle(world)
      world.faults = { ...world.faults, ...change }
      changed(world)
    },
  }
}

function setOffering(world: World, change: OfferingChange): ControlOutcome {
  settle(world)
  const key = placeKey(change)
  const known = world.offerings.get(key)
  const { instanceType, zone, capacityType } = change
  const capacity = change.capacity ?? known?.capacity
  const priceUsdPerHour = change.priceUsdPerHour ?? known?.priceUsdPerHour
  if (capacity === undefined || priceUsdPerHour === undefined) {
    const text = `${key} sells nothing yet: give both capacity and priceUsdPerHour`
    return { done: false, code: 'NotFound', text }
  }
  const pinned = change.priceUsdPerHour !== undefined || known?.pinned === true
  const offering = { instanceType, zone, capacityType, capacity, priceUsdPerHour, pinned }
  world.offerings.set(key, offering)
  world.changedOfferings.add(key)
  changed(world)
  return { done: true }
}
