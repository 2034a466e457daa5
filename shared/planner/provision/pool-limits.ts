/**
 * A pool's limits, and what counts towards them.
 *
 * A machine counts as it is, from its claim until EC2 says that it is gone; a claim counts as its
 * dearest and largest candidate, since any of them may come. So no answer of EC2's can carry a pool
 * over its limits. Here, too, it is seen to that what brakes hold back is bought one machine at a
 * time, or not at all.
 */
import { typesByName } from '../../catalog/catalog.ts'
import {
  formatMib,
  formatMilli,
  parseMib,
  parseMilli,
  type Resources,
} from '../../model/quantities.ts'
import type { InstanceType } from '../../model/machine.ts'
import type { Node } from '../../model/node.ts'
import type { PoolItem } from '../../model/spec-item.ts'
import type { Reason } from '../../model/status.ts'
import type { Buying } from '../brake/burn-ins.ts'
import type { Draft } from '../fold.ts'
import { DIMENSIONS, type Dimension } from '../quota/policy.ts'
import type { Snapshot } from '../snapshot.ts'
import { openBuyingBrake } from './buying-brake.ts'
import { shapeOf, type Offer } from './offers.ts'

type Use = { cpuMilli: number; memoryMib: number; gpuMilli: number; usdPerHour: number }

type Charge = { readonly largest: Resources; readonly dearestUsdPerHour: number }

type PoolChange = { readonly gone: readonly Node[]; readonly bought: readonly Offer[] }

export type PoolBook = {
  /** True when one more machine of the offer may be bought now. */
  allows(offer: Offer): boolean
  /** True when one more machine may be bought that could be any the claim may bring. */
  holds(claim: Pick<Node, 'pool' | 'claim'>): boolean
  charge(pool: string, claim: Node['claim']): void
  /** Call what it returns to have the book charged as it is now. */
  mark(): () => void
  /** True when it might, if the nodes were gone and the others had been bought. */
  wouldAllow(offer: Offer, change: PoolChange): boolean
  /** Of what the pool's limits leave too little for one more machine of the offer. */
  shortFor(offer: Offer): readonly Dimension[]
  /** What stands in the way, in words. */
  reason(pool: string): Reason
  /** Pools at whose limit somebody waits. */
  readonly blocked: ReadonlySet<string>
}

export function openPoolBook(snapshot: Snapshot, draft: Draft, buying: Buying): PoolBook {
  const types = typesByName(snapshot.catalog)
  const pools = new Map(snapshot.pools.map((pool) => [pool.name, pool]))
  const uses = new Map<string, Use>()
  const blocked = new Set<string>()
  const brake = openBuyingBrake(snapshot, draft, buying)
  const useOf = (pool: string): Use => {
    const known = uses.get(pool)
    if (known !== undefined) return known
    const fresh: Use = { ...NO_USE }
    uses.set(pool, fresh)
    return fresh
  }
  const count = (pool: string, charge: Charge): void => {
    add(useOf(pool), charge, 1)
  }
  for (const node of draft.nodes.values()) {
    count(node.pool, chargeOf(node, types))
  }
  return {
    charge: (pool, claim) => {
      count(pool, claim)
      brake.take({ pool, claim })
    },
    mark: () => markOf(uses, brake.busy),
    blocked,
    holds: ({ pool: name, claim }) => {
      const pool = pools.get(name)
      if (pool === undefined || brake.holds({ pool: name, claim })) return false
      const use = { ...useOf(name) }
      add(use, claim, 1)
      return isBelow(pool, use)
    },
    wouldAllow: (offer, { gone, bought }) => {
      const use = { ...useOf(offer.pool.name) }
      for (const node of gone) {
        if (node.pool === offer.pool.name) add(use, chargeOf(node, types), -1)
      }
      for (const own of bought) {
        const charge = { largest: shapeOf(own), dearestUsdPerHour: own.priceUsdPerHour }
        if (own.pool.name === offer.pool.name) add(use, charge, 1)
      }
      return !brake.stops(offer) && isInside(offer, use)
    },
    shortFor: (offer) => {
      const use = useOf(offer.pool.name)
      const alone = (own: Dimension): Use => ({ ...NO_USE, [own]: use[own] })
      const short = DIMENSIONS.filter((own) => !isInside(offer, alone(own)))
      // Where money is short, whatever is given up helps.
      return isInside(offer, { ...NO_USE, usdPerHour: use.usdPerHour }) ? short : DIMENSIONS
    },
    allows: (offer) => !brake.stops(offer) && isInside(offer, useOf(offer.pool.name)),
    reason: (name) => {
      const why = brake.reason(name)
      if (why !== undefined) return why
      blocked.add(name)
      const pool = pools.get(name)
      const limits = pool === undefined ? '' : describeLimits(pool)
      return { code: 'PoolLimit', text: `pool ${name} is at its limit (${limits})` }
    },
  }
}

