/**
 * How little a fleet could cost that carries what the herd is to carry: a bound that no fleet can
 * fall below, whoever plans it.
 *
 * What is to be carried are the replicas that are wanted, less those that quotas or the want of a
 * place keep waiting. Any machine on the market may carry them, in any number, each type at its
 * cheapest price in any zone. The bound keeps what decides which machine a replica may run on:
 * pools and taints, architectures, families, GPU models, the on-demand base, and one replica a node
 * where replicas of a shape shun each other. It knows nothing of spread and affinity, of limits,
 * storms and shortages, nor of the most replicas a node may hold: all of those can only make a
 * fleet dearer.
 */
import type { Node } from '../model/node.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import type { Plan } from './actions.ts'
import { linesOf } from './cost-lines.ts'
import { topologyRules, type Demand } from './demand.ts'
import type { Draft } from './fold.ts'
import { asksKey, makeOfferTest, offersOf, type Asks, type Offer } from './provision/offers.ts'
import { generate, type GenerateBudget } from './packing/generate.ts'
import type { Solver } from './packing/linear-program.ts'
import {
  mostAlone,
  undominated,
  type MachineType,
  type PackingProblem,
  type Shape,
} from './packing/problem.ts'
import { priceOf } from './provision/prices.ts'
import { desiredOf, onDemandTarget } from './replicas.ts'
import { revisionOf } from './revision.ts'
import type { Snapshot } from './snapshot.ts'

/** USD an hour throughout, at the prices of the snapshot. */
export type Bound = {
  /** No fleet that carries these replicas costs less; 0 where there is nothing to carry. */
  readonly boundUsdPerHour: number
  /** The machines that carry them, or will once they are up; nothing that is a cost line. */
  readonly fleetUsdPerHour: number
}

/** A herd with the plan that was made for it: what it will be once that is carried out. */
export type Planned = {
  readonly snapshot: Snapshot
  readonly plan: Pick<Plan, 'unschedulable'>
  readonly draft: Draft
}

/** The bound for the planned herd, and what its machines cost beside it. */
export function boundOf(planned: Planned, solver: Solver, budget: GenerateBudget): Bound {
  const problem = carriedProblem(planned)
  const { shapes } = problem
  return {
    boundUsdPerHour: shapes.length === 0 ? 0 : generate(problem, solver, budget).boundUsdPerHour,
    fleetUsdPerHour: fleetCost(planned),
  }
}

/** What is to be carried, as shapes, and the machines that any fleet may be made of. */
export function carriedProblem(planned: Planned): PackingProblem {
  return carriedBy(planned).problem
}

export type CarriedShapes = {
  readonly problem: PackingProblem
  /** By `askerKey`: the place of its shape among the problem's. */
  readonly shapeOf: ReadonlyMap<string, number>
}

/** Who asks for machines, by workload and by what sort of capacity must carry it. */
export function askerKey(uid: string, capacity: Demand['capacity']): string {
  return `${uid} ${capacity}`
}

/** The same, and which shape the replicas of each workload are. */
export function carriedBy(planned: Planned): CarriedShapes {
  const { snapshot } = planned
  const offers = offersOf({ ...snapshot, shortages: [] })
  const prices = new Map<string, { offer: Offer; usdPerHour: number }>()
  for (const offer of offers) {
    const name = machineName(offer)
    const known = prices.get(name)
    if (known !== undefined && known.usdPerHour <= offer.priceUsdPerHour) continue
    prices.set(name, { offer, usdPerHour: offer.priceUsdPerHour })
  }
  const machines = [...prices].map(([name, { offer, usdPerHour }]) =>
    machineOf(name, offer, usdPerHour),
  )
  const fitting = shapesOf(carriedOf(planned), offers).filter(({ shape }) =>
    machines.some((machine) => mostAlone(shape, machine) > 0),
  )
  const shapes = fitting.map((own) => own.shape)
  return {
    problem: { shapes, machines: undominated({ shapes, machines }) },
    shapeOf: new Map(fitting.flatMap(({ askers }, i) => askers.map((own) => [own, i] as const))),
  }
}

/** The machine of a problem that an offer is: the same wherever it is sold. */
export function machineName({ pool, type, capacityType }: MachineOf): string {
  return `${pool.name}/${type.name}/${capacityType}`
}

/** Of such a name, `<instance type> <capacity type>`. */
export function sortNamed(name: string): string {
  return name.split('/').slice(1).join(' ')
}

type MachineOf = Pick<Offer, 'pool' | 'type' | 'capacityType'>

