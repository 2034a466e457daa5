/**
 * Affinity and anti-affinity: no two in one zone or on one node, or all of them together.
 *
 * Judged when a pass has ended, by all that is bound then, for those that it bound itself: who is
 * about to leave keeps no domain, and what people change about those who run moves nobody.
 */
import type { BoundReplica } from '#shared/model/assignment.ts'
import type { Node } from '#shared/model/node.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { bodyChange, isBody } from './body-changes.ts'
import { firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Scan } from './scan.ts'

const RULE = 'placement'

type Kind = 'affinity' | 'antiAffinity'
type Topology = { readonly by: 'zone' | 'node'; readonly group: string }
type Placed = { readonly bound: BoundReplica; readonly node: Node }

export function makeTopology({ books, passes }: Knowledge): Rule {
  /** By the pass's label: ids of those that it bound. */
  const added = new Map<string, Set<string>>()

  /** Everybody of the group, but those whose node goes, or whose work may be sought elsewhere. */
  const boundOf = (names: ReadonlySet<string>): readonly Placed[] =>
    [...books.bodies.values()].flatMap((body) => {
      const node = books.nodes.get(body.node)
      if (node === undefined || mayGo(node)) return []
      return body.replicas
        .filter((own) => own.order === 'run' && names.has(own.workload))
        .map((bound) => ({ bound, node }))
    })
  const judge = (workload: WorkloadItem, fresh: ReadonlySet<string>, scan: Scan) =>
    firstOf(['antiAffinity', 'affinity'] as const, (kind) => {
      const rule = topologyOf(workload, kind)
      if (rule === undefined) return undefined
      const names = scan
        .workloads()
        .filter((own) => isSame(rule, topologyOf(own, kind)))
        .map((own) => own.name)
      const all = boundOf(new Set(names))
      const mine = all.filter(({ bound }) => fresh.has(bound.id) && bound.uid === workload.uid)
      const before = all.filter(({ bound }) => !fresh.has(bound.id))
      // Where nobody was before, the first that came says where.
      const company = before.length > 0 ? before : all.slice(0, 1)
      const text = kind === 'antiAffinity' ? crowdIn(mine, all, rule) : strayIn(mine, company, rule)
      return text === undefined ? undefined : ({ rule: RULE, text } satisfies Breach)
    })
  return {
    see: {
      write: ({ by, changes }) => {
        if (by.role !== 'reconcile') return undefined
        for (const own of changes.filter(isBody).flatMap((change) => bodyChange(change).added)) {
          added.set(by.label, (added.get(by.label) ?? new Set()).add(own.id))
        }
        return undefined
      },
      over: ({ by, how }) => {
        const fresh = added.get(by.label)
        added.delete(by.label)
        const scan = passes.of(by)?.scan
        if (fresh === undefined || scan === undefined || how !== 'ended') return undefined
        return firstOf(scan.workloads(), (own) => judge(own, fresh, scan))
      },
    },
  }
}

function topologyOf({ name, spec }: WorkloadItem, kind: Kind): Topology | undefined {
  const rule = spec.placement[kind]
  if (rule === undefined) return undefined
  return typeof rule === 'string' ? { by: rule, group: `workload ${name}` } : rule
}

const isSame = (a: Topology, b: Topology | undefined): boolean =>
  a.by === b?.by && a.group === b.group

const domainOf = ({ node }: Placed, { by }: Topology): string =>
  by === 'node' ? node.name : (node.machine?.zone ?? '')

/** One of those that came who has company where nobody may have any. */
function crowdIn(
  mine: readonly Placed[],
  all: readonly Placed[],
  rule: Topology,
): string | undefined {
  for (const own of mine) {
    const there = all.filter((other) => domainOf(other, rule) === domainOf(own, rule))
    if (there.length < 2) continue
    const ids = there.map(({ bound }) => bound.id).join(', ')
    return `${rule.by} ${domainOf(own, rule)} holds ${ids}, which are to be apart`
  }
  return undefined
}

/** One of those that came who is not where the others are. */
function strayIn(
  mine: readonly Placed[],
  company: readonly Placed[],
  rule: Topology,
): string | undefined {
  const domains = new Set(company.map((own) => domainOf(own, rule)))
  const stray = mine.find((own) => !domains.has(domainOf(own, rule)))
  if (stray === undefined) return undefined
  const told = [...domains].join(', ')
  return `${stray.bound.id} is in ${rule.by} ${domainOf(stray, rule)}, and the others in ${told}`
}

/** It is no company any more. */
function isLeaving({ phase, drain, lostSinceMs }: Node): boolean {
  return (
    phase === 'draining' ||
    phase === 'terminating' ||
    drain !== undefined ||
    lostSinceMs !== undefined
  )
}

/** Who carries its work may be sought elsewhere already. */
function mayGo(node: Node): boolean {
  const { interruption, rebalanceAtMs, repack } = node
  return isLeaving(node) || [interruption, rebalanceAtMs, repack].some((own) => own !== undefined)
}
