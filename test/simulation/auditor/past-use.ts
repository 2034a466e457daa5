/**
 * What the passes before this one saw of each workload: the most that so many of its replicas ever
 * took at once, and whether its team or its firmness was ever another.
 */
import type { BoundReplica } from '#shared/model/assignment.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { desiredOf } from './available.ts'
import { needOf, plus, ZERO, type Amount } from './needs.ts'
import { larger, largestFirst } from './quotas.ts'
import type { Scan, ScannedReplica } from './scan.ts'

export type Past = {
  note(scan: Scan): void
  /** The most that its largest ran with at once, as many as are wanted still. */
  mostOf(workload: WorkloadItem): Amount
  /** It could be preempted once, or was another team's: some of it may be on loan still. */
  hasChangedTerms(workload: WorkloadItem): boolean
  /** The replica was bound on other terms than those of the workload now. */
  mayBeOnLoan(workload: WorkloadItem, bound: BoundReplica): boolean
}

export function makePast(): Past {
  /** By uid: at place k the most that its k + 1 largest took. */
  const most = new Map<string, Amount[]>()
  const terms = new Map<string, string>()
  /** By uid: when a pass saw its terms change last. */
  const changed = new Map<string, number>()
  const changedAtMs = ({ uid, spec }: Pick<WorkloadItem, 'uid' | 'spec'>): number =>
    (terms.get(uid) ?? termsOf(spec)) === termsOf(spec) ? (changed.get(uid) ?? -Infinity) : Infinity
  return {
    note: (scan) => {
      for (const { uid, spec } of scan.workloads()) {
        const running = scan.replicasOf(uid).filter((own) => own.bound.order === 'run')
        const known = most.get(uid) ?? []
        most.set(uid, known)
        let sum = ZERO
        for (const [k, size] of largestFirst(running.map((own) => takenBy([own]))).entries()) {
          sum = plus(sum, size)
          known[k] = larger(known[k] ?? ZERO, sum)
        }
        if (changedAtMs({ uid, spec }) === Infinity) changed.set(uid, scan.atMs)
        terms.set(uid, termsOf(spec))
      }
    },
    mostOf: (workload) => {
      const known = most.get(workload.uid) ?? []
      // Fewer may have taken more than more of them did at another time.
      return known.slice(0, desiredOf(workload)).reduce(larger, ZERO)
    },
    hasChangedTerms: (workload) => changedAtMs(workload) > -Infinity,
    mayBeOnLoan: (workload, { assignedAtMs }) => assignedAtMs < changedAtMs(workload),
  }
}

/** What replicas take, each as it was bound. */
export function takenBy(replicas: readonly Pick<ScannedReplica, 'template'>[]): Amount {
  return replicas.reduce(
    (sum, { template }) => (template === undefined ? sum : plus(sum, needOf(template))),
    ZERO,
  )
}

const termsOf = ({ preemptible, team }: WorkloadItem['spec']): string =>
  `${String(preemptible)} ${team ?? ''}`