function machineOf(name: string, { type }: Offer, priceUsdPerHour: number): MachineType {
  const { cpuMilli, memoryMib } = type.allocatable
  return { name, cpuMilli, memoryMib, gpus: type.gpuCount, priceUsdPerHour }
}

type Carried = { readonly workload: WorkloadItem; readonly count: number }

/** By workload, the replicas that are wanted and need not wait. */
function carriedOf({ snapshot, plan }: Planned): readonly Carried[] {
  const without = new Map<string, number>()
  for (const { workload, count } of plan.unschedulable) {
    without.set(workload, (without.get(workload) ?? 0) + count)
  }
  return snapshot.workloads
    .filter((own) => own.deletedAtMs === undefined)
    .map((workload) => {
      const count = desiredOf(workload) - (without.get(workload.name) ?? 0)
      return { workload, count: Math.max(0, count) }
    })
}

type Asking = { readonly shape: Shape; readonly askers: readonly string[] }

/** Replicas that need the same and may run on the same machines are one shape. */
function shapesOf(carried: readonly Carried[], offers: readonly Offer[]): readonly Asking[] {
  const shapes = new Map<string, Asking>()
  const takers = makeTakers(offers)
  for (const { asks, count } of carried.flatMap(asksOf)) {
    if (count === 0) continue
    const { cpuMilli, memoryMib, gpuMilli } = asks.need
    const shuns = topologyRules(asks.target.workload).filter(
      (rule) => rule.kind === 'antiAffinity' && rule.by === 'node',
    )
    const takes = takers(asks)
    const what = [cpuMilli, memoryMib, gpuMilli, ...shuns.map((rule) => rule.key)].join(' ')
    const key = `${takes.key} ${what}`
    const before = shapes.get(key)
    const shape: Shape = {
      ...{ cpuMilli, memoryMib, gpuMilli, takes: takes.names },
      count: (before?.shape.count ?? 0) + count,
      ...(shuns.length === 0 ? {} : { mostPerMachine: 1 }),
    }
    const asker = askerKey(asks.target.workload.uid, asks.capacity)
    shapes.set(key, { shape, askers: [...(before?.askers ?? []), asker] })
  }
  return [...shapes.values()]
}

type Asked = { readonly asks: Asks; readonly count: number }

/** The on-demand base asks for on-demand machines; the rest is glad of any that its spec allows. */
function asksOf({ workload, count }: Carried): readonly Asked[] {
  const { spec } = workload
  const { need, template } = revisionOf(spec)
  const { spot } = spec.capacity
  const base = spot === 'never' ? count : onDemandTarget(spec, count)
  const rest = spot === 'required' ? 'spot' : 'any'
  const target = { workload, template }
  const asking = (capacity: Demand['capacity']): Asks => ({ target, need, capacity })
  return [
    { asks: asking('on-demand'), count: base },
    { asks: asking(rest), count: count - base },
  ]
}

type Takes = { readonly key: string; readonly names: ReadonlySet<string> }

/** The machines that a replica may run on; alike askers share the very set. */
function makeTakers(offers: readonly Offer[]): (asks: Asks) => Takes {
  const known = new Map<string, Takes>()
  const sets = new Map<string, Takes>()
  return (asks) => {
    const sort = asksKey(asks)
    const before = known.get(sort)
    if (before !== undefined) return before
    const names = new Set(offers.filter(makeOfferTest(asks)).map(machineName))
    const joined = [...names].join()
    const takes = sets.get(joined) ?? { key: String(sets.size), names }
    sets.set(joined, takes)
    known.set(sort, takes)
    return takes
  }
}

/**
 * What the machines cost now that carry work or will: neither on their way out, nor kept for
 * inspection, nor headroom. One that is not on the market any more costs what it did.
 */
export function fleetCost({ snapshot, draft }: Pick<Planned, 'snapshot' | 'draft'>): number {
  const lines = linesOf({ snapshot, draft })
  return [...draft.nodes.values()]
    .filter(({ name }) => (lines.get(name) ?? 'testing') === 'testing')
    .reduce((sum, node) => sum + priceNow(node, snapshot), 0)
}

/** USD an hour of a node now; a claim costs what the place costs that it was bought for first. */
export function priceNow(node: Node, snapshot: Snapshot): number {
  const { machine, claim, capacityType, pool } = node
  const [instanceType = '', zone = ''] = claim.places[0]?.split('/') ?? []
  const place = machine ?? { instanceType, zone }
  const price = priceOf(snapshot, { ...place, capacityType, pool })
  return price ?? machine?.priceUsdPerHour ?? claim.dearestUsdPerHour
}
