/**
 * A team's share as quota policies see it, from what its people wrote.
 */
import { remembered } from '../../base/remembered.ts'
import { parseMib, parseMilli } from '../../model/quantities.ts'
import type { TeamItem } from '../../model/spec-item.ts'
import type { TeamSpec } from '../../model/team.ts'
import type { Amount, Share } from './policy.ts'

export const shareOf = remembered(({ name, spec }: TeamItem): Share => {
  return {
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
