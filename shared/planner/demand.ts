/**
 * Demand: replicas that need a place, as one shape with a count.
 *
 * Equal replicas are never told apart before they are bound, so the work of finding places grows
 * with shapes and nodes. A workload short of its on-demand base has two demands: one that insists
 * on on-demand, one that does not. What it is to run on borrowed room is a demand of its own, which
 * comes after all that is guaranteed to anybody.
 */
import { byKey, descending, groupBy, inOrder, type Compare } from '../base/order.ts'
import { TEAM_TAINT_KEY } from '../model/names.ts'
import { taintsOf, type PoolSpec } from '../model/pool.ts'
import type { Resources } from '../model/quantities.ts'
import type { PoolItem, WorkloadItem } from '../model/spec-item.ts'
import type { WorkloadSpec } from '../model/workload.ts'
import { spotPoolCap } from './replicas.ts'
import { weightOf } from './revision.ts'
import { isOnTrial } from './rollout/course.ts'
import type { Target } from './target.ts'

export type Demand = {
  readonly target: Target
  readonly count: number
  readonly need: Resources
  /** What its template takes in an assignment. */
  readonly templateBytes: number
  /** `any`: the cheapest will do, which is spot unless spot has failed. */
  readonly capacity: 'on-demand' | 'spot' | 'any'
  /** See `spotPoolCap`. */
  readonly spotPoolCap: number
  /** Beyond what is guaranteed to its team. */
  readonly isBorrowed: boolean
  /** Machines may be bought for it. */
  readonly mayBuy: boolean
  /** Of a version that has not proved itself yet. */
  readonly isTrial: boolean
}

/** By right before borrowed; then the more important. */
export const byRight: Compare<Demand> = inOrder(
  byKey((own) => (own.isBorrowed ? 1 : 0)),
  descending(byKey((own) => own.target.workload.spec.priority)),
)

/** Those that are equal by right, together; they come in that order already. */
export function byRank<T extends { readonly demand: Demand }>(
  asking: readonly T[],
): readonly (readonly T[])[] {
  const ranks = groupBy(asking, ({ demand: { isBorrowed, target } }) => {
    return `${String(isBorrowed)} ${String(target.workload.spec.priority)}`
  })
  return [...ranks.values()]
}

/** The demands of the targets, most important first: right, priority, then size, then name. */
export function demandsOf(targets: readonly Target[]): readonly Demand[] {
  return targets
    .filter((own) => own.start > 0)
    .flatMap(split)
    .filter((own) => own.count > 0)
    .sort(
      inOrder(
        byRight,
        descending(byKey((own) => own.need.gpuMilli)),
        descending(byKey((own) => own.need.cpuMilli + own.need.memoryMib / 4)),
        byKey((own) => own.target.workload.name),
        byKey((own) => (own.capacity === 'on-demand' ? 0 : 1)),
      ),
    )
}

function split(target: Target): Demand[] {
  const { workload, allowed, start, startOnDemand, startBorrowed } = target
  const { spot } = workload.spec.capacity
  const { need, templateBytes } = weightOf(target.template)
  const isTrial = isOnTrial(target.course, target.version)
  const cap = spotPoolCap(workload.spec, allowed)
  const common = { target, need, templateBytes, isTrial, spotPoolCap: cap }
  const base = spot === 'never' ? start : startOnDemand
  const rest = spot === 'required' ? 'spot' : 'any'
  const entitled = start - startBorrowed
  const entitledBase = Math.min(base, entitled)
  const guaranteed = { ...common, isBorrowed: false, mayBuy: true }
  const borrowed = { ...common, isBorrowed: true, mayBuy: target.mayBuyBorrowed }
  return [
    { ...guaranteed, count: entitledBase, capacity: 'on-demand' },
    { ...guaranteed, count: entitled - entitledBase, capacity: rest },
    { ...borrowed, count: base - entitledBase, capacity: 'on-demand' },
    { ...borrowed, count: startBorrowed - (base - entitledBase), capacity: rest },
  ]
}

/** The pool's first taint that the workload does not tolerate, or undefined. */
export function untolerated(pool: PoolSpec, spec: WorkloadSpec): string | undefined {
  const taint = taintsOf(pool).find(
    (own) =>
      !(own.key === TEAM_TAINT_KEY && own.value === spec.team) &&
      !spec.tolerations.some(
        (toleration) =>
          toleration.key === own.key &&
          (toleration.value === undefined || toleration.value === own.value),
      ),
  )
  return taint === undefined ? undefined : `${taint.key}=${taint.value ?? ''}`
}

export type TopologyRule = {
  readonly kind: 'spread' | 'affinity' | 'antiAffinity'
  readonly by: 'zone' | 'node'
  /** Workloads with equal groups are counted together. */
  readonly group: string
  /** `<kind>|<by>|<group>` */
  readonly key: string
}

const KINDS = ['spread', 'affinity', 'antiAffinity'] as const

const known = new WeakMap<WorkloadItem, readonly TopologyRule[]>()

/** The workload's topology rules, groups spelt out; alone in a group of its own by default. */
export function topologyRules(workload: WorkloadItem): readonly TopologyRule[] {
  const rules = known.get(workload) ?? rulesOf(workload)
  known.set(workload, rules)
  return rules
}

/** Those of the workload's rules that look at zones, or at nodes. */
export function rulesBy(workload: WorkloadItem, by: TopologyRule['by']): readonly TopologyRule[] {
  const rules = topologyRules(workload)
  if (rules.length === 0) return rules
  const sorted = knownBy.get(workload) ?? {
    zone: rules.filter((own) => own.by === 'zone'),
    node: rules.filter((own) => own.by === 'node'),
  }
  knownBy.set(workload, sorted)
  return sorted[by]
}

const knownBy = new WeakMap<
  WorkloadItem,
  Readonly<Record<TopologyRule['by'], readonly TopologyRule[]>>
>()

function rulesOf(workload: WorkloadItem): readonly TopologyRule[] {
  return KINDS.flatMap((kind): TopologyRule[] => {
    const rule = workload.spec.placement[kind]
    if (rule === undefined) return []
    const by = typeof rule === 'string' ? rule : rule.by
    const group = typeof rule === 'string' ? `workload/${workload.name}` : `group/${rule.group}`
    return [{ kind, by, group, key: `${kind}|${by}|${group}` }]
  })
}

/** Pools that the workload may use at all, by name and taints. */
export function poolsFor(
  pools: readonly PoolItem[],
  spec: WorkloadSpec,
): { readonly pool: PoolItem; readonly taint: string | undefined }[] {
  return pools
    .filter((own) => own.deletedAtMs === undefined)
    .filter((own) => spec.placement.pools?.includes(own.name) ?? true)
    .map((pool) => ({ pool, taint: untolerated(pool.spec, spec) }))
}
