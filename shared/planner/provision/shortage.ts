/**
 * Remembers where EC2 had nothing to sell, and for how long nobody should ask again.
 *
 * Each failure at a place doubles the wait, up to an hour, and a success forgets it. An error about
 * a quota is no fact about one place: it holds for the whole class of types, or for the whole way
 * of buying.
 */
import { quotaClassOf } from '../../catalog/quota-class.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Shortage } from '../../model/facts.ts'
import type { CapacityType } from '../../model/machine.ts'

export type LaunchFailure = {
  readonly instanceType?: string | undefined
  readonly zone?: string | undefined
  readonly code: string
  readonly text: string
}

/** The code of what was remembered because EC2 took a spot machine back. */
export const SPOT_INTERRUPTION = 'SpotInterruption'

/** True when nothing should be bought there now. */
export function isClosed({ code, untilMs }: Shortage, nowMs: number): boolean {
  return code !== SPOT_INTERRUPTION && untilMs > nowMs
}

/** Codes that speak of the account's quota for a class of types. (research: serverless §4d) */
const CLASS_QUOTA: ReadonlySet<string> = new Set([
  'MaxSpotInstanceCountExceeded',
  'VcpuLimitExceeded',
])
/** Codes that speak of its quota for a capacity type. */
const QUOTA: ReadonlySet<string> = new Set([
  'MaxFleetCountExceeded',
  'MaxSpotFleetRequestCountExceeded',
])
const CLASS = 'class:'
const SUBNET_FULL = 'InsufficientFreeAddressesInSubnet'

/** The place that a failure speaks of; undefined when it names none and is no quota. */
export function placeOfFailure(
  failure: LaunchFailure,
): { instanceType: string; zone: string } | undefined {
  if (QUOTA.has(failure.code)) return { instanceType: '*', zone: '*' }
  const { instanceType, zone } = failure
  if (CLASS_QUOTA.has(failure.code)) {
    const types = instanceType === undefined ? '*' : `${CLASS}${quotaClassOf(instanceType)}`
    return { instanceType: types, zone: '*' }
  }
  if (failure.code === SUBNET_FULL && zone !== undefined) return { instanceType: '*', zone }
  if (instanceType === undefined || zone === undefined) return undefined
  return { instanceType, zone }
}

type Offered = Pick<Shortage, 'instanceType' | 'zone' | 'capacityType'>

/** True where the shortage speaks of what is offered there. */
export function isShortOf(short: Offered, { instanceType, zone, capacityType }: Offered): boolean {
  return (
    short.capacityType === capacityType &&
    (short.zone === '*' || short.zone === zone) &&
    isShortOfType(short, instanceType)
  )
}

/** True where it speaks of the type, wherever and however that is bought. */
export function isShortOfType(
  { instanceType }: Pick<Shortage, 'instanceType'>,
  type: string,
): boolean {
  if (instanceType === '*' || instanceType === type) return true
  return instanceType.startsWith(CLASS) && instanceType.slice(CLASS.length) === quotaClassOf(type)
}

export type Remembering = {
  readonly capacityType: CapacityType
  readonly known: readonly Shortage[]
  readonly nowMs: number
}

/** The shortages that the failures make, one a place. */
export function rememberShortages(
  failures: readonly LaunchFailure[],
  { capacityType, known, nowMs }: Remembering,
): readonly Shortage[] {
  const found = new Map<string, Shortage>()
  for (const failure of failures) {
    const place = placeOfFailure(failure)
    if (place === undefined) continue
    const old = known.find(
      (own) =>
        own.instanceType === place.instanceType &&
        own.zone === place.zone &&
        own.capacityType === capacityType,
    )
    const failures = (old?.failures ?? 0) + 1
    const waitMs = Math.min(LIMITS.shortageFirstMs * 2 ** (failures - 1), LIMITS.shortageMaxMs)
    found.set(`${place.instanceType}/${place.zone}`, {
      kind: 'shortage',
      ...place,
      capacityType,
      code: failure.code,
      text: failure.text.slice(0, 200),
      failures,
      sinceMs: old?.sinceMs ?? nowMs,
      untilMs: nowMs + waitMs,
    })
  }
  return [...found.values()]
}
