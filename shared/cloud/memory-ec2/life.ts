/**
 * An instance's life: pending, running, shutting down, terminated, forgotten an hour later.
 *
 * What is due happens at the moment it was due, in the order of time, however late anybody looks;
 * so a world that is settled every second and one that is settled once a day tell the same story.
 */
import { emitRebalance, emitSpotWarning, emitStateChange } from './events.ts'
import type { Ec2Instance } from './types.ts'
import { flush, hold, type World } from './world.ts'

const HOUR_MS = 3_600_000

export function isAlive(instance: Ec2Instance): boolean {
  return instance.state === 'pending' || instance.state === 'running'
}

/** A bare instance at its birth: its slot is taken, its boot and its weather are drawn. */
export function bear(
  world: World,
  born: Omit<Ec2Instance, 'boots' | 'state' | 'up' | 'bootNumber' | 'impaired'>,
): Ec2Instance {
  const { options, random, faults } = world
  const instance: Ec2Instance = {
    ...born,
    boots: !random.chance(faults.neverBootsRate),
    state: 'pending',
    up: false,
    bootNumber: 1,
    impaired: false,
    startsAtMs: born.launchedAtMs + random.int(options.bootMs.min, options.bootMs.max),
  }
  if (instance.capacityType === 'spot' && faults.spotInterruptionsPerHour > 0) {
    // Exponential waits: the notices of a herd come as a Poisson stream.
    const hours = -Math.log(1 - random.next()) / faults.spotInterruptionsPerHour
    instance.weatherAtMs = born.launchedAtMs + Math.round(hours * HOUR_MS)
  }
  hold(world, instance, 1)
  world.instances.set(instance.instanceId, instance)
  world.nextDueMs = undefined
  emitStateChange(world, instance, instance.launchedAtMs)
  return instance
}

/** Orders the end of an instance. One that is on its way out stays so. */
export function shutDown(world: World, instance: Ec2Instance, atMs: number): void {
  if (!isAlive(instance)) return
  const { min, max } = world.options.shutdownMs
  instance.state = 'shutting-down'
  instance.endsAtMs = atMs + world.random.int(min, max)
  stop(world, instance)
  emitStateChange(world, instance, atMs)
}

/** The machine is gone this very moment. */
export function die(world: World, instance: Ec2Instance, atMs: number): void {
  if (isAlive(instance)) {
    instance.state = 'shutting-down'
    stop(world, instance)
    emitStateChange(world, instance, atMs)
  }
  if (instance.state === 'shutting-down') terminated(world, instance, atMs)
}

function terminated(world: World, instance: Ec2Instance, atMs: number): void {
  instance.state = 'terminated'
  instance.endsAtMs = atMs
  hold(world, instance, -1)
  world.nextDueMs = undefined
  emitStateChange(world, instance, atMs)
}

/**
 * Takes the operating system down and comes up again after one boot; EC2 says `running` throughout.
 */
export function restart(world: World, instance: Ec2Instance, atMs: number): void {
  if (instance.state !== 'running') return
  const { min, max } = world.options.bootMs
  stop(world, instance)
  instance.startsAtMs = atMs + world.random.int(min, max)
}

function stop(world: World, instance: Ec2Instance): void {
  world.nextDueMs = undefined
  instance.startsAtMs = undefined
  instance.weatherAtMs = isAlive(instance) ? instance.weatherAtMs : undefined
  if (!instance.up) return
  instance.up = false
  const { onEnd } = world.hooks
  if (onEnd === undefined) return
  world.outbox.push(() => {
    onEnd(instance)
  })
}

function start(world: World, instance: Ec2Instance, atMs: number): void {
  instance.startsAtMs = undefined
  if (instance.state === 'pending') {
    instance.state = 'running'
    emitStateChange(world, instance, atMs)
  } else {
    instance.bootNumber += 1
  }
  if (!instance.boots) return
  instance.up = true
  const { onStart } = world.hooks
  if (onStart === undefined) return
  world.outbox.push(() => {
    // Told late, it may be over already: nobody must start an agent on a dead machine.
    if (instance.up) onStart(instance)
  })
}

/** Gives a spot instance its notice; a second one never moves the first deadline back. */
export function notice(
  world: World,
  instance: Ec2Instance,
  when: { atMs: number; noticeMs: number },
): void {
  const deadlineMs = when.atMs + when.noticeMs
  const sooner = Math.min(deadlineMs, instance.interruption?.atMs ?? Infinity)
  instance.interruption = { action: 'terminate', atMs: sooner }
  instance.weatherAtMs = undefined
  world.nextDueMs = undefined
  emitSpotWarning(world, instance, when.atMs)
}

export function recommendRebalance(world: World, instance: Ec2Instance, atMs: number): void {
  instance.rebalanceAtMs ??= atMs
  emitRebalance(world, instance, atMs)
}

type Due = { readonly atMs: number; readonly happen: () => void }

/** What happens to the instance next, and when. */
function dueOf(world: World, instance: Ec2Instance): Due | undefined {
  const { state, startsAtMs, weatherAtMs, interruption, endsAtMs } = instance
  if (state === 'terminated') {
    const forget = (): void => void world.instances.delete(instance.instanceId)
    return { atMs: (endsAtMs ?? 0) + world.options.forgetAfterMs, happen: forget }
  }
  if (state === 'shutting-down') {
    const atMs = endsAtMs ?? 0
    return {
      atMs,
      happen: () => {
        terminated(world, instance, atMs)
      },
    }
  }
  const dues: Due[] = []
  const add = (atMs: number | undefined, happen: (atMs: number) => void): void => {
    if (atMs !== undefined)
      dues.push({
        atMs,
        happen: () => {
          happen(atMs)
        },
      })
  }
  add(startsAtMs, (atMs) => {
    start(world, instance, atMs)
  })
  add(weatherAtMs, (atMs) => {
    notice(world, instance, { atMs, noticeMs: world.options.noticeMs })
  })
  add(interruption?.atMs, (atMs) => {
    shutDown(world, instance, atMs)
  })
  return dues.reduce<Due | undefined>(
    (best, own) => (best === undefined || own.atMs < best.atMs ? own : best),
    undefined,
  )
}

function firstDue(world: World): Due | undefined {
  let first: Due | undefined
  for (const instance of world.instances.values()) {
    const due = dueOf(world, instance)
    if (due !== undefined && due.atMs < (first?.atMs ?? Infinity)) first = due
  }
  world.nextDueMs = first?.atMs ?? Infinity
  return first
}

/** When something next happens by itself; undefined when nothing ever will. */
export function nextDueMs(world: World): number | undefined {
  const atMs = world.nextDueMs ?? firstDue(world)?.atMs ?? Infinity
  return atMs === Infinity ? undefined : atMs
}

/** Lets everything happen that is due by now; says whether anything did. */
function settleDue(world: World): boolean {
  const nowMs = world.clock()
  if (world.nextDueMs !== undefined && world.nextDueMs > nowMs) return false
  let happened = false
  for (let due = firstDue(world); due !== undefined; due = firstDue(world)) {
    if (due.atMs > nowMs) break
    world.nextDueMs = undefined
    due.happen()
    happened = true
  }
  return happened
}

/** Lets everything happen that is due by now, and tells of it. */
export function settle(world: World): void {
  if (settleDue(world)) changed(world)
}

/** The journal first, then everyone else. */
export function changed(world: World): void {
  world.hooks.onChange?.()
  flush(world)
}
