/**
 * Which of the targets the teams' quotas allow: by right, on what others leave idle, or not yet.
 *
 * Quota is counted in what replicas ask for, never in machines, so an empty herd can launch. Where
 * there is no team there is no quota, and every target goes ahead. What a workload has it keeps
 * here, even beyond its grant: to take it away is for `preempt.ts`, and only when somebody entitled
 * needs the room.
 */
import { must } from '../base/assert.ts'
import type { TeamItem, WorkloadItem } from '../model/spec-item.ts'
import type { WorkloadStatus } from '../model/status.ts'
import type { Refusal } from './actions.ts'
import type { Draft } from './fold.ts'
import { borrowsAgainAtMs } from './quota/cool-down.ts'
import { guaranteedWithBorrowing } from './quota/guaranteed-with-borrowing.ts'
import { amountOf, type Ask } from './quota/policy.ts'
import { shareOf } from './quota/shares.ts'
import { whyNotAllowed } from './quota/why.ts'
import { NO_REPLICAS, replicasByUid, runningOf, type Running } from './replicas.ts'
import { revisionOf } from './revision.ts'
import type { Snapshot } from './snapshot.ts'
import { targetWithin, type Target } from './target.ts'

export type Admission = {
  readonly admitted: readonly Target[]
  readonly refused: readonly Refusal[]
}

export type AdmitContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly targets: readonly Target[]
}

export function admit(context: AdmitContext): Admission {
  const { snapshot, targets } = context
  const teams = snapshot.teams.filter((own) => own.deletedAtMs === undefined)
  if (teams.length === 0) return { admitted: targets, refused: [] }
  const applicants = applicantsOf(context, teams)
  const asks = applicants.map((own) => own.ask)
  const shares = teams.map(shareOf)
  const granted = guaranteedWithBorrowing({ shares, asks })
  // What a team waits for makes nothing that it has another team's to take; nor does what a machine
  // took with it, or is about to, and what is to have a place again.
  const running = applicants.map(({ ask, runs }) => ({ ...ask, held: runs, wanted: runs }))
  const kept = guaranteedWithBorrowing({ shares, asks: running })
  const found = applicants.map((own) => {
    const { uid } = own.ask
    const grant = must(granted.get(uid), 'a grant for every ask')
    const { guaranteed } = must(kept.get(uid), 'a grant for what runs')
    const target = targetWithin(own, {
      allowed: Math.max(grant.guaranteed + grant.borrowed, own.ask.held),
      held: own.ask.held,
      guaranteed: grant.guaranteed,
      reclaimable: own.runs - guaranteed,
      mayBuyBorrowed: own.team?.spec.borrow === 'buy',
    })
    const count = Math.min(own.target.start - target.start, own.target.desired - target.allowed)
    return { target, refused: count <= 0 ? [] : [refuse(own, { asks, count })] }
  })
  return {
    admitted: found.map((own) => own.target),
    refused: found.flatMap((own) => own.refused),
  }
}

type Applicant = {
  readonly target: Target
  readonly workload: WorkloadItem
  readonly running: Running
  readonly team: TeamItem | undefined
  readonly ask: Ask
  /** What it has on nodes that stay; of a surge only as much as was allowed before. */
  readonly runs: number
  /** When it may borrow again, where it had to give way lately. */
  readonly borrowsAgainAtMs: number | undefined
}

function applicantsOf(
  { snapshot, draft, targets }: AdmitContext,
  teams: readonly TeamItem[],
): readonly Applicant[] {
  const replicas = replicasByUid(draft)
  const statuses = new Map(snapshot.workloadStatuses.map((own) => [own.uid, own]))
  const byName = new Map(teams.map((own) => [own.name, own]))
  return targets.map((target) => {
    const { uid, spec, createdAtMs } = target.workload
    const running = runningOf(replicas.get(uid) ?? NO_REPLICAS)
    const status = statuses.get(uid)
    const untilMs = status?.reclaims === undefined ? undefined : borrowsAgainAtMs(status.reclaims)
    const most = mostHeld(target, status)
    const has = Math.min(most, running.all.length)
    const ask: Ask = {
      ...{ uid, team: spec.team, priority: spec.priority, preemptible: spec.preemptible },
      need: amountOf(revisionOf(spec).need),
      isCoolingDown: untilMs !== undefined && snapshot.nowMs < untilMs,
      held: Math.max(has, Math.min(most, hadBefore(target, status))),
      wanted: target.desired,
      sinceMs: createdAtMs,
    }
    const team = byName.get(spec.team ?? '')
    return {
      target,
      workload: target.workload,
      running,
      team,
      ask,
      runs: Math.min(most, running.staying.length),
      borrowsAgainAtMs: untilMs,
    }
  })
}

/**
 * The most that counts as held: a surge of a roll-out is lent for a while, and makes nobody keep
 * more than was allowed before.
 */
function mostHeld({ desired }: Target, status: WorkloadStatus | undefined): number {
  return Math.min(desired, status?.allowed ?? status?.desired ?? desired)
}

/**
 * Who may not be stopped for others has again what a machine took with it, whatever its quota is by
 * then.
 */
function hadBefore({ workload }: Target, status: WorkloadStatus | undefined): number {
  return workload.spec.preemptible ? 0 : Math.max(status?.held ?? 0, status?.assigned ?? 0)
}

type Short = { readonly asks: readonly Ask[]; readonly count: number }

function refuse(own: Applicant, { asks, count }: Short): Refusal {
  const { workload, version } = own.target
  const share = own.team === undefined ? undefined : shareOf(own.team)
  const reason = whyNotAllowed({ ...own, share, asks })
  return { workload: workload.name, version, count, reasons: [reason] }
}
