/**
 * What an installation tells the planner, as the environment of a function has it.
 */
import type { Environment } from '#shared/base/environment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { quotaPolicySchema } from '#shared/model/quota-policy.ts'
import type { PlanSettings } from '#shared/planner/snapshot.ts'

/** Throws a ZodError for a policy that there is not. */
export function planSettingsOf(environment: Environment): PlanSettings {
  return {
    lostAfterMs: LIMITS.lostAfterMs,
    bootDeadlineMs: LIMITS.bootDeadlineMs,
    quotaPolicy: quotaPolicySchema.parse(environment['DROVER_QUOTA_POLICY']),
  }
}
