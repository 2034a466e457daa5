/**
 * The names of the policies by which teams' quotas may be shared out: an installation has one.
 */
import { z } from 'zod'

export const quotaPolicySchema = z
  .enum(['guaranteed-with-borrowing', 'weighted-fair-share'])
  .default('guaranteed-with-borrowing')
export type QuotaPolicyName = z.infer<typeof quotaPolicySchema>
