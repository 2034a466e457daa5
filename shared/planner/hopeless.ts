/**
 * Work that no machine would hold, neither one that exists nor one that might be bought.
 *
 * It waits until somebody changes it, or a pool; until then nothing of a quota is kept for it, as
 * others could run in the meantime. What is only sold out, or beyond a pool's limit for now, is
 * another matter.
 */
import { typesByName } from '../catalog/catalog.ts'
import { poolsByName } from './facts.ts'
import type { Draft } from './fold.ts'
import { makeOfferTest, offersOf, whyNothingFits, type Asks, type Offer } from './offers.ts'
import { describeLimits, fitsAlone } from './pool-limits.ts'
import { revisionOf } from './revision.ts'
import type { Snapshot } from './snapshot.ts'
import type { Reason } from '../model/status.ts'
import type { Target } from './target.ts'

type HopeContext = { readonly snapshot: Snapshot; readonly draft: Draft }

export function isHopeless(target: Target, { snapshot, draft }: HopeContext): boolean {
  const { image } = target.template
  const suits = testFor(target)
  if (image === undefined && marketFor(target, snapshot).some(fitsAlone)) return false
  const types = typesByName(snapshot.catalog)
  const pools = poolsByName(snapshot.pools)
  for (const { pool: name, machine, capacityType, runtimes } of draft.nodes.values()) {
    const pool = pools.get(name)
    const type = types.get(machine?.instanceType ?? '')
    if (machine === undefined || pool === undefined || type === undefined) continue
    if (image !== undefined && !runtimes.includes('docker')) continue
    const { zone, priceUsdPerHour } = machine
    if (suits({ pool, type, zone, capacityType, priceUsdPerHour })) return false
  }
  return true
}

/** Why, pool by pool. */
export function whyHopeless(target: Target, snapshot: Snapshot): readonly Reason[] {
  const offers = target.template.image === undefined ? marketFor(target, snapshot) : []
  if (offers.length === 0) {
    return whyNothingFits({ target, ...asksOf(target) }, { ...snapshot, shortages: [] })
  }
  return [...new Set(offers.map((own) => own.pool))].map((pool) => {
    const text = `pool ${pool.name} may hold no machine that would do (${describeLimits(pool)})`
    return { code: 'PoolLimit', text }
  })
}

/** All that is ever sold and would hold one replica, whatever is short or at its limit now. */
function marketFor(target: Target, snapshot: Snapshot): readonly Offer[] {
  return offersOf({ ...snapshot, shortages: [] }).filter(testFor(target))
}

const testFor = (target: Target): ((offer: Offer) => boolean) =>
  makeOfferTest({ target, ...asksOf(target) })

/** A base on demand is asked for beside the rest, which may be anywhere. */
function asksOf({ workload: { spec } }: Target): Pick<Asks, 'need' | 'capacity'> {
  return { need: revisionOf(spec).need, capacity: CAPACITY[spec.capacity.spot] }
}

const CAPACITY = { allowed: 'any', required: 'spot', never: 'on-demand' } as const
