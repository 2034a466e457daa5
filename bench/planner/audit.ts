/**
 * Judges where replicas are bound, and knows nothing of how the planner came to it.
 *
 * It adds up what sits on each node and in each zone from the items alone, and reads the placement
 * rules from the specs anew.
 */
import { templateKey } from '#shared/model/assignment.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { resourcesOf, type Placement } from '#shared/model/workload.ts'
import type { Draft } from '#shared/planner/fold.ts'

export type Audit = {
  /** Replicas that run on some node. */
  readonly bound: number
  /** One line each, for people; empty when all is as it must be. */
  readonly faults: readonly string[]
  /** Spreads over zones that are off by more than one: no fault while some have no place yet. */
  readonly uneven: readonly string[]
  /** Most replicas of one node-spread group on one node. */
  readonly nodeSpreadMost: number
}

type RuleKind = 'spread' | 'affinity' | 'antiAffinity'
const RULE_KINDS = ['spread', 'affinity', 'antiAffinity'] as const

type Counted = {
  readonly kind: RuleKind
  readonly by: 'zone' | 'node'
  readonly name: string
  /** Replicas by zone or node. */
  readonly counts: Map<string, number>
}

export function auditHerd(draft: Draft, workloads: readonly WorkloadItem[]): Audit {
  const groups = new Map<string, Counted>()
  const placements = new Map(workloads.map(({ uid, spec }) => [uid, spec.placement]))
  let bound = 0
  for (const { node, replicas } of draft.assignments.values()) {
    const zone = draft.nodes.get(node)?.machine?.zone ?? ''
    for (const { uid, workload, order } of replicas) {
      if (order !== 'run') continue
      bound += 1
      count(groups, { placement: placements.get(uid) ?? {}, workload, at: { zone, node } })
    }
  }
  const zones = new Set([...draft.nodes.values()].flatMap((own) => own.machine?.zone ?? []))
  const rules = [...groups.values()]
  return {
    bound,
    faults: [...overfull(draft), ...rules.flatMap(faultsOf)],
    uneven: rules.flatMap((own) => unevenOver(zones, own)),
    nodeSpreadMost: rules
      .filter((own) => own.kind === 'spread' && own.by === 'node')
      .reduce((most, own) => Math.max(most, ...own.counts.values()), 0),
  }
}

type Seated = {
  readonly placement: Placement
  readonly workload: string
  readonly at: Readonly<Record<'zone' | 'node', string>>
}

function count(groups: Map<string, Counted>, { placement, workload, at }: Seated): void {
  for (const kind of RULE_KINDS) {
    const rule = placement[kind]
    if (rule === undefined) continue
    const { by, group } =
      typeof rule === 'string'
        ? { by: rule, group: `workload ${workload}` }
        : { by: rule.by, group: `group ${rule.group}` }
    const name = `${kind} by ${by}, ${group}`
    const own = groups.get(name) ?? { kind, by, name, counts: new Map<string, number>() }
    own.counts.set(at[by], (own.counts.get(at[by]) ?? 0) + 1)
    groups.set(name, own)
  }
}

function faultsOf({ kind, by, name, counts }: Counted): string[] {
  const most = Math.max(...counts.values())
  if (kind === 'antiAffinity' && most > 1) return [`${name}: ${String(most)} in one ${by}`]
  const domains = counts.size
  if (kind === 'affinity' && domains > 1) return [`${name}: in ${String(domains)} ${by}s`]
  return []
}

function unevenOver(zones: ReadonlySet<string>, { kind, by, name, counts }: Counted): string[] {
  if (kind !== 'spread' || by !== 'zone') return []
  const each = [...zones].map((zone) => counts.get(zone) ?? 0)
  return Math.max(...each) - Math.min(...each) > 1 ? [`${name}: ${each.join(', ')}`] : []
}

/** Nodes that carry more than they have room for. */
function overfull({ nodes, assignments }: Draft): string[] {
  return [...assignments.values()].flatMap(({ node, templates, replicas }) => {
    const room = nodes.get(node)?.machine?.allocatable
    const needs = replicas.flatMap((own) => {
      const template = templates[templateKey(own)]
      return template === undefined ? [] : resourcesOf(template)
    })
    const cpuMilli = needs.reduce((sum, own) => sum + own.cpuMilli, 0)
    const memoryMib = needs.reduce((sum, own) => sum + own.memoryMib, 0)
    if (room === undefined || needs.length < replicas.length) return [`${node}: cannot be judged`]
    const isOver = cpuMilli > room.cpuMilli || memoryMib > room.memoryMib
    return isOver ? [`${node}: ${String(cpuMilli)}m and ${String(memoryMib)}Mi are too much`] : []
  })
}
