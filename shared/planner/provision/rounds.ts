/**
 * Rounds: places on what there is and what is coming, then machines to buy, again and again.
 *
 * What a round has placed and bought may fill a zone or carry a pool to its limit, and then those
 * that are left may go where they might not before.
 */
import type { Demand } from '../demand.ts'
import type { Want } from '../place/fill.ts'
import { place, type Placing } from '../place.ts'
import { provision } from '../provision.ts'
import type { ClaimDraft } from './claims.ts'
import type { ProvisionContext } from './provision-context.ts'
import { wantsOf, type WantContext } from './wants.ts'

export type Round = {
  readonly placed: Placing
  readonly claims: readonly ClaimDraft[]
  readonly buying: ProvisionContext
}

export type RoundContext = WantContext &
  Pick<ProvisionContext, 'limits' | 'ids' | 'weigh' | 'penalty' | 'worthOf' | 'proposed'>

export type Found = {
  readonly context: RoundContext
  readonly rounds: Round[]
  readonly claims: ClaimDraft[]
}

/** Until a round finds nothing. */
export function seekRounds(demands: readonly Demand[], { context, rounds, claims }: Found): void {
  let waiting = demands
  while (waiting.length > 0) {
    const buying = { ...context, ...wantsOf(waiting, context) }
    const before = claims.length
    const placed = place({ ...buying, nowMs: context.snapshot.nowMs })
    provision(buying, claims)
    rounds.push({ placed, claims: claims.slice(before), buying })
    if (placed.used.size === 0 && claims.length === before) break
    waiting = buying.wants.flatMap(takeLeft)
  }
}

/** What is left of the want, for the next round to find a place for. */
export function takeLeft(want: Want): readonly Demand[] {
  const count = want.left
  want.left = 0
  return count === 0 ? [] : [{ ...want.demand, count }]
}
