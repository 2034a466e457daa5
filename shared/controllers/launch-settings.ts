/**
 * What reconcile must know of the account to launch machines: which launch template, which subnet.
 *
 * The stack writes it into the function's environment as `DROVER_LAUNCH`; local mode makes its own.
 * A template's version is a number, never `$Latest`, because a launch is replayed byte for byte.
 */
import { z } from 'zod'

const launchTemplateSchema = z.strictObject({
  id: z.string().min(1),
  version: z.string().regex(/^[1-9][0-9]*$/, { error: 'must be a version number' }),
})

export const launchSettingsSchema = z.strictObject({
  launchTemplates: z.strictObject({
    amd64: launchTemplateSchema,
    arm64: launchTemplateSchema,
    /** For machines with GPUs: their image carries the driver. amd64 only. */
    gpu: launchTemplateSchema,
  }),
  /** Subnet by zone. Machines are bought in these zones only. */
  subnets: z.record(z.string(), z.string().min(1)).refine((all) => Object.keys(all).length > 0, {
    error: 'must name one zone at least',
  }),
})
export type LaunchSettings = z.infer<typeof launchSettingsSchema>
