/**
 * What each team's replicas take, beside what it is guaranteed: who runs on loan, and on whose.
 *
 * A team may be beyond its quota of GPUs and far within that of CPUs. Then its work gives up GPUs
 * to those who are entitled to them, and no CPU; and only until the team is within its quota again.
 */
import type { Draft } from '../fold.ts'
import { governedBy } from '../quota/books.ts'
import { amountOf, DIMENSIONS, type Amount, type Dimension } from '../quota/policy.ts'
import { sharesOf } from '../quota/shares.ts'
import { needOfBound, NO_REPLICAS, replicasByUid, runningOf } from '../replicas.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Target } from '../target.ts'

type TeamUse = {
  /**
   * Those of the dimensions in which a replica of the team that takes so much runs on loan. What no
   * quota counts is on loan with whatever is.
   */
  onLoan(team: string | undefined, need: Amount, among: readonly Dimension[]): readonly Dimension[]
  change(team: string | undefined, need: Amount, by: 1 | -1): void
}

type TeamUseContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly targets: readonly Target[]
}

/** Where nothing is on loan. */
export const NO_USE: TeamUse = { onLoan: () => [], change: () => undefined }

export function openTeamUse({ snapshot, draft, targets }: TeamUseContext): TeamUse {
  const shares = sharesOf(snapshot)
  const governed = governedBy(shares)
  const guarantees = new Map(shares.map((own) => [own.team, own.guarantee]))
  const used = usedByTeam({ draft, targets })
  const change: TeamUse['change'] = (team = '', need, by) => {
    add(used, { team, need, by })
  }
  const mostOf = (team: string | undefined, own: Dimension): number => {
    if (!governed.includes(own)) return Infinity
    return guarantees.get(team ?? '')?.[own] ?? 0
  }
  return {
    change,
    onLoan: (team, need, among) => {
      const takes = DIMENSIONS.filter((own) => need[own] > 0)
      const over = takes.filter((own) => (used.get(team ?? '')?.[own] ?? 0) > mostOf(team, own))
      if (over.length === 0) return []
      const isUncounted = (own: Dimension): boolean => mostOf(team, own) === Infinity
      return among.filter((own) => takes.includes(own) && (over.includes(own) || isUncounted(own)))
    },
  }
}

type Used = Map<string, Record<Dimension, number>>

/** By team, `''` where there is none: what its replicas take of nodes that stay. */
export function usedByTeam({ draft, targets }: Omit<TeamUseContext, 'snapshot'>): Used {
  const used: Used = new Map()
  const replicas = replicasByUid(draft)
  for (const { uid, spec } of targets.map((own) => own.workload)) {
    for (const own of runningOf(replicas.get(uid) ?? NO_REPLICAS).staying) {
      add(used, { team: spec.team ?? '', need: amountOf(needOfBound(own, draft)), by: 1 })
    }
  }
  return used
}

type Change = { readonly team: string; readonly need: Amount; readonly by: 1 | -1 }

function add(used: Used, { team, need, by }: Change): void {
  const amounts = used.get(team) ?? { cpuMilli: 0, memoryMib: 0, gpuMilli: 0 }
  for (const own of DIMENSIONS) amounts[own] += by * need[own]
  used.set(team, amounts)
}
