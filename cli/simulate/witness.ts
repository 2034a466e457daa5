/**
 * Sees what becomes of replicas and machines, from the changes of the table alone.
 */
import type { Change } from '#shared/store/store.ts'
import { assignmentSchema, type Assignment } from '#shared/model/assignment.ts'
import type { DrainReason } from '#shared/model/node.ts'
import { nodeSchema } from '#shared/model/node.ts'
import { reportSchema } from '#shared/model/report.ts'

export type Counts = {
  /** Replicas that were moved off machines that a repack empties. */
  repackMoves: number
  /** Replicas that were stopped on machines that EC2 took back, or that were lost. */
  interrupted: number
  /** Replicas that gave way to another team's, or to a more important one. */
  reclaimed: number
}

export type Witness = {
  take(change: Change): void
  /** From now on the workload is to have so many replicas. */
  expect(workload: string, replicas: number): void
  forget(workload: string): void
  readonly counts: Readonly<Counts>
  /** How long each workload waited until all its replicas had been ready, in milliseconds. */
  readonly waitsMs: readonly number[]
}

type Expected = { readonly sinceMs: number; readonly replicas: number; readonly ready: Set<string> }

const COUNTED_AS: Partial<Record<DrainReason, keyof Counts>> = {
  ...{ Repacked: 'repackMoves', Interrupted: 'interrupted', Lost: 'interrupted' },
}

export function makeWitness(now: () => number): Witness {
  const drains = new Map<string, DrainReason>()
  const expected = new Map<string, Expected>()
  const stopping = new Set<string>()
  const counts: Counts = { repackMoves: 0, interrupted: 0, reclaimed: 0 }
  const waitsMs: number[] = []
  const takeAssignment = ({ node, replicas }: Assignment): void => {
    for (const { id, order, stopReason } of replicas) {
      if (order === 'run' || stopping.has(id)) continue
      stopping.add(id)
      const drain = drains.get(node)
      const isReclaimed = stopReason?.code === 'Reclaimed'
      const counted = isReclaimed ? 'reclaimed' : drain === undefined ? drain : COUNTED_AS[drain]
      if (counted !== undefined) counts[counted] += 1
    }
  }
  const takeReady = (workload: string, id: string): void => {
    const own = expected.get(workload)
    if (own === undefined || own.ready.has(id)) return
    own.ready.add(id)
    if (own.ready.size < own.replicas) return
    waitsMs.push(now() - own.sinceMs)
    expected.delete(workload)
  }
  return {
    counts,
    waitsMs,
    take: ({ before, after }) => {
      const kind = (after ?? before)?.['kind']
      if (kind === 'node') {
        const { name, drain } = nodeSchema.parse(after ?? before)
        if (after === undefined || drain === undefined) drains.delete(name)
        else drains.set(name, drain.reason)
      } else if (kind === 'assignment') {
        if (after !== undefined) takeAssignment(assignmentSchema.parse(after))
        else for (const { id } of assignmentSchema.parse(before).replicas) stopping.delete(id)
      } else if (kind === 'report' && after !== undefined) {
        for (const { id, ready } of reportSchema.parse(after).replicas) {
          if (ready) takeReady(id.slice(0, id.lastIndexOf('/')), id)
        }
      }
    },
    expect: (workload, replicas) => {
      expected.set(workload, { sinceMs: now(), replicas, ready: new Set() })
    },
    forget: (workload) => {
      expected.delete(workload)
    },
  }
}
