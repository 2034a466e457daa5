/**
 * Spread, affinity and anti-affinity: where one more replica of a workload may go.
 *
 * Spread over zones keeps the counts within one of each other among the zones in which the workload
 * can be had at all; a zone that sells nothing just now does not hold the others back. Spread over
 * nodes is a preference. Anti-affinity is one replica a domain; affinity follows those already
 * there.
 */
import { rulesBy, type Demand, type TopologyRule } from '../demand.ts'
import { countIn, type Board } from './board.ts'

/** True when the rules of the demand care which zone a replica is in. */
export function isZoned(demand: Demand): boolean {
  return rulesBy(demand.target.workload, 'zone').length > 0
}

/**
 * How many more replicas of the demand the zone may take, where it can be had in any of `zones`:
 * its even share of all there will be.
 */
export function zoneRoom(
  board: Board,
  demand: Demand,
  { zone, zones }: { zone: string; zones: readonly string[] },
): number {
  return rulesBy(demand.target.workload, 'zone').reduce((room, rule) => {
    const here = countIn(board, rule, zone)
    if (rule.kind === 'antiAffinity') return Math.min(room, 1 - here)
    if (rule.kind === 'affinity') return hasCompany(board, rule, zone) ? room : 0
    return Math.min(room, Math.max(0, evenShare(board, rule, { zone, zones }) - here))
  }, Infinity)
}

/**
 * Even shares of what the zones are to hold, which is all but those that sit elsewhere: where they
 * do not divide, only as many zones as must hold one more than the others.
 */
function evenShare(
  board: Board,
  rule: TopologyRule,
  { zone, zones }: { zone: string; zones: readonly string[] },
): number {
  const counts = [...(board.topology.get(rule.key) ?? [])]
  const elsewhere = counts
    .filter(([domain]) => domain !== zone && !zones.includes(domain))
    .reduce((sum, [, count]) => sum + count, 0)
  const wanted = Math.max(0, (board.wanted.get(rule.key) ?? 0) - elsewhere)
  const count = Math.max(1, zones.length)
  const base = Math.floor(wanted / count)
  const larger = zones.filter((own) => own !== zone && countIn(board, rule, own) > base).length
  return larger < wanted % count ? base + 1 : base
}

/** How many more replicas of the demand the node may take, whatever room it has. */
export function nodeRoom(board: Board, demand: Demand, node: string): number {
  return rulesBy(demand.target.workload, 'node').reduce((room, rule) => {
    if (rule.kind === 'antiAffinity') return Math.min(room, 1 - countIn(board, rule, node))
    if (rule.kind === 'affinity') return hasCompany(board, rule, node) ? room : 0
    return room
  }, Infinity)
}

/** True when the demand would rather be on nodes that carry few of its group. */
export function isSpreadOverNodes(demand: Demand): boolean {
  return rulesBy(demand.target.workload, 'node').some((rule) => rule.kind === 'spread')
}

/** Replicas of the demand's node-spread group on the node: fewer is better. */
export function crowding(board: Board, demand: Demand, node: string): number {
  return rulesBy(demand.target.workload, 'node')
    .filter((rule) => rule.kind === 'spread')
    .reduce((sum, rule) => sum + countIn(board, rule, node), 0)
}

/** The group is in the domain, or nowhere yet. */
function hasCompany(board: Board, rule: TopologyRule, domain: string): boolean {
  const counts = board.topology.get(rule.key)
  return counts === undefined || counts.size === 0 || (counts.get(domain) ?? 0) > 0
}
