/**
 * What each team uses of its quota, what it has borrowed, and what it is owed.
 */
import type { Amounts, TeamStatus } from '../../model/status.ts'
import type { Draft } from '../fold.ts'
import { partOfAll } from '../quota/books.ts'
import { loansFrom } from '../quota/loans.ts'
import { DIMENSIONS, type Amount } from '../quota/policy.ts'
import { sharesOf } from '../quota/shares.ts'
import { needOfBound, NO_REPLICAS, replicasByUid, runningOf } from '../replicas.ts'
import { weightOf } from '../revision.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Target } from '../target.ts'

export type TeamContext = {
  readonly snapshot: Snapshot
  /** Of all workloads, after quotas were applied. */
  readonly targets: readonly Target[]
  readonly draft: Draft
}

export function teamStatuses(context: TeamContext): readonly TeamStatus[] {
  const { snapshot, targets, draft } = context
  const replicas = replicasByUid(draft)
  const teams = snapshot.teams.filter((own) => own.deletedAtMs === undefined)
  const shares = sharesOf(snapshot)
  return teams.map((team) => {
    const { name, uid, generation } = team
    const used = nothing()
    const short = nothing()
    for (const { workload, template, guaranteed } of targets) {
      if (workload.spec.team !== name) continue
      const running = runningOf(replicas.get(workload.uid) ?? NO_REPLICAS).all
      for (const own of running) add(used, needOfBound(own, draft), 1)
      const { need } = weightOf(template)
      add(short, need, Math.max(0, guaranteed - running.length))
    }
    const borrowed = beyond(used, shares.find((own) => own.team === name)?.guarantee ?? used)
    const meta = { kind: 'status', noun: 'team', name, uid } as const
    const old = snapshot.teamStatuses.find((own) => own.uid === uid)?.loans
    const loans = loansFrom(old, partOfAll(borrowed, shares), snapshot.nowMs)
    const numbers = { observedGeneration: generation, used, borrowed, short }
    return { ...meta, ...numbers, ...(loans === undefined ? {} : { loans }) }
  })
}

function beyond(used: Amounts, quota: Amount): Amounts {
  const over = nothing()
  for (const own of DIMENSIONS) over[own] = Math.max(0, used[own] - quota[own])
  return over
}

const nothing = (): Amounts => ({ cpuMilli: 0, memoryMib: 0, gpuMilli: 0 })

function add(sum: Amounts, need: Amount, count: number): void {
  for (const own of DIMENSIONS) sum[own] += need[own] * count
}
