/**
 * A pool's limits, and what counts towards them.
 *
 * A machine counts as it is, from its claim until EC2 says that it is gone; a claim counts as its
 * dearest and largest candidate, since any of them may come. So no answer of EC2's can carry a pool
 * over its limits.
 */
import { typesByName } from '../catalog/catalog.ts'
import {
  formatMib,
  formatMilli,
  parseMib,
  parseMilli,
  type Resources,
} from '../model/quantities.ts'
import type { Node } from '../model/node.ts'
import type { PoolItem } from '../model/spec-item.ts'
import type { Reason } from '../model/status.ts'
import type { Draft } from './fold.ts'
import { shapeOf, type Offer } from './offers.ts'
import type { Snapshot } from './snapshot.ts'

type Use = { cpuMilli: number; memoryMib: number; gpuMilli: number; usdPerHour: number }

export type PoolBook = {
  /** True when one more machine of the offer may be bought now. */
  allows(offer: Offer): boolean
  /** True when one more machine may be bought that could be any the claim may bring. */
  holds(claim: Pick<Node, 'pool' | 'claim'>): boolean
  charge(pool: string, claim: { largest: Resources; dearestUsdPerHour: number }): void
  /** What stands in the way, in words. */
  reason(pool: string): Reason
  /** Pools at whose limit somebody waits. */
  readonly blocked: ReadonlySet<string>
}

/** `onTrial`: pools that are bought one machine at a time. */
export function openPoolBook(
  snapshot: Snapshot,
  draft: Draft,
  onTrial: ReadonlySet<string>,
): PoolBook {
  const types = typesByName(snapshot.catalog)
  const pools = new Map(snapshot.pools.map((pool) => [pool.name, pool]))
  const uses = new Map<string, Use>()
  const blocked = new Set<string>()
  /** Pools on trial that have their one machine on the way. */
  const busy = new Set<string>()
  const useOf = (pool: string): Use => {
    const known = uses.get(pool)
    if (known !== undefined) return known
    const fresh: Use = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0, usdPerHour: 0 }
    uses.set(pool, fresh)
    return fresh
  }
  const count: PoolBook['charge'] = (pool, { largest, dearestUsdPerHour }) => {
    const use = useOf(pool)
    use.cpuMilli += largest.cpuMilli
    use.memoryMib += largest.memoryMib
    use.gpuMilli += largest.gpuMilli
    use.usdPerHour += dearestUsdPerHour
  }
  for (const { pool, phase, machine, claim } of draft.nodes.values()) {
    const type = machine === undefined ? undefined : types.get(machine.instanceType)
    count(pool, {
      largest: type === undefined ? claim.largest : shapeOf({ type }),
      dearestUsdPerHour: machine?.priceUsdPerHour ?? claim.dearestUsdPerHour,
    })
    if (onTrial.has(pool) && COMING.includes(phase)) busy.add(pool)
  }
  return {
    charge: (pool, claim) => {
      count(pool, claim)
      if (onTrial.has(pool)) busy.add(pool)
    },
    blocked,
    allows: (offer) => {
      const { pool, priceUsdPerHour: usdPerHour } = offer
      const more = { ...shapeOf(offer), usdPerHour }
      return !busy.has(pool.name) && isInside(pool, { use: useOf(pool.name), more })
    },
    holds: ({ pool: name, claim }) => {
      const pool = pools.get(name)
      const more = { ...claim.largest, usdPerHour: claim.dearestUsdPerHour }
      return !busy.has(name) && pool !== undefined && isInside(pool, { use: useOf(name), more })
    },
    reason: (name) => {
      if (busy.has(name)) {
        const text = `machines of pool ${name} fail their burn-in: they are tried one at a time`
        return { code: 'BrakeApplied', text }
      }
      blocked.add(name)
      const pool = pools.get(name)
      const limits = pool === undefined ? '' : describeLimits(pool)
      return { code: 'PoolLimit', text: `pool ${name} is at its limit (${limits})` }
    },
  }
}

/** True when the pool may hold a machine of the offer, if it holds nothing else. */
export function fitsAlone(offer: Offer): boolean {
  return isInside(offer, { cpuMilli: 0, memoryMib: 0, gpuMilli: 0, usdPerHour: 0 })
}

/** Phases of a machine that has not passed yet. */
const COMING: readonly string[] = ['launching', 'booting', 'testing']

type More = { readonly use: Readonly<Use>; readonly more: Readonly<Use> }

function isInside({ spec: { limits } }: PoolItem, { use, more }: More): boolean {
  const cpu = limits.cpu === undefined ? Infinity : (parseMilli(limits.cpu) ?? 0)
  const memory = limits.memory === undefined ? Infinity : (parseMib(limits.memory) ?? 0)
  const gpu = limits.gpu === undefined ? Infinity : (parseMilli(limits.gpu) ?? 0)
  const cost = limits.costPerHour ?? Infinity
  return (
    use.cpuMilli + more.cpuMilli <= cpu &&
    use.memoryMib + more.memoryMib <= memory &&
    use.gpuMilli + more.gpuMilli <= gpu &&
    use.usdPerHour + more.usdPerHour <= cost + 1e-9
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
