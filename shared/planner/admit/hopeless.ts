/**
 * Work that no machine would hold, neither one that exists nor one that might be bought.
 *
 * It waits until somebody changes it, or a pool; until then nothing of a quota is kept for it, as
 * others could run in the meantime. What is only sold out, or beyond a pool's limit for now, is
 * another matter.
 */
import { typesByName } from '../../catalog/catalog.ts'
import type { Reason } from '../../model/status.ts'
import { poolsByName } from '../facts.ts'
import type { Draft } from '../fold.ts'
import {
  makeOfferTest,
  offersOf,
  whyNothingFits,
  type Asks,
  type Offer,
} from '../provision/offers.ts'
import { describeLimits, fitsAlone } from '../provision/pool-limits.ts'
import { weightOf } from '../revision.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Target } from '../target.ts'

export type Hope = {
  isHopeless(target: Target): boolean
  /** Why, pool by pool. */
  why(target: Target): readonly Reason[]
}

export function openHope({ snapshot, draft }: HopeContext): Hope {
  const soldOut = { ...snapshot, shortages: [] }
  let known: readonly Offer[] | undefined
  /** All that is ever sold, whatever is short or at its limit now. */
  const market = (): readonly Offer[] => (known ??= offersOf(soldOut))
  const types = typesByName(snapshot.catalog)
  const pools = poolsByName(snapshot.pools)
  const machines = [...draft.nodes.values()].flatMap(
    ({ pool: name, machine, capacityType, runtimes }) => {
      const [pool, type] = [pools.get(name), types.get(machine?.instanceType ?? '')]
      if (machine === undefined || pool === undefined || type === undefined) return []
      const { zone, priceUsdPerHour } = machine
      const place = { pool, type, zone, capacityType, priceUsdPerHour, runsContainers: true }
      return [{ runtimes, place }]
    },
  )
  const isHopeless = (target: Target): boolean => {
    const { image } = target.template
    const suits = testFor(target)
    if (market().some((own) => suits(own) && fitsAlone(own))) return false
    const runtime = image === undefined ? 'process' : 'docker'
    return !machines.some(
      ({ runtimes, place }) =>
        suits(place) && (runtimes.length === 0 || runtimes.includes(runtime)),
    )
  }
  return {
    isHopeless,
    why: (target) => {
      const offers = market().filter(testFor(target))
      if (offers.length === 0) return whyNothingFits({ target, ...asksOf(target) }, soldOut)
      return [...new Set(offers.map((own) => own.pool))].map((pool) => {
        const text = `pool ${pool.name} may hold no machine that would do (${describeLimits(pool)})`
        return { code: 'PoolLimit', text }
      })
    },
  }
}

type HopeContext = { readonly snapshot: Snapshot; readonly draft: Draft }

const testFor = (target: Target): ((offer: Offer) => boolean) =>
  makeOfferTest({ target, ...asksOf(target) })

/** A base on demand is asked for beside the rest, which may be anywhere. */
function asksOf({ workload: { spec }, template }: Target): Pick<Asks, 'need' | 'capacity'> {
  return { need: weightOf(template).need, capacity: CAPACITY[spec.capacity.spot] }
}

const CAPACITY = { allowed: 'any', required: 'spot', never: 'on-demand' } as const
