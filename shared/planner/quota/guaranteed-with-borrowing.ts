/**
 * The policy by default: each team has its quota by right, and what it leaves idle others borrow,
 * first those that have borrowed least for their weight, now and lately.
 */
import { LIMITS } from '../../model/limits.ts'
import { partOfAll } from './books.ts'
import { grantAndLend } from './lending.ts'
import type { QuotaPolicy } from './policy.ts'

export const guaranteedWithBorrowing: QuotaPolicy = {
  sharesOf: (written) => written,
  grant: (question) =>
    grantAndLend(question, ({ share }, borrowed) => {
      const part = partOfAll(borrowed, question.shares)
      return (part + share.debt) / Math.max(share.weight, LIMITS.leastWeight)
    }),
}
