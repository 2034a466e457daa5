/**
 * What is worth saying of a document that was accepted: guarantees that no pool could ever keep,
 * and data that nobody keeps room for.
 *
 * It is no fault, because pools and teams are written one after the other, and in any order.
 */
import { parseMib, parseMilli, formatMib, formatMilli } from '#shared/model/quantities.ts'
import type { PoolItem, TeamItem, WorkloadItem } from '#shared/model/spec-item.ts'
import type { Reason } from '#shared/model/status.ts'

export type Guarantees = {
  readonly teams: readonly TeamItem[]
  readonly pools: readonly PoolItem[]
}

/** In the order of the teams; what all of them are guaranteed together comes last. */
export function warningsOf({ teams, pools }: Guarantees): readonly Reason[] {
  const own = teams.flatMap((team) => {
    const open = pools.filter(({ spec }) => spec.team === undefined || spec.team === team.name)
    return DIMENSIONS.flatMap((dimension) => {
      const [quota, limit] = [guaranteeOf([team], dimension), limitOf(open, dimension)]
      if (quota <= limit) return []
      const text =
        `team ${team.name} is guaranteed ${dimension.tell(quota)}, and the pools it may use ` +
        `are limited to ${dimension.tell(limit)}`
      return [{ code: 'GuaranteeBeyondLimits', text }]
    })
  })
  const all = DIMENSIONS.flatMap((dimension) => {
    const [quota, limit] = [guaranteeOf(teams, dimension), limitOf(pools, dimension)]
    if (quota <= limit || teams.length < 2) return []
    const text =
      `all teams together are guaranteed ${dimension.tell(quota)}, and all pools are limited ` +
      `to ${dimension.tell(limit)}`
    return [{ code: 'GuaranteesBeyondLimits', text }]
  })
  return [...own, ...all]
}

/** Data takes room on every node, and only a request tells the planner how much. */
export function dataWarnings({ spec }: WorkloadItem): readonly Reason[] {
  if (spec.data === undefined || spec.resources.disk !== undefined) return []
  const text = 'data without resources.disk: no room is kept for it, and a node may have too little'
  return [{ code: 'DataWithoutDisk', text }]
}

type Dimension = {
  readonly key: 'cpu' | 'memory' | 'gpu'
  parse(text: string | number): number
  tell(amount: number): string
}

const DIMENSIONS: readonly Dimension[] = [
  { key: 'cpu', parse: (text) => parseMilli(text) ?? 0, tell: (own) => `cpu ${formatMilli(own)}` },
  {
    key: 'memory',
    parse: (text) => parseMib(text) ?? 0,
    tell: (own) => `memory ${formatMib(own)}`,
  },
  { key: 'gpu', parse: (text) => parseMilli(text) ?? 0, tell: (own) => `gpu ${formatMilli(own)}` },
]

function guaranteeOf(teams: readonly TeamItem[], { key, parse }: Dimension): number {
  return teams.reduce((sum, { spec }) => {
    const quota = spec.quota[key]
    return quota === undefined ? sum : sum + parse(quota)
  }, 0)
}

/** Infinity as soon as one of the pools has no such limit, and where there is none yet. */
function limitOf(pools: readonly PoolItem[], { key, parse }: Dimension): number {
  if (pools.length === 0) return Infinity
  return pools.reduce((sum, { spec }) => {
    const limit = spec.limits[key]
    return sum + (limit === undefined ? Infinity : parse(limit))
  }, 0)
}
