/**
 * What may be bought in place of machines that do their work: nothing that is likelier to be lost.
 *
 * A cheaper spot pool is often cheaper because it is about to run dry. So a place that EC2 refused
 * a while ago is left alone, and spot machines are exchanged only for spot machines that AWS's
 * advisor calls no riskier.
 */
import { LIMITS } from '../../model/limits.ts'
import type { Offering } from '../../model/machine.ts'
import type { Node } from '../../model/node.ts'
import type { RepackLaunch, RepackReason } from '../../model/repack.ts'
import { offeringKey } from '../provision/prices.ts'
import { isShortOf } from '../provision/shortage.ts'
import type { Snapshot } from '../snapshot.ts'
import { isForMoney } from './herd.ts'

/** Which offerings may be bought for a group. */
export type Allows = (own: Offering) => boolean

/** Those that are quiet, and known to be no riskier than the nodes to be emptied. */
export function calmOf(snapshot: Snapshot, risk: number): Allows {
  const { shortages, nowMs } = snapshot
  const loud = shortages.filter((own) => nowMs < own.untilMs + LIMITS.repackQuietMs)
  return (own) =>
    (own.capacityType === 'on-demand' || (own.interruptionBucket ?? Infinity) <= risk) &&
    !loud.some((short) => isShortOf(short, own))
}

export type Risk = (leaving: Leaving) => number

/**
 * How risky that may be which is bought in place of nodes: as the worst bucket among their spot
 * machines. Whoever leaves on-demand machines may go anywhere, and so may whoever must go.
 */
export function openRisk({ offerings }: Pick<Snapshot, 'offerings'>): Risk {
  const buckets = new Map(
    offerings.map((own) => [offeringKey(own), own.interruptionBucket ?? Infinity]),
  )
  return ({ retire, reason }) => {
    if (!isForMoney(reason)) return Infinity
    const spot = retire.flatMap((own) =>
      own.capacityType === 'spot' && own.machine !== undefined ? [own.machine] : [],
    )
    if (spot.length === 0) return Infinity
    const keys = spot.map((own) => offeringKey({ ...own, capacityType: 'spot' }))
    return Math.max(...keys.map((own) => buckets.get(own) ?? Infinity))
  }
}

type Leaving = { readonly retire: readonly Node[]; readonly reason: RepackReason }

/** Dearer zones of a machine are left out from here on: any of its places may come up. */
const SAME_PRICE = 1.05

/** Those that cost about as little as any of their sort. */
export function nearCheapest(offerings: readonly Offering[]): Allows {
  const cheapest = new Map<string, number>()
  for (const own of offerings) {
    const sort = sortOf(own)
    cheapest.set(sort, Math.min(cheapest.get(sort) ?? Infinity, own.priceUsdPerHour))
  }
  return (own) => own.priceUsdPerHour <= (cheapest.get(sortOf(own)) ?? 0) * SAME_PRICE
}

/** `<instance type> <capacity type>`, wherever it is sold. */
export const sortOf = (own: Pick<Offering, 'instanceType' | 'capacityType'>): string =>
  `${own.instanceType} ${own.capacityType}`

/**
 * The market for a trial. What must not be bought stays on it at a forbidding price: who may run
 * where also follows from what is for sale, and that must not seem to have changed.
 */
export function marketFor(offerings: readonly Offering[], allows: Allows): readonly Offering[] {
  return Object.freeze(
    offerings.map((own) =>
      allows(own) ? own : { ...own, priceUsdPerHour: own.priceUsdPerHour * FORBIDDING },
    ),
  )
}

const FORBIDDING = 1_000

/** The offerings in one of the places that a group was proposed with. */
export function placesOf(launch: readonly RepackLaunch[]): Allows {
  const places = new Set(
    launch.flatMap(({ places, capacityType }) => places.map((own) => `${own} ${capacityType}`)),
  )
  return ({ instanceType, zone, capacityType }) =>
    places.has(`${instanceType}/${zone} ${capacityType}`)
}
