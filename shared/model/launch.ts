/**
 * Launch: the intent to buy machines, written before EC2 hears of it.
 *
 * One launch is one CreateFleet. Its request is stored as the very text that is sent, so a retry
 * after a lost answer is the same call byte for byte and its token makes EC2 answer it once. Its
 * claims are interchangeable: any instance may become any of them.
 */
import { z } from 'zod'
import { capacityTypeSchema } from './machine.ts'

/** What the fleet port sends, in drover's own words; adapters translate it and add nothing. */
export const launchRequestSchema = z.object({
  /** ≤ 64 ASCII characters: hash of launch id and attempt. */
  token: z.string().max(64),
  capacityType: capacityTypeSchema,
  count: z.int().min(1),
  overrides: z
    .array(
      z.object({
        instanceType: z.string(),
        zone: z.string(),
        subnetId: z.string().optional(),
        imageId: z.string().optional(),
        launchTemplateId: z.string(),
        /** A number, never `$Default`: a replay must mean the same. */
        launchTemplateVersion: z.string(),
      }),
    )
    .min(1),
  /** `drover:launch`, `drover:table`, `drover:pool` among them. */
  tags: z.record(z.string(), z.string()),
})
export type LaunchRequest = z.infer<typeof launchRequestSchema>

export const TAGS = {
  launch: 'drover:launch',
  table: 'drover:table',
  pool: 'drover:pool',
} as const

export const launchSchema = z.object({
  kind: z.literal('launch'),
  id: z.string(),
  attempt: z.int().min(1),
  pool: z.string(),
  capacityType: capacityTypeSchema,
  count: z.int().min(1),
  /** Node names; each has a node item in phase `launching`. */
  claims: z.array(z.string()).min(1),
  /** LaunchRequest as JSON text, replayed byte for byte. */
  request: z.string(),
  /** The request is not sent at or after this moment. */
  notAfterMs: z.int(),
  createdAtMs: z.int(),
  /** Workloads it was bought for: whom a failed spot launch counts against. */
  workloads: z.array(z.string()).default([]),
  /** Set when an answer was lost: the launch may or may not have happened. */
  unknownSinceMs: z.int().optional(),
  unknownText: z.string().optional(),
})
export type Launch = z.infer<typeof launchSchema>

/** What the tag on an instance says of its launch: `<id>/<attempt>`. */
export function launchTag(launch: { id: string; attempt: number }): string {
  return `${launch.id}/${String(launch.attempt)}`
}
