/**
 * Launch: the intent to buy machines, written before EC2 hears of it.
 *
 * One launch is one CreateFleet. Its request is stored as the very text that is sent, so a retry
 * after a lost answer is the same call byte for byte and its token makes EC2 answer it once. Its
 * claims are interchangeable: any instance may become any of them.
 */
import { z } from 'zod'
import { capacityTypeSchema, type InstanceType } from './machine.ts'

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
        /** Absent: what the launch template says. */
        rootVolumeGib: z.int().min(1).optional(),
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

/** An installation has a launch template for each, and so an image. */
export type ImageSort = 'amd64' | 'arm64' | 'gpu'

export function imageSortOf(type: Pick<InstanceType, 'gpuCount' | 'architecture'>): ImageSort {
  return type.gpuCount > 0 ? 'gpu' : type.architecture
}

/** What an image is called that a launch template names. A later AMI of its may go by that too. */
export function imageOfTemplate({ id, version }: { id: string; version: string }): string {
  return `${id}/${version}`
}

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

type Place = { readonly instanceType: string; readonly zone: string }

/** The image that the launch asked for there; undefined where its request names no such place. */
export function imageAskedFor({ request }: Launch, place: Place): string | undefined {
  const asked = storedRequestSchema
    .safeParse(request)
    .data?.overrides.find(
      (own) => own.instanceType === place.instanceType && own.zone === place.zone,
    )
  if (asked === undefined) return undefined
  const { launchTemplateId: id, launchTemplateVersion: version } = asked
  return asked.imageId ?? imageOfTemplate({ id, version })
}

const storedRequestSchema = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown
    } catch {
      context.addIssue('must be JSON')
      return z.NEVER
    }
  })
  .pipe(launchRequestSchema)

/** What the tag on an instance says of its launch: `<id>/<attempt>`. */
export function launchTag(launch: { id: string; attempt: number }): string {
  return `${launch.id}/${String(launch.attempt)}`
}
