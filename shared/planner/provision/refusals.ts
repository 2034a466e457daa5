/**
 * Why replicas have no place: what stands between them and every machine that would do.
 */
import { byText } from '../../base/order.ts'
import type { Reason } from '../../model/status.ts'
import type { Refusal } from '../actions.ts'
import type { Demand } from '../demand.ts'
import { roomByRules, type Want } from '../place/fill.ts'
import { binOfOffer } from '../provision.ts'
import { whyNothingFits, type Offer } from './offers.ts'
import type { ProvisionContext } from './provision-context.ts'

/** Why those that are left of the want have no place. */
export function refusalOf(want: Want, context: ProvisionContext): Refusal {
  const { target } = want.demand
  return {
    workload: target.workload.name,
    version: target.version,
    count: want.left,
    reasons: whyRefused(want, context),
  }
}

const NOTHING_IDLE: Reason = {
  code: 'NothingIdle',
  text: 'it borrows room that is idle on machines already there, and none is',
}

function whyRefused(want: Want, context: ProvisionContext): readonly Reason[] {
  const offers = context.offersFor.get(want) ?? []
  if (!want.demand.mayBuy) return [NOTHING_IDLE]
  if (offers.length === 0) return whyNothingFits(want.demand, context.snapshot)
  const open = offers.filter((offer) => context.limits.allows(offer))
  if (open.length === 0) {
    const pools = [...new Set(offers.map((offer) => offer.pool.name))].sort(byText)
    return pools.map((pool) => context.limits.reason(pool))
  }
  if (open.every((offer) => roomByRules(context.board, binOfOffer(offer), want) <= 0)) {
    return [whyRulesForbid(want.demand, open)]
  }
  const text = 'nothing that would do could be bought just now; the next pass tries again'
  return [{ code: 'Waiting', text }]
}

function whyRulesForbid(demand: Demand, open: readonly Offer[]): Reason {
  if (demand.spotPoolCap !== Infinity && open.every((offer) => offer.capacityType === 'spot')) {
    const text =
      'every spot pool holds as many as one storm may take; no on-demand machine is allowed'
    return { code: 'SpotStorm', text }
  }
  return { code: 'Topology', text: 'spread, affinity or anti-affinity allows no further place' }
}
