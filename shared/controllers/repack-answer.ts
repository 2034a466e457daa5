/**
 * What a repack does, would do and will not do, as people are told it.
 *
 * The proposal is what `repack` found last; what becomes of each group is what the very next pass
 * would decide, for it is the planner that is asked.
 */
import { sameMembers } from '#shared/base/equal.ts'
import { sum } from '#shared/base/sum.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { RepackGroup } from '#shared/model/repack.ts'
import type { Reason } from '#shared/model/status.ts'
import { priceNow } from '#shared/planner/bound.ts'
import { draftOf } from '#shared/planner/fold.ts'
import { plan } from '#shared/planner/plan.ts'
import { liveGroups, type LiveGroup } from '#shared/planner/repack/groups.ts'
import { dollars, movesOff, savingOf } from '#shared/planner/repack/saving.ts'
import type { Snapshot } from '#shared/planner/snapshot.ts'
import type { RepackAnswer } from '#shared/protocol/api.ts'

type Told = RepackAnswer['groups'][number]

export function repackAnswer(snapshot: Snapshot): RepackAnswer {
  const { proposal } = snapshot
  const { repackRefusals } = plan(snapshot).plan
  const whyNot = (retire: readonly string[]): Reason | undefined =>
    repackRefusals.find((own) => sameMembers(own.retire, retire))?.reason
  const live = liveGroups(draftOf(snapshot))
  const busy = new Set(live.flatMap((own) => own.mark.retire))
  const proposed = proposal?.groups.filter((own) => !own.retire.some((name) => busy.has(name)))
  return {
    at: proposal === undefined ? null : new Date(proposal.atMs).toISOString(),
    groups: [
      ...live.map((own) => underWay(own, snapshot, whyNot(own.mark.retire))),
      ...(proposed ?? []).map((own) => proposedOne(own, whyStale(snapshot) ?? whyNot(own.retire))),
    ],
    refused: (proposal?.refused ?? []).map(({ retire, reason }) => ({ retire, reason })),
  }
}

function underWay(group: LiveGroup, snapshot: Snapshot, why: Reason | undefined): Told {
  const { mark, launch, retire, isMoving } = group
  const prices = launch.map((own) => priceNow(own, snapshot))
  const moves = movesOff(mark, draftOf(snapshot))
  return {
    ...{ id: mark.group, state: isMoving ? 'moving' : 'launching', reason: mark.reason },
    ...{ retire: mark.retire, shift: mark.shift },
    launch: launch.map(({ pool, capacityType, claim }, i) => ({
      ...{ pool, capacityType, places: claim.places, usdPerHour: dollars(prices[i] ?? 0) },
    })),
    savingUsdPerHour: savingOf({ retire, launchUsdPerHour: sum(prices), moves }, snapshot),
    moves,
    until: new Date(mark.untilMs).toISOString(),
    ...(why === undefined ? {} : { why }),
  }
}

function proposedOne(group: RepackGroup, why: Reason | undefined): Told {
  const launch = group.launch.map(({ boughtFor: _, ...own }) => own)
  const told = { ...group, launch }
  return why === undefined ? { ...told, state: 'next' } : { ...told, state: 'held', why }
}

function whyStale({ proposal, nowMs }: Snapshot): Reason | undefined {
  const isStale = nowMs - (proposal?.atMs ?? nowMs) > LIMITS.repackProposalMaxAgeMs
  return isStale ? { code: 'Stale', text: 'it was proposed long ago, of another herd' } : undefined
}
