/**
 * What bad machines add to the price of a place, when places are compared.
 *
 * Where a share p of the machines fails, one good machine takes 1/(1-p) of them on average. What
 * was seen is mixed with twenty machines as they are anywhere, of which one in a hundred fails, so
 * that one bad machine raises the price by a few per cent. The most is half as much again: a place
 * is only ever put behind others, never refused, and what people are told of costs stays as it is.
 */
import { onceFor } from '../../base/remembered.ts'
import { rateKey, type Rate } from '../../model/rates.ts'
import { makeOfType } from '../brake/make.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Offer } from './offers.ts'

/** Of machines anywhere: new ones fail seldom. */
const USUAL_RATE = 0.01
const USUAL_COUNT = 20
const MOST = 1.5

/** A factor to the price, 1 where nothing bad is known. */
export type Penalty = (offer: Pick<Offer, 'pool' | 'type' | 'zone'>) => number

export function penaltyOf({ failed, passed }: Pick<Rate, 'failed' | 'passed'>): number {
  const rate = (failed + USUAL_RATE * USUAL_COUNT) / (failed + passed + USUAL_COUNT)
  return Math.min(Math.max(1, (1 - USUAL_RATE) / (1 - rate)), MOST)
}

export const NO_PENALTY: Penalty = () => 1

export function openPenalty({ rates, settings }: Pick<Snapshot, 'rates' | 'settings'>): Penalty {
  const dear = (rates?.rates ?? []).flatMap((own) => {
    const penalty = penaltyOf(own)
    return penalty > 1 ? [[rateKey(own), penalty] as const] : []
  })
  if (dear.length === 0) return NO_PENALTY
  const penalties = new Map(dear)
  return onceFor(({ pool, type, zone }) => {
    const { imageId } = makeOfType(pool, type, settings)
    return penalties.get(rateKey({ instanceType: type.name, zone, imageId })) ?? 1
  })
}

/** How much dearer than the place that is meant it must count, for EC2 not to be asked for it. */
const TEMPTING = 1.1

/**
 * True for a place that EC2 would take for its price, not knowing why another one is meant. It is
 * asked for when there is nothing at the other one.
 */
export function isTempting(own: Offer, meant: Offer, penalty: Penalty): boolean {
  return own.priceUsdPerHour < meant.priceUsdPerHour && penalty(own) >= TEMPTING * penalty(meant)
}
