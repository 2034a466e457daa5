/**
 * A team's share as quota policies see it, from what its people wrote.
 */
import { remembered } from '../../base/remembered.ts'
import { parseMib, parseMilli } from '../../model/quantities.ts'
import type { TeamItem } from '../../model/spec-item.ts'
import type { TeamStatus } from '../../model/status.ts'
import type { TeamSpec } from '../../model/team.ts'
import { debtAt } from './loans.ts'
import type { Amount, Share } from './policy.ts'

/** The teams' shares at that time. */
export function sharesOf({ teams, teamStatuses, nowMs }: ShareContext): readonly Share[] {
  const loans = new Map(teamStatuses.map((own) => [own.uid, own.loans]))
  return teams
    .filter((own) => own.deletedAtMs === undefined)
    .map((own) => ({ ...shareOf(own), debt: debtAt(loans.get(own.uid), nowMs) }))
}

type ShareContext = {
  readonly teams: readonly TeamItem[]
  readonly teamStatuses: readonly TeamStatus[]
  readonly nowMs: number
}

/** Its share, whatever it has borrowed so far. */
export const shareOf = remembered(({ name, spec }: TeamItem): Share => {
  return {
    debt: 0,
    team: name,
    guarantee: amountOfQuota(spec.quota),
    lend: amountOfQuota(spec.lend ?? {}),
    weight: spec.weight,
    mayBorrow: spec.borrow !== 'none',
  }
})

/** Infinity in a dimension that is not named: it is not counted, or not limited. */
function amountOfQuota({ cpu, memory, gpu }: TeamSpec['quota']): Amount {
  return {
    cpuMilli: cpu === undefined ? Infinity : (parseMilli(cpu) ?? 0),
    memoryMib: memory === undefined ? Infinity : (parseMib(memory) ?? 0),
    gpuMilli: gpu === undefined ? Infinity : (parseMilli(gpu) ?? 0),
  }
}
