/**
 * A herd at rest, and the same herd with a hundredth of its replicas gone.
 *
 * Each workload keeps its own rules from the start: replicas are dealt out zone by zone, to one
 * node after the other that has room, so that a plan for the whole herd decides nothing. Every node
 * carries templates of its own, as it does when assignments are parsed.
 */
import { assert, must } from '#shared/base/assert.ts'
import { frozen } from '#shared/base/frozen.ts'
import { makeRandom, type Random } from '#shared/base/random.ts'
import { templateKey, type Assignment, type BoundReplica } from '#shared/model/assignment.ts'
import type { Report } from '#shared/model/report.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { revisionOf } from '#shared/planner/revision.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import { auditHerd } from './audit.ts'
import { claimOf, standUp, type Risen } from './machines.ts'
import { ZONES } from './market.ts'
import { timed } from './measure.ts'
import { firstSnapshot, frozenPlan, later, refusedBy, type Made } from './snapshots.ts'
import {
  KINDS,
  pick,
  placementOf,
  REPLICAS_PER_WORKLOAD,
  workloadItem,
  type Shape,
} from './specs.ts'

const SEED = 42
const REPLICAS_PER_NODE = 10
/** Two thirds of a node of that size are asked for. */
const VCPU = 10
const GONE_SHARE = 0.01
const PASS_EVERY_MS = 36_000

export type HerdOptions = {
  readonly replicas: number
  readonly drawShape: (random: Random) => Shape
}

/** A herd that has been seen before: its plan has no actions and changes no status. */
export function raiseHerd({ replicas, drawShape }: HerdOptions): Snapshot {
  const random = makeRandom(SEED)
  const workloads = Array.from({ length: Math.ceil(replicas / REPLICAS_PER_WORKLOAD) }, (_, i) => {
    const kind = inTurn(KINDS, i)
    return workloadItem({
      name: `${kind}-${String(i)}`,
      replicas: Math.min(REPLICAS_PER_WORKLOAD, replicas - i * REPLICAS_PER_WORKLOAD),
      shape: drawShape(random),
      placement: placementOf(kind),
    })
  })
  const empty = firstSnapshot(workloads)
  const rows = openSeats(Math.ceil(replicas / REPLICAS_PER_NODE), empty.nowMs)
  workloads.forEach((own, i) => {
    seatAll(own.spec.placement.affinity === undefined ? rows : [inTurn(rows, i)], own)
  })
  const peopled = seated(empty, rows)
  const { workloadStatuses, poolStatuses } = frozenPlan(peopled).plan
  const herd = frozen({ ...peopled, workloadStatuses, poolStatuses })
  const { actions } = frozenPlan(herd).plan
  assert(actions.length === 0, 'a herd at rest is left alone', actions.slice(0, 3))
  return herd
}

type Seat = {
  readonly risen: Risen
  cpuMilli: number
  memoryMib: number
  readonly replicas: BoundReplica[]
  readonly templates: Assignment['templates']
}

/** The seats of one zone, and whose turn it is. */
type Row = { readonly seats: Seat[]; next: number }

function openSeats(nodes: number, nowMs: number): readonly Row[] {
  const rows = ZONES.map((): Row => ({ seats: [], next: 0 }))
  for (let i = 0; i < nodes; i += 1) {
    const zone = inTurn(ZONES, i)
    const capacityType = zone === ZONES.at(-1) ? 'on-demand' : 'spot'
    const claim = claimOf({ name: `n${String(i)}`, vcpu: VCPU, zone, capacityType, nowMs })
    const { cpuMilli, memoryMib } = claim.claim.least
    const risen = standUp(claim, { nowMs, assignment: undefined })
    inTurn(rows, i).seats.push({ risen, cpuMilli, memoryMib, replicas: [], templates: {} })
  }
  return rows
}

/** Seats every replica of a workload: in one of the rows, or in each in turn. */
function seatAll(rows: readonly Row[], { name, uid, spec }: WorkloadItem): void {
  const { template, version, need } = revisionOf(spec)
  const isAlone = spec.placement.antiAffinity !== undefined
  const willDo = (own: Seat): boolean =>
    need.cpuMilli <= own.cpuMilli &&
    need.memoryMib <= own.memoryMib &&
    !(isAlone && own.replicas.some((one) => one.uid === uid))
  for (let i = 0; i < (spec.replicas ?? 0); i += 1) {
    const seat = must(nextSeat(inTurn(rows, i), willDo), `room for ${name}`)
    const sinceMs = must(seat.risen.node.machine, 'a machine').launchedAtMs
    const bound: BoundReplica = {
      ...{ id: `${name}/0-${String(i)}`, workload: name, uid, version, gpus: [], order: 'run' },
      graceSeconds: template.terminationGraceSeconds,
      ...{ assignedAtMs: sinceMs, readySinceMs: sinceMs },
    }
    seat.cpuMilli -= need.cpuMilli
    seat.memoryMib -= need.memoryMib
    seat.templates[templateKey(bound)] ??= structuredClone(template)
    seat.replicas.push(bound)
  }
}

