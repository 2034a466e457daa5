/**
 * All quotas together are one pot, and each team may count on its part of it by weight, in every
 * resource alike. What teams leave idle goes to those whose largest part of any resource is the
 * smallest for their weight, so that nobody is the poorer for asking for another mix.
 *
 * Whoever wants shares and no reservations sizes one team's quota as the whole and leaves those of
 * the others out.
 *
 * Source: Ghodsi et al., Dominant Resource Fairness (NSDI 2011): the dominant share and progressive
 * filling; what is firm never grows beyond the team's part, because it cannot be asked back.
 */
import { LIMITS } from '../../model/limits.ts'
import { governedBy, partOfAll, totalOf } from './books.ts'
import { grantAndLend } from './lending.ts'
import { DIMENSIONS, type Amount, type Dimension, type QuotaPolicy, type Share } from './policy.ts'

export const weightedFairShare: QuotaPolicy = {
  sharesOf: (written) => {
    const governed = governedBy(written)
    const weights = written.reduce((sum, own) => sum + own.weight, 0)
    return written.map((share) => {
      const part = share.weight / Math.max(weights, LIMITS.leastWeight)
      const guarantee: Record<Dimension, number> = { ...UNCOUNTED }
      for (const own of governed) guarantee[own] = Math.floor(totalOf(written, own) * part)
      return { ...share, guarantee }
    })
  },
  grant: (question) =>
    grantAndLend(question, ({ share, left }, borrowed) => {
      const used = partOfAll(usedOf(share, left, borrowed), question.shares)
      return (used + share.debt) / Math.max(share.weight, LIMITS.leastWeight)
    }),
}

const UNCOUNTED: Amount = { cpuMilli: Infinity, memoryMib: Infinity, gpuMilli: Infinity }

/** All that it has, by right or borrowed. */
function usedOf({ guarantee }: Share, left: Amount, borrowed: Amount): Amount {
  const used = { cpuMilli: 0, memoryMib: 0, gpuMilli: 0 }
  for (const own of DIMENSIONS) {
    if (guarantee[own] === Infinity) continue
    used[own] = guarantee[own] - left[own] + borrowed[own]
  }
  return used
}
