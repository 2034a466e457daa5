/**
 * Turns the claims of a pass into launches: claims that EC2 may answer alike become one.
 */
import { assert } from '../../base/assert.ts'
import { byText, groupBy } from '../../base/order.ts'
import { onceFor } from '../../base/remembered.ts'
import { LIMITS } from '../../model/limits.ts'
import type { Action } from '../actions.ts'
import type { IdMaker } from '../ids.ts'
import type { ClaimDraft } from './claims.ts'

export type Launches = {
  readonly actions: readonly Action[]
  /** Nodes (claims) that this pass buys. */
  readonly bought: ReadonlySet<string>
  /** By workload uid: replicas they are bought for. */
  readonly coming: ReadonlyMap<string, number>
}

/** All launches, in the order in which their first claims were made: the most important first. */
export function launchAll(claims: readonly ClaimDraft[], ids: IdMaker): Launches {
  const coming = new Map<string, number>()
  for (const { contents } of claims) {
    for (const { want, count } of contents) {
      const { uid } = want.demand.target.workload
      coming.set(uid, (coming.get(uid) ?? 0) + count)
    }
  }
  return {
    actions: groupClaims(claims).map((group) => launchOf(group, ids.next())),
    bought: new Set(claims.map((claim) => claim.node.name)),
    coming,
  }
}

/** As far as one launch may hold them. */
function groupClaims(claims: readonly ClaimDraft[]): readonly (readonly ClaimDraft[])[] {
  const numbers = new Map<string, number>()
  const keyOf = onceFor((candidates: ClaimDraft['candidates']): number => {
    const places = candidates.map(({ pool, capacityType, type, zone }) =>
      [pool.name, capacityType, type.name, zone].join('/'),
    )
    const key = places.join(' ')
    const number = numbers.get(key) ?? numbers.size
    numbers.set(key, number)
    return number
  })
  return [...groupBy(claims, ({ candidates }) => keyOf(candidates)).values()].flatMap((group) => {
    const launches: ClaimDraft[][] = []
    for (let i = 0; i < group.length; i += LIMITS.claimsPerLaunch) {
      launches.push(group.slice(i, i + LIMITS.claimsPerLaunch))
    }
    return launches
  })
}

function launchOf(claims: readonly ClaimDraft[], id: string): Action {
  const first = claims[0]
  assert(first !== undefined, 'a launch has claims')
  const wants = claims.flatMap((claim) => claim.contents.map((own) => own.want))
  const names = [...new Set(wants.map((own) => own.demand.target.workload.name))].sort(byText)
  return {
    kind: 'launch',
    launch: {
      id,
      pool: first.node.pool,
      capacityType: first.node.capacityType,
      candidates: first.candidates.map((own) => ({
        instanceType: own.type.name,
        zone: own.zone,
      })),
      claims: claims.map((claim) => ({ ...claim.node, launchId: id })),
      workloads: names,
    },
    reason: { code: 'NeedsCapacity', text: `for ${names.join(', ')}` },
  }
}
