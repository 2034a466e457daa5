/**
 * What an installation tells the planner, as the environment of a function has it.
 */
import type { Environment } from '#shared/base/environment.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { imageOfTemplate } from '#shared/model/launch.ts'
import { quotaPolicySchema } from '#shared/model/quota-policy.ts'
import type { PlanSettings } from '#shared/planner/snapshot.ts'
import type { SnapshotSettings } from '#shared/store/snapshot.ts'
import type { LaunchSettings } from './launch-settings.ts'

/** Throws a ZodError for a policy that there is not. */
export function planSettingsOf(environment: Environment): PlanSettings {
  return {
    lostAfterMs: LIMITS.lostAfterMs,
    bootDeadlineMs: LIMITS.bootDeadlineMs,
    quotaPolicy: quotaPolicySchema.parse(environment['DROVER_QUOTA_POLICY']),
  }
}

/** The same with what follows from how machines are launched. */
export function snapshotSettingsOf(
  plan: PlanSettings,
  { launchTemplates, subnets }: LaunchSettings,
): SnapshotSettings {
  const { amd64, arm64, gpu } = launchTemplates
  const images = {
    amd64: imageOfTemplate(amd64),
    arm64: imageOfTemplate(arm64),
    gpu: imageOfTemplate(gpu),
  }
  return { plan: { ...plan, images }, zones: Object.keys(subnets).sort() }
}
