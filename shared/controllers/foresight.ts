/**
 * What would happen, and what it costs: the planner asked about a herd that is not changed by
 * asking.
 *
 * A preview is the very plan that reconcile would make, on the same snapshot with the documents
 * laid over it; nothing is written, so the next pass may see a newer herd and decide otherwise.
 */
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import type { Node } from '#shared/model/node.ts'
import type { Proposal } from '#shared/model/proposal.ts'
import type { SpecItem } from '#shared/model/spec-item.ts'
import { reasonText } from '../model/status.ts'
import { boundOf, type Bound, type Planned } from '#shared/planner/bound.ts'
import { costLines, type CostLines, type Herd } from '#shared/planner/cost-lines.ts'
import { draftOf } from '#shared/planner/fold.ts'
import type { GenerateBudget } from '#shared/planner/packing/generate.ts'
import type { Solver } from '#shared/planner/packing/linear-program.ts'
import { plan } from '#shared/planner/plan.ts'
import { scaled } from '#shared/planner/scaling/scaled.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import type { CostAnswer, PlanAnswer, RepackAnswer } from '#shared/protocol/api.ts'
import type { Document } from '#shared/protocol/documents.ts'
import { lookAtHerd, type LookPorts } from './look.ts'
import { repackAnswer } from './repack-answer.ts'

export type ForesightPorts = LookPorts & {
  readonly solver: () => Promise<Solver>
  /** Work that the bound of a preview may take. */
  readonly budget: GenerateBudget
  readonly log: Logger
}

export type Foresight = {
  planner(documents: readonly Document[]): Promise<PlanAnswer>
  cost(): Promise<CostAnswer>
  repack(): Promise<RepackAnswer>
}

export function makeForesight(ports: ForesightPorts): Foresight {
  return {
    planner: async (documents) => {
      const snapshot = scaled(withDocuments(await lookAtHerd(ports), documents))
      const planned = { snapshot, ...plan(snapshot) }
      return planAnswer(planned, await boundFor(ports, planned))
    },
    cost: async () => {
      const snapshot = scaled(await lookAtHerd(ports))
      return costAnswer(snapshot, snapshot.proposal)
    },
    repack: async () => repackAnswer(await lookAtHerd(ports)),
  }
}

/** Undefined where the solver fails: a preview without its bound is better than none. */
async function boundFor(
  { solver, budget, log }: ForesightPorts,
  planned: Planned,
): Promise<Bound | undefined> {
  try {
    return boundOf(planned, await solver(), budget)
  } catch (error) {
    log.error('a preview has no bound', { error: describeError(error) })
    return undefined
  }
}

function planAnswer({ snapshot, plan: planned, draft }: Foreseen, bound?: Bound): PlanAnswer {
  const after = [...draft.nodes.values()].filter((node) => node.phase !== 'terminating')
  const { boundUsdPerHour, fleetUsdPerHour, gap } = measured(bound)
  return {
    actions: planned.actions.map((action) => ({ ...action })),
    costUsdPerHour: {
      ...{ now: costOf(snapshot.nodes), after: costOf(after) },
      ...{ bound: boundUsdPerHour, fleet: fleetUsdPerHour, gap },
      ...linesFor({ snapshot, draft }),
    },
    unschedulable: planned.unschedulable.map(({ workload, count, reasons }) => ({
      workload,
      count,
      reasons: reasons.map((own) => ({ code: own.code, text: reasonText(own) })),
    })),
  }
}

type Foreseen = Planned & ReturnType<typeof plan>

/** A bound as people are told it. */
function measured(
  bound: Bound | undefined,
): Pick<CostAnswer, 'boundUsdPerHour' | 'fleetUsdPerHour' | 'gap'> {
  if (bound === undefined) return { boundUsdPerHour: null, fleetUsdPerHour: null, gap: null }
  const { boundUsdPerHour, fleetUsdPerHour } = bound
  return {
    boundUsdPerHour: dollars(boundUsdPerHour),
    fleetUsdPerHour: dollars(fleetUsdPerHour),
    gap: boundUsdPerHour === 0 ? null : fleetUsdPerHour / boundUsdPerHour - 1,
  }
}

