/**
 * The state that the verbs of the emulated EC2 share, and how effects leave it.
 *
 * A verb changes state first and leaves what must be told in `outbox`; only when it is done is the
 * change journalled and the outbox told, in order. So a hook may call the world again, and a
 * process is never started for an instance that no journal knows.
 */
import type { Random } from '../../base/random.ts'
import type {
  Ec2Faults,
  Ec2Hooks,
  Ec2Instance,
  Ec2Offering,
  Ec2Options,
  Place,
  Refusal,
  TokenRecord,
} from './types.ts'

export type World = {
  readonly options: Ec2Options
  readonly hooks: Ec2Hooks
  readonly clock: () => number
  random: Random
  faults: Ec2Faults
  sequence: number
  /** By type and zone: so many hosts were handed out so far, numbered from 0. */
  readonly hosts: Map<string, number>
  readonly instances: Map<string, Ec2Instance>
  readonly tokens: Map<string, TokenRecord>
  /** By `placeKey`. */
  readonly offerings: Map<string, Ec2Offering>
  readonly vcpuByType: ReadonlyMap<string, number>
  /** Keys of offerings that are not as the options had them. */
  readonly changedOfferings: Set<string>
  /** Instances that hold a slot of a place, by `placeKey`. */
  readonly used: Map<string, number>
  readonly buckets: Map<string, { tokens: number; atMs: number }>
  readonly outbox: (() => void)[]
  /** Earliest moment at which something is due, as far as known; undefined: look again. */
  nextDueMs: number | undefined
}

export function placeKey(place: Place): string {
  return `${place.instanceType}/${place.zone}/${place.capacityType}`
}

export function hold(world: World, place: Place, slots: number): void {
  const key = placeKey(place)
  world.used.set(key, (world.used.get(key) ?? 0) + slots)
}

/** Tells the world's hooks what happened, oldest first. */
export function flush(world: World): void {
  for (let tell = world.outbox.shift(); tell !== undefined; tell = world.outbox.shift()) tell()
}

export function refuse(code: string, text: string, httpStatus = 400): Refusal {
  return { answer: 'refused', code, text, httpStatus }
}

/** `length` hexadecimal digits. */
export function hexOf(random: Random, length: number): string {
  let text = ''
  while (text.length < length) text += random.word().toString(16).padStart(8, '0')
  return text.slice(0, length)
}
