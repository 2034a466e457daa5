/**
 * What its nodes tell of a place: that a machine from there failed its burn-in, or that EC2 took
 * one back.
 *
 * The first is a shortage like any other: the next try goes somewhere else. A place that was taken
 * back from may have plenty left, and in a storm every place has been; so it stays open, and only
 * weighs more for a while, the more often it happened. A shortage that is over weighs like that
 * too, for an hour. And where machines fail their burn-in often, each weighs more for as long as
 * that is remembered (`failure-penalty.ts`).
 */
import { groupBy } from '../../base/order.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Shortage } from '../../model/facts.ts'
import type { Action } from '../actions.ts'
import { BURN_IN_FAILED } from '../brake.ts'
import type { Snapshot } from '../snapshot.ts'
import { NO_PENALTY, type Penalty } from './failure-penalty.ts'
import type { Offer } from './offers.ts'
import { isClosed, rememberShortages, SPOT_INTERRUPTION } from './shortage.ts'

/** What the actions of this pass so far say of the places of their nodes. */
export function shortagesFound(
  { nodes, shortages, nowMs }: Snapshot,
  actions: readonly Action[],
): readonly Shortage[] {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const found = actions.flatMap((action) => {
    const news = newsOf(action)
    const node = news === undefined ? undefined : byName.get(news.node)
    if (news === undefined || node?.machine === undefined) return []
    const { instanceType, zone } = node.machine
    const { capacityType } = node
    const isKnown = node.interruption !== undefined
    if (news.code === SPOT_INTERRUPTION && (isKnown || capacityType !== 'spot')) return []
    return { capacityType, failure: { instanceType, zone, code: news.code, text: news.text } }
  })
  const made = [...groupBy(found, (own) => own.capacityType)].flatMap(([capacityType, group]) =>
    rememberShortages(
      group.map((own) => own.failure),
      { capacityType, known: shortages, nowMs },
    ),
  )
  const closed = new Set(shortages.filter((own) => isClosed(own, nowMs)).map(placeKey))
  return made.filter((own) => own.code !== SPOT_INTERRUPTION || !closed.has(placeKey(own)))
}

type News = { readonly node: string; readonly code: string; readonly text: string }

function newsOf(action: Action): News | undefined {
  if (action.kind === 'advance' && action.to === 'quarantined') {
    return { node: action.node, code: BURN_IN_FAILED, text: action.reason.text }
  }
  if (action.kind === 'note' && action.changes.interruption !== undefined) {
    return { node: action.node, code: SPOT_INTERRUPTION, text: action.reason.text }
  }
  return undefined
}

type Placed = Pick<Shortage, 'instanceType' | 'zone' | 'capacityType'>

function placeKey({ instanceType, zone, capacityType }: Placed): string {
  return `${instanceType}/${zone}/${capacityType}`
}

/** What each time that EC2 failed a place adds to its price when places are compared. */
const WEIGHT = 0.1
/** More often makes no difference. */
const MOST_COUNTED = 3

/** What an offer costs to whoever weighs places against each other: USD an hour and a surcharge. */
export type Weigh = (offer: Offer) => number

export function openWeigh(
  shortages: readonly Shortage[],
  nowMs: number,
  penalty: Penalty = NO_PENALTY,
): Weigh {
  const recent = shortages.filter((own) => own.untilMs + LIMITS.shortageMaxMs > nowMs)
  const failures = new Map(recent.map((own) => [placeKey(own), own.failures]))
  if (failures.size === 0 && penalty === NO_PENALTY) return ({ priceUsdPerHour }) => priceUsdPerHour
  return (offer) => {
    const { type, zone, capacityType, priceUsdPerHour } = offer
    const count = failures.get(placeKey({ instanceType: type.name, zone, capacityType })) ?? 0
    const surcharge = 1 + WEIGHT * Math.min(count, MOST_COUNTED)
    return priceUsdPerHour * surcharge * penalty(offer)
  }
}
