/**
 * The brakes on buying: of a make in doubt one machine at a time, for a pool at its cap none.
 *
 * The one machine is that which was bought since the make came into doubt: others of it may still
 * be in their burn-in, and what becomes of them is known soon enough.
 */
import { typesByName } from '../../catalog/catalog.ts'
import type { Node } from '../../model/node.ts'
import type { Reason } from '../../model/status.ts'
import type { Buying } from '../brake/burn-ins.ts'
import { COMING, makeKey, makeOfMachine, makeOfType } from '../brake/make.ts'
import type { Draft } from '../fold.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Offer } from './offers.ts'

export type BuyingBrake = {
  /** Makes in doubt that have their one machine on the way. */
  readonly busy: Set<string>
  /** The claim is bought. */
  take(claim: Claim): void
  /** True when no machine may be bought that the claim could become. */
  holds(claim: Claim): boolean
  /** True when no machine of the offer may be bought now. */
  stops(offer: Offer): boolean
  /** Why it holds or stops something of the pool, if it does. */
  reason(pool: string): Reason | undefined
}

type Claim = Pick<Node, 'pool' | 'claim'>

export function openBuyingBrake(
  snapshot: Snapshot,
  draft: Draft,
  { doubts, caps }: Buying,
): BuyingBrake {
  const { settings } = snapshot
  const types = typesByName(snapshot.catalog)
  const pools = new Map(snapshot.pools.map((pool) => [pool.name, pool]))
  const busy = new Set<string>()
  /** A claim may become any of its places. */
  const keysOfClaim = ({ pool: name, claim }: Claim): readonly string[] => {
    const pool = pools.get(name)
    const candidates = claim.places.flatMap((own) => types.get(own.split('/')[0] ?? '') ?? [])
    if (pool === undefined) return []
    return candidates.map((type) => makeKey(makeOfType(pool, type, settings)))
  }
  const keysOf = (node: Node): readonly string[] => {
    const { machine } = node
    if (machine === undefined) return keysOfClaim(node)
    return [makeKey(makeOfMachine(node, machine, pools.get(node.pool)))]
  }
  if (doubts.size > 0) {
    for (const node of draft.nodes.values()) {
      if (!COMING.includes(node.phase)) continue
      for (const key of keysOf(node)) {
        if (node.createdAtMs >= (doubts.get(key)?.sinceMs ?? Infinity)) busy.add(key)
      }
    }
  }
  return {
    busy,
    take: (claim) => {
      if (doubts.size === 0) return
      for (const key of keysOfClaim(claim)) if (doubts.has(key)) busy.add(key)
    },
    holds: (claim) =>
      caps.has(claim.pool) || (busy.size > 0 && keysOfClaim(claim).some((key) => busy.has(key))),
    stops: ({ pool, type }) =>
      caps.has(pool.name) || (busy.size > 0 && busy.has(makeKey(makeOfType(pool, type, settings)))),
    reason: (pool) =>
      caps.get(pool) ??
      [...doubts].find(([key, own]) => own.pool === pool && busy.has(key))?.[1].reason,
  }
}
