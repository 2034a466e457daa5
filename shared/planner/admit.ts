/**
 * Which of the targets the teams' quotas allow: by right, on what others leave idle, or not yet.
 *
 * Quota is counted in what replicas ask for, never in machines, so an empty herd can launch. Where
 * there is no team there is no quota, and every target goes ahead. What a workload has it keeps
 * here, even beyond its grant: to take it away is for `preempt.ts`, and only when somebody entitled
 * needs the room.
 */
import { must } from '../base/assert.ts'
import type { TeamItem } from '../model/spec-item.ts'
import type { Refusal } from './actions.ts'
import { applicantsOf, type Applicant, type ApplicantContext } from './admit/applicants.ts'
import { openHope, type Hope } from './admit/hopeless.ts'
import { policyOf } from './quota/policies.ts'
import { countOfHoldings, type Ask, type Grant, type Share } from './quota/policy.ts'
import { sharesOf } from './quota/shares.ts'
import { overGuarantee, whyNotAllowed } from './quota/why.ts'
import type { Snapshot } from './snapshot.ts'
import { targetWithin, type Entitlement, type Target } from './target.ts'

export type Admission = {
  readonly admitted: readonly Target[]
  readonly refused: readonly Refusal[]
}

export function admit(context: ApplicantContext): Admission {
  const { snapshot, targets } = context
  const teams = snapshot.teams.filter((own) => own.deletedAtMs === undefined)
  if (teams.length === 0) return { admitted: targets, refused: [] }
  const hope = openHope(context)
  const turned = new Map<string, Target>()
  for (;;) {
    const asked = targets.map((own) => turned.get(own.workload.uid) ?? own)
    const answer = answerTo({ ...context, targets: asked, hope, teams })
    const more = answer.found.filter(
      ({ own, target }) => target.version !== own.target.version && !turned.has(own.ask.uid),
    )
    if (more.length === 0) return conclude(answer, hope)
    for (const { own, target } of more) turned.set(own.ask.uid, turnedTo(own, target, snapshot))
  }
}

/**
 * Of the proven version no more is allowed than runs, so the active one is what starts, and it may
 * be of another size: quotas are asked for that one.
 */
function turnedTo(own: Applicant, { proven }: Target, { nowMs }: Snapshot): Target {
  const { course, desired } = own.target
  const all = { allowed: desired, guaranteed: desired, proven }
  return { ...targetWithin({ ...own, course, nowMs }, all), start: own.target.start }
}

type Asking = ApplicantContext & { readonly hope: Hope; readonly teams: readonly TeamItem[] }

type Answer = {
  readonly found: readonly { readonly own: Applicant; readonly target: Target }[]
  readonly asks: readonly Ask[]
  readonly shares: readonly Share[]
}

function answerTo(context: Asking): Answer {
  const { snapshot, teams } = context
  const applicants = applicantsOf(context)
  const asks = applicants.map((own) => own.ask)
  const shares = sharesOf(snapshot)
  const policy = policyOf(snapshot.settings)
  const granted = policy.grant({ shares, asks })
  // What a team waits for makes nothing that it has another team's to take; nor does what a machine
  // took with it, or is about to, and what is to have a place again.
  const kept = policy.grant({ shares, asks: applicants.map((own) => own.runs) })
  const byName = new Map(teams.map((own) => [own.name, own]))
  const found = applicants.map((own) => {
    const { uid, team } = own.ask
    const entitlement = entitlementOf(own, {
      granted: must(granted.get(uid), 'a grant for every ask'),
      kept: must(kept.get(uid), 'a grant for what runs'),
      team: byName.get(team ?? ''),
    })
    const share = shares.find((one) => one.team === team)
    const over = own.ask.preemptible ? overGuarantee({ ask: own.ask, share, asks }) : ''
    const { course } = own.target
    const { nowMs } = snapshot
    const target = targetWithin({ ...own, course, nowMs }, { ...entitlement, over })
    return { own, target }
  })
  return { found, asks, shares }
}

function conclude({ found, asks, shares }: Answer, hope: Hope): Admission {
  return {
    admitted: found.map((one) => one.target),
    refused: found.flatMap(({ own, target }) => refusalOf(own, { target, asks, shares, hope })),
  }
}

type Granted = {
  readonly granted: Grant
  /** Of what it has on nodes that stay. */
  readonly kept: Grant
  readonly team: TeamItem | undefined
}

function entitlementOf(
  { ask, runs, newest, held, target, missing }: Applicant,
  { granted, kept, team }: Granted,
): Entitlement {
  const has = countOfHoldings(ask.has)
  const { guaranteed, grown, grownOnLoan } = granted
  const most = Math.max(guaranteed + granted.borrowed, has)
  const allowed = Math.min(most, target.desired)
  const proven = missing === undefined ? target.proven : target.desired - missing + most - has
  const smaller = has - newest
  const grow = {
    newest: {
      allowed: newest + grown + grownOnLoan + allowed - has,
      guaranteed: newest + grown + Math.max(0, guaranteed - has),
    },
    stuck: smaller - grown - grownOnLoan,
  }
  return {
    ...{ allowed, proven, held, smaller },
    guaranteed: Math.min(guaranteed, target.desired),
    ...(smaller === 0 ? {} : grow),
    reclaimable: countOfHoldings(runs.has) - kept.guaranteed,
    mayBuyBorrowed: team?.spec.borrow === 'buy',
  }
}

type Refused = {
  /** As quotas leave it. */
  readonly target: Target
  readonly asks: readonly Ask[]
  readonly shares: readonly Share[]
  readonly hope: Hope
}

/** What quotas keep back, in words; nothing where they keep nothing back. */
function refusalOf(own: Applicant, refused: Refused): readonly Refusal[] {
  const { target, asks, shares, hope } = refused
  const { workload, version, start, desired } = own.target
  const missing = Math.min(start - target.start, desired - target.allowed)
  const count = Math.max(0, missing) + target.stuck
  if (count === 0) return []
  const share = shares.find((one) => one.team === own.ask.team)
  const reasons = own.isHopeless ? hope.why(own.target) : [whyNotAllowed({ ...own, share, asks })]
  return [{ workload: workload.name, version, count, reasons }]
}
