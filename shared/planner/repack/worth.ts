/**
 * What each node costs beyond what its work is worth.
 *
 * Column generation says what a replica costs in the cheapest fleet there could be. A node whose
 * replicas are worth much less than its price is where a repack looks first: it is too large for
 * what it carries, or of a kind that has become dear.
 */
import type { Node } from '../../model/node.ts'
import type { WorkloadItem } from '../../model/spec-item.ts'
import type { Demand } from '../demand.ts'
import { askerKey, priceNow, type CarriedShapes } from '../bound.ts'
import type { Generated } from '../packing/generate.ts'
import { onDemandTarget, desiredOf } from '../replicas.ts'
import type { Herd } from './herd.ts'
import { workloadsByUid } from '../facts.ts'

export type Valued = {
  readonly node: Node
  readonly priceUsdPerHour: number
  /** Price less worth, USD an hour; below 0 where the node is a bargain. */
  readonly wasteUsdPerHour: number
}

/** The nodes, the most wasteful first. */
export function valued(
  nodes: readonly Node[],
  { snapshot }: Pick<Herd, 'snapshot'>,
  { workOn, worth }: { readonly workOn: WorkOn } & Pick<Generated, 'worth'>,
): readonly Valued[] {
  return nodes
    .map((node): Valued => {
      const work = workOn(node)
      const carried = work.shapes.reduce((total, shape) => total + (worth[shape] ?? 0), 0)
      const priceUsdPerHour = priceNow(node, snapshot)
      return { node, priceUsdPerHour, wasteUsdPerHour: priceUsdPerHour - carried }
    })
    .sort((a, b) => b.wasteUsdPerHour - a.wasteUsdPerHour || (a.node.name < b.node.name ? -1 : 1))
}

/** The replicas a node carries, as shapes of the problem. */
export type Work = {
  readonly shapes: readonly number[]
  /** False where some replica is no shape of it. */
  readonly isWhole: boolean
}
export type WorkOn = (node: Node) => Work

export function makeWorkOn(
  { snapshot, draft }: Pick<Herd, 'snapshot' | 'draft'>,
  { shapeOf }: Pick<CarriedShapes, 'shapeOf'>,
): WorkOn {
  const workloads = workloadsByUid(snapshot.workloads)
  return (node) => {
    const replicas = draft.assignments.get(node.name)?.replicas ?? []
    const shapes = replicas.flatMap(({ uid }) => {
      const workload = workloads.get(uid)
      if (workload === undefined) return []
      return shapeOf.get(askerKey(uid, capacityOn(node, workload))) ?? []
    })
    return { shapes, isWhole: shapes.length === replicas.length }
  }
}

/** A replica of the on-demand base counts as such where it sits on an on-demand machine. */
function capacityOn(node: Node, workload: WorkloadItem): Demand['capacity'] {
  const { spot } = workload.spec.capacity
  if (spot === 'never') return 'on-demand'
  const hasBase = onDemandTarget(workload.spec, desiredOf(workload)) > 0
  if (hasBase && node.capacityType === 'on-demand') return 'on-demand'
  return spot === 'required' ? 'spot' : 'any'
}
