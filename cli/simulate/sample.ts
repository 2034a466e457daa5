/**
 * What a herd is and costs at one moment, beside what it could cost.
 */
import { sum } from '#shared/base/sum.ts'
import { requestedOn } from '#shared/controllers/admin-api/answers.ts'
import { lookAtHerd, type LookPorts } from '#shared/controllers/look.ts'
import { boundOf, type Bound } from '#shared/planner/bound.ts'
import type { GenerateBudget } from '#shared/planner/packing/generate.ts'
import type { Solver } from '#shared/planner/packing/linear-program.ts'
import { plan } from '#shared/planner/plan.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import { addResources, NOTHING, type Resources } from '#shared/model/quantities.ts'
import type { Bill } from './meter.ts'
import type { Counts } from './witness.ts'

/** Shares from 0 to 1 of what the machines that are ready can give. */
export type Utilisation = { readonly cpu: number; readonly memory: number; readonly gpu: number }

/** USD an hour throughout. */
export type Sample = {
  readonly atMs: number
  /** As EC2 bills it. */
  readonly cost: Bill
  /** USD until then. */
  readonly billed: Bill
  readonly nodes: number
  readonly wanted: number
  readonly ready: number
  readonly utilisation: Utilisation
  /** Until then. */
  readonly counts: Counts
  /** Where it was worked out. */
  readonly bound?: Bound
  /** A fleet bought from nothing at this moment, on-demand alone. */
  readonly onDemandUsdPerHour?: number
}

export type Look = {
  readonly ports: LookPorts
  readonly solver: Solver
  /** Work that a bound may take. */
  readonly budget: GenerateBudget
}

/** Bound and the fleet to compare with take longest, so they are asked for apart. */
export async function sampleHerd(
  { ports, solver, budget }: Look,
  seen: Pick<Sample, 'cost' | 'billed' | 'counts'> & { readonly withBound: boolean },
): Promise<Sample> {
  const { cost, billed, counts, withBound } = seen
  const snapshot = await lookAtHerd(ports)
  const sample: Sample = {
    ...{ atMs: snapshot.nowMs, cost, billed, counts, nodes: snapshot.nodes.length },
    wanted: sum(snapshot.workloads.flatMap(wantedBy)),
    ready: readyIn(snapshot),
    utilisation: utilisationOf(snapshot),
  }
  if (!withBound) return sample
  const planned = { snapshot, ...plan(snapshot) }
  return {
    ...sample,
    bound: boundOf(planned, solver, budget),
    onDemandUsdPerHour: onDemandFleet(snapshot),
  }
}

const wantedBy = ({ deletedAtMs, spec }: Snapshot['workloads'][number]): readonly number[] =>
  deletedAtMs === undefined ? [spec.replicas ?? 0] : []

function readyIn({ assignments }: Snapshot): number {
  const isReady = (own: Snapshot['assignments'][number]['replicas'][number]): boolean =>
    own.order === 'run' && own.readySinceMs !== undefined
  return sum(assignments.map(({ replicas }) => replicas.filter(isReady).length))
}

function utilisationOf({ nodes, assignments }: Snapshot): Utilisation {
  const ready = new Map(nodes.map((own) => [own.name, own.phase === 'ready' ? own : undefined]))
  const carrying = assignments.filter((own) => ready.get(own.node) !== undefined)
  const total = carrying
    .map((own) => ready.get(own.node)?.machine?.allocatable ?? NOTHING)
    .reduce(addResources, NOTHING)
  const taken = carrying
    .map((assignment) => requestedOn({ assignment }))
    .reduce(addResources, NOTHING)
  const share = (of: keyof Resources): number => (total[of] === 0 ? 0 : taken[of] / total[of])
  return { cpu: share('cpuMilli'), memory: share('memoryMib'), gpu: share('gpuMilli') }
}

/** What the planner would buy for the same work if nothing were there and nothing sold as spot. */
function onDemandFleet(snapshot: Snapshot): number {
  const { draft } = plan({
    ...snapshot,
    ...{ nodes: [], launches: [], assignments: [], reports: [], beats: [], verdicts: [] },
    ...{ signals: [], shortages: [], brakes: [], workloadStatuses: [] },
    offerings: snapshot.offerings.filter((own) => own.capacityType === 'on-demand'),
  })
  return sum([...draft.nodes.values()].map(({ claim }) => claim.dearestUsdPerHour))
}
