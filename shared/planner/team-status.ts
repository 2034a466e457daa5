/**
 * What each team uses of its quota, what it has borrowed, and what it is owed.
 */
import type { TeamItem } from '../model/spec-item.ts'
import type { Amounts, TeamStatus } from '../model/status.ts'
import type { Draft } from './fold.ts'
import { DIMENSIONS, type Amount } from './quota/policy.ts'
import { NO_REPLICAS, replicasByUid, runningOf } from './replicas.ts'
import { revisionOf } from './revision.ts'
import type { Target } from './target.ts'

export type TeamContext = {
  readonly teams: readonly TeamItem[]
  /** Of all workloads, after quotas were applied. */
  readonly targets: readonly Target[]
  readonly draft: Draft
}

export function teamStatuses({ teams, targets, draft }: TeamContext): readonly TeamStatus[] {
  const replicas = replicasByUid(draft)
  return teams
    .filter((own) => own.deletedAtMs === undefined)
    .map(({ name, uid, generation }) => {
      const used = nothing()
      const borrowed = nothing()
      const short = nothing()
      for (const { workload, guaranteed, allowed } of targets) {
        if (workload.spec.team !== name) continue
        const running = runningOf(replicas.get(workload.uid) ?? NO_REPLICAS).all.length
        const { need } = revisionOf(workload.spec)
        add(used, need, running)
        add(borrowed, need, Math.max(0, Math.min(running, allowed) - guaranteed))
        add(short, need, Math.max(0, guaranteed - running))
      }
      const meta = { kind: 'status', noun: 'team', name, uid } as const
      return { ...meta, observedGeneration: generation, used, borrowed, short }
    })
}

const nothing = (): Amounts => ({ cpuMilli: 0, memoryMib: 0, gpuMilli: 0 })

function add(sum: Amounts, need: Amount, count: number): void {
  for (const own of DIMENSIONS) sum[own] += need[own] * count
}
