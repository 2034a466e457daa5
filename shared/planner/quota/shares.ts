/**
 * Teams' shares as quota policies see them, from what their people wrote.
 */
import { remembered } from '../../base/remembered.ts'
import { parseMib, parseMilli } from '../../model/quantities.ts'
import type { TeamItem } from '../../model/spec-item.ts'
import type { TeamStatus } from '../../model/status.ts'
import type { TeamSpec } from '../../model/team.ts'
import type { QuotaPolicyName } from '../../model/quota-policy.ts'
import { debtAt } from './loans.ts'
import { policyOf } from './policies.ts'
import type { Amount, Share } from './policy.ts'

/** What the teams may count on at that time, by the policy of the installation. */
export function sharesOf(context: ShareContext): readonly Share[] {
  const { teams, teamStatuses, nowMs, settings } = context
  const loans = new Map(teamStatuses.map((own) => [own.uid, own.loans]))
  const written = teams
    .filter((own) => own.deletedAtMs === undefined)
    .map((own) => ({ ...shareOf(own), debt: debtAt(loans.get(own.uid), nowMs) }))
  return policyOf(settings).sharesOf(written)
}

type ShareContext = {
  readonly teams: readonly TeamItem[]
  readonly teamStatuses: readonly TeamStatus[]
  readonly nowMs: number
  readonly settings: { readonly quotaPolicy?: QuotaPolicyName }
}

/** As its people wrote it, whatever it has borrowed so far. */
const shareOf = remembered(({ name, spec }: TeamItem): Share => {
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