/** The next in turn that will do. */
function nextSeat(row: Row, willDo: (seat: Seat) => boolean): Seat | undefined {
  for (let tries = 0; tries < row.seats.length; tries += 1) {
    const seat = inTurn(row.seats, row.next)
    row.next += 1
    if (willDo(seat)) return seat
  }
  return undefined
}

function inTurn<T>(list: readonly T[], i: number): T {
  return must(list[i % list.length], 'one of them')
}

/** The herd of those seats; its replicas run and are ready. */
function seated(empty: Snapshot, rows: readonly Row[]): Snapshot {
  const all = rows.flatMap((own) => own.seats)
  return frozen({
    ...empty,
    nodes: all.map(({ risen }) => risen.node),
    assignments: all.map(({ risen, templates, replicas }) => ({
      ...must(risen.assignment, 'an assignment'),
      ...{ templates, replicas },
    })),
    reports: all.map(({ risen, replicas }) => ({
      ...must(risen.report, 'a report'),
      replicas: replicas.map(reportedOf),
    })),
    beats: all.flatMap(({ risen }) => risen.beat ?? []),
  })
}

function reportedOf({ id, version }: BoundReplica): Report['replicas'][number] {
  return { id, version, phase: 'ready', ready: true, restarts: 0, addresses: {}, gpus: [] }
}

/** The herd with a hundredth of its replicas gone, and no trace of them left. */
export function churned(herd: Snapshot, random: Random): Snapshot {
  const ids = herd.assignments.flatMap((own) => own.replicas.map(({ id }) => id))
  const gone = new Set<string>()
  while (gone.size < Math.ceil(ids.length * GONE_SHARE)) gone.add(pick(random, ids))
  const stays = ({ id }: { readonly id: string }): boolean => !gone.has(id)
  return frozen({
    ...herd,
    assignments: herd.assignments.map((own) => {
      const replicas = own.replicas.filter(stays)
      if (replicas.length === own.replicas.length) return own
      const used = new Set(replicas.map(templateKey))
      const kept = Object.entries(own.templates).filter(([key]) => used.has(key))
      return { ...own, replicas, templates: Object.fromEntries(kept) }
    }),
    reports: herd.reports.map((own) => {
      const replicas = own.replicas.filter(stays)
      return replicas.length === own.replicas.length ? own : { ...own, replicas }
    }),
  })
}

export type Churn = {
  readonly made: Made
  /** A pass that finds 1 % of the replicas gone, just after one that found them there. */
  readonly planMs: number
  readonly planCpuMs: number
  readonly peakHeapMib: number
  /** A pass that finds the herd at rest. */
  readonly restMs: number
  readonly restCpuMs: number
  /** Replicas that were gone. */
  readonly sought: number
}

/** A pass that finds the herd as the one before left it, and one that finds replicas gone. */
export function planChurn(herd: Snapshot, random: Random, sweeps: boolean): Churn {
  frozenPlan(herd)
  const resting = later(herd, PASS_EVERY_MS)
  const rest = timed(() => frozenPlan(resting), sweeps)
  const short = later(churned(resting, random), PASS_EVERY_MS)
  const { value: made, ms, cpuMs, peakHeapMib } = timed(() => frozenPlan(short), sweeps)
  return {
    ...{ made, planMs: ms, planCpuMs: cpuMs, peakHeapMib },
    ...{ restMs: rest.ms, restCpuMs: rest.cpuMs },
    sought: replicasIn(herd.assignments) - replicasIn(short.assignments),
  }
}

/** The same by somebody who has never seen any of it: the first pass of a new Lambda. */
export function planCold(herd: Snapshot, random: Random): Cold {
  const unseen = frozen(structuredClone(later(churned(herd, random), PASS_EVERY_MS)))
  const { ms: coldMs, cpuMs: coldCpuMs } = timed(() => frozenPlan(unseen), true)
  return { coldMs, coldCpuMs }
}

type Cold = { readonly coldMs: number; readonly coldCpuMs: number }

export type ChurnTold = { readonly placed: number; readonly broken: readonly string[] }

/** What the plan came to: bound at once, or on a claim. */
export function judgeChurn({ made, sought }: Churn, workloads: Snapshot['workloads']): ChurnTold {
  const { faults, uneven } = auditHerd(made.draft, workloads)
  const placed = sought - refusedBy(made)
  return { placed, broken: placed < sought ? faults : [...faults, ...uneven] }
}

function replicasIn(assignments: readonly Assignment[]): number {
  return assignments.reduce((sum, own) => sum + own.replicas.length, 0)
}
