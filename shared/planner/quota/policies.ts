/**
 * The policies there are, by the name that an installation gives: a firm's own is one line more.
 */
import { quotaPolicySchema, type QuotaPolicyName } from '../../model/quota-policy.ts'
import { guaranteedWithBorrowing } from './guaranteed-with-borrowing.ts'
import type { QuotaPolicy } from './policy.ts'
import { weightedFairShare } from './weighted-fair-share.ts'

export const POLICIES: Readonly<Record<QuotaPolicyName, QuotaPolicy>> = {
  'guaranteed-with-borrowing': guaranteedWithBorrowing,
  'weighted-fair-share': weightedFairShare,
}

/** Without a name the one by default. */
export function policyOf({ quotaPolicy }: { quotaPolicy?: QuotaPolicyName }): QuotaPolicy {
  return POLICIES[quotaPolicySchema.parse(quotaPolicy)]
}
