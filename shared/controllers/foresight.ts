/**
 * What would happen, and what it costs: the planner asked about a herd that is not changed by
 * asking.
 *
 * A preview is the very plan that reconcile would make, on the same snapshot with the documents
 * laid over it; nothing is written, so the next pass may see a newer herd and decide otherwise.
 */
import type { Clock } from '#shared/cloud/clock.ts'
import { passSchema, type Pass } from '#shared/model/facts.ts'
import type { Node } from '#shared/model/node.ts'
import type { SpecItem } from '#shared/model/spec-item.ts'
import { plan } from '#shared/planner/plan.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import type { CostAnswer, PlanAnswer } from '#shared/protocol/api.ts'
import type { Document } from '#shared/protocol/documents.ts'
import { keys } from '#shared/store/keys.ts'
import { loadSnapshot, type SnapshotSettings } from '#shared/store/snapshot.ts'
import type { Store } from '#shared/store/store.ts'

export type ForesightPorts = {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly settings: SnapshotSettings
}

export type Foresight = {
  planner(documents: readonly Document[]): Promise<PlanAnswer>
  cost(): Promise<CostAnswer>
}

export function makeForesight(ports: ForesightPorts): Foresight {
  return {
    planner: async (documents) => planAnswer(await load(ports), documents),
    cost: async () => costAnswer(await load(ports)),
  }
}

async function load({ store, clock, settings }: ForesightPorts): Promise<Snapshot> {
  const nowMs = clock.now()
  const item = await store.get(keys.pass())
  const pass = item === undefined ? firstPass(nowMs) : passSchema.parse(item)
  return loadSnapshot(store, { nowMs, pass, settings })
}

/** Before the first pass has run. */
const firstPass = (nowMs: number): Pass => ({
  kind: 'pass',
  tableUid: 'none',
  createdAtMs: nowMs,
  epoch: 0,
  startedAtMs: nowMs,
  coveredSinceMs: nowMs,
  suspects: {},
})

function planAnswer(snapshot: Snapshot, documents: readonly Document[]): PlanAnswer {
  const { plan: planned, draft } = plan(withDocuments(snapshot, documents))
  const after = [...draft.nodes.values()].filter((node) => node.phase !== 'terminating')
  return {
    actions: planned.actions.map((action) => ({ ...action })),
    costUsdPerHour: { now: costOf(snapshot.nodes), after: costOf(after), bound: null },
    unschedulable: planned.unschedulable.map(({ workload, count, reasons }) => ({
      workload,
      count,
      reasons: [...reasons],
    })),
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

/** Sums of prices without the dust of binary fractions. */
const dollars = (sum: number): number => Math.round(sum * 1e6) / 1e6

/** No bound is computed in this release, so it is `null`, as before the first one. */
function costAnswer(snapshot: Snapshot): CostAnswer {
  const onDemandPrices = new Map(
    snapshot.catalog.map((type) => [type.name, type.onDemandUsdPerHour] as const),
  )
  const onDemandOf = (nodes: readonly Node[]): number =>
    dollars(
      nodes.reduce(
        (sum, node) =>
          sum + (onDemandPrices.get(node.machine?.instanceType ?? '') ?? priceOf(node)),
        0,
      ),
    )
  const names = [...new Set(snapshot.nodes.map((node) => node.pool))].sort()
  return {
    costUsdPerHour: costOf(snapshot.nodes),
    boundUsdPerHour: null,
    boundAt: null,
    onDemandUsdPerHour: onDemandOf(snapshot.nodes),
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