/** The snapshot as it would be just after the documents were applied. */
function withDocuments(snapshot: Snapshot, documents: readonly Document[]): Snapshot {
  const lay = <T extends SpecItem>(standing: readonly T[], noun: T['noun']): T[] => {
    const wanted = documents.filter((document) => document.noun === noun)
    const names = new Set(wanted.map((document) => document.name))
    const next = wanted.map((document) => laid(document, { standing, nowMs: snapshot.nowMs }))
    const others = standing.filter((item) => !names.has(item.name))
    return [...others, ...(next as T[])].sort((a, b) => (a.name < b.name ? -1 : 1))
  }
  return {
    ...snapshot,
    workloads: lay(snapshot.workloads, 'workload'),
    pools: lay(snapshot.pools, 'pool'),
    teams: lay(snapshot.teams, 'team'),
  }
}

function laid(
  { noun, name, spec }: Document,
  { standing, nowMs }: { standing: readonly SpecItem[]; nowMs: number },
): SpecItem {
  const live = standing.find((item) => item.name === name && item.deletedAtMs === undefined)
  const { uid, generation, createdAtMs } = live ?? {
    uid: `planned-${noun}-${name}`,
    generation: 0,
    createdAtMs: nowMs,
  }
  const meta = { uid, generation: generation + 1, createdAtMs, updatedAtMs: nowMs }
  return { kind: 'spec', noun, name, ...meta, spec } as SpecItem
}

/** USD an hour; a claim is charged with the most it may cost. */
const priceOf = ({ machine, claim }: Node): number =>
  machine?.priceUsdPerHour ?? claim.dearestUsdPerHour

const costOf = (nodes: readonly Node[]): number =>
  dollars(nodes.reduce((sum, node) => sum + priceOf(node), 0))

/** What stands beside the fleet, each in a line of its own. */
function linesFor(herd: Herd): CostLines {
  const { quarantined, leaving, headroom, testing, surge } = costLines(herd, priceOf)
  return {
    ...{ quarantined: dollars(quarantined), leaving: dollars(leaving) },
    ...{ headroom: dollars(headroom), testing: dollars(testing), surge: dollars(surge) },
  }
}

/** Sums of prices without the dust of binary fractions. */
const dollars = (sum: number): number => Math.round(sum * 1e6) / 1e6

/** By type: as the market of this region has it, or else the catalogue, which is of one region. */
function onDemandPrices({ catalog, offerings }: Snapshot): ReadonlyMap<string, number> {
  const sold = offerings.filter((own) => own.capacityType === 'on-demand')
  return new Map([
    ...catalog.map((type) => [type.name, type.onDemandUsdPerHour] as const),
    ...sold.map((own) => [own.instanceType, own.priceUsdPerHour] as const),
  ])
}

function costAnswer(snapshot: Snapshot, proposal: Proposal | undefined): CostAnswer {
  const onDemand = onDemandPrices(snapshot)
  const onDemandOf = (nodes: readonly Node[]): number =>
    dollars(
      nodes.reduce(
        (sum, node) => sum + (onDemand.get(node.machine?.instanceType ?? '') ?? priceOf(node)),
        0,
      ),
    )
  const lines = linesFor({ snapshot, draft: draftOf(snapshot) })
  const names = [...new Set(snapshot.nodes.map((node) => node.pool))].sort()
  return {
    costUsdPerHour: costOf(snapshot.nodes),
    ...measured(proposal?.cost),
    boundAt: proposal === undefined ? null : new Date(proposal.atMs).toISOString(),
    onDemandUsdPerHour: onDemandOf(snapshot.nodes),
    leavingUsdPerHour: lines.leaving,
    quarantinedUsdPerHour: lines.quarantined,
    headroomUsdPerHour: lines.headroom,
    testingUsdPerHour: lines.testing,
    surgeUsdPerHour: lines.surge,
    pools: names.map((name) => {
      const own = snapshot.nodes.filter((node) => node.pool === name)
      return {
        name,
        nodes: own.length,
        costUsdPerHour: costOf(own),
        onDemandUsdPerHour: onDemandOf(own),
      }
    }),
  }
}