function markOf(uses: Map<string, Use>, busy: Set<string>): () => void {
  const before = [...uses].map(([pool, use]) => [pool, { ...use }] as const)
  const wasBusy = [...busy]
  return () => {
    uses.clear()
    for (const [pool, use] of before) uses.set(pool, { ...use })
    busy.clear()
    for (const pool of wasBusy) busy.add(pool)
  }
}

/** True when the pool may hold a machine of the offer, if it holds nothing else. */
export function fitsAlone(offer: Offer): boolean {
  return isInside(offer, NO_USE)
}

const NO_USE: Use = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0, usdPerHour: 0 }

/** A machine counts as it is, a claim at its most. */
function chargeOf({ machine, claim }: Node, types: ReadonlyMap<string, InstanceType>): Charge {
  const type = machine === undefined ? undefined : types.get(machine.instanceType)
  return {
    largest: type === undefined ? claim.largest : shapeOf({ type }),
    dearestUsdPerHour: machine?.priceUsdPerHour ?? claim.dearestUsdPerHour,
  }
}

function add(use: Use, { largest, dearestUsdPerHour }: Charge, by: 1 | -1): void {
  for (const own of DIMENSIONS) use[own] += by * largest[own]
  use.usdPerHour += by * dearestUsdPerHour
}

/** True when one more machine of the offer stays below the pool's limits. */
function isInside(offer: Offer, before: Use): boolean {
  const use = { ...before }
  add(use, { largest: shapeOf(offer), dearestUsdPerHour: offer.priceUsdPerHour }, 1)
  return isBelow(offer.pool, use)
}

function isBelow({ spec: { limits } }: PoolItem, use: Use): boolean {
  const cpu = limits.cpu === undefined ? Infinity : (parseMilli(limits.cpu) ?? 0)
  const memory = limits.memory === undefined ? Infinity : (parseMib(limits.memory) ?? 0)
  const gpu = limits.gpu === undefined ? Infinity : (parseMilli(limits.gpu) ?? 0)
  const cost = limits.costPerHour ?? Infinity
  return (
    use.cpuMilli <= cpu &&
    use.memoryMib <= memory &&
    use.gpuMilli <= gpu &&
    use.usdPerHour <= cost + 1e-9
  )
}

/** `cpu 4, $10/h` */
export function describeLimits({ spec: { limits } }: PoolItem): string {
  const parts = [
    limits.cpu === undefined ? '' : `cpu ${formatMilli(parseMilli(limits.cpu) ?? 0)}`,
    limits.memory === undefined ? '' : `memory ${formatMib(parseMib(limits.memory) ?? 0)}`,
    limits.gpu === undefined ? '' : `gpu ${formatMilli(parseMilli(limits.gpu) ?? 0)}`,
    limits.costPerHour === undefined ? '' : `$${String(limits.costPerHour)}/h`,
  ]
  return parts.filter((part) => part !== '').join(', ')
}
