/**
 * What the passes before this one saw of each workload: the most that ran of it, and whether its
 * team or its firmness was ever another.
 */
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { desiredOf } from './available.ts'
import { needOf, plus, ZERO, type Amount } from './needs.ts'
import { larger, times } from './quotas.ts'
import type { Scan, ScannedReplica } from './scan.ts'

export type Past = {
  note(scan: Scan): void
  /** The most that ran of the workload at once, as far as it is wanted still. */
  mostOf(workload: WorkloadItem): Amount
  /** It could be preempted once, or was another team's: some of it may be on loan still. */
  hasChangedTerms(workload: WorkloadItem): boolean
}

export function makePast(): Past {
  const most = new Map<string, { count: number; used: Amount }>()
  const terms = new Map<string, string>()
  const changed = new Set<string>()
  return {
    note: (scan) => {
      for (const { uid, spec } of scan.workloads()) {
        const running = scan.replicasOf(uid).filter((own) => own.bound.order === 'run')
        const known = most.get(uid) ?? { count: 0, used: ZERO }
        const count = Math.max(known.count, running.length)
        most.set(uid, { count, used: larger(known.used, takenBy(running)) })
        if ((terms.get(uid) ?? termsOf(spec)) !== termsOf(spec)) changed.add(uid)
        terms.set(uid, termsOf(spec))
      }
    },
    mostOf: (workload) => {
      const { count, used } = most.get(workload.uid) ?? { count: 0, used: ZERO }
      return times(used, Math.min(1, desiredOf(workload) / Math.max(1, count)))
    },
    hasChangedTerms: ({ uid, spec }) =>
      changed.has(uid) || (terms.get(uid) ?? termsOf(spec)) !== termsOf(spec),
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
