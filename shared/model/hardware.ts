/**
 * Hardware: what is known of a GPU beyond the life of the machine it is in.
 *
 * A cloud hands back what others gave up, and EC2 shows no lasting identity of a machine; but a GPU
 * has a UUID that stays with it. So a certificate is written for each device and for the set of
 * them, and a device that was rejected is known again when it comes back under another instance.
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import type { HardwareOrder } from './facts.ts'
import { LIMITS } from './limits.ts'
import { verdictNameSchema } from './verdict.ts'

export const gpuIdentitySchema = z.object({
  /** As the driver counts them on this machine, from 0. */
  index: z.int().min(0),
  uuid: z.string().regex(/^GPU-[0-9a-f-]{36}$/),
  /** Absent where the device has none, or does not tell. */
  serial: z.string().max(40).optional(),
  /** Where it sits on the bus, as the kernel writes it: `0000:53:00`. */
  bus: z.string().max(20),
})
export type GpuIdentity = z.infer<typeof gpuIdentitySchema>

export const hardwareSchema = z.object({
  kind: z.literal('hardware'),
  /** A UUID, or `set:` and what follows from those of all devices of one machine. */
  id: z.string(),
  serial: z.string().optional(),
  /** `certified` by a burn-in that admitted it, `rejected` by one in which it failed. */
  state: z.enum(['certified', 'rejected']),
  /** Says what was tested, and how deep. */
  suite: z.string(),
  checks: z.array(z.object({ name: z.string(), verdict: verdictNameSchema })),
  /** Of a rejected one: what was found. */
  text: z.string().max(500),
  /** Where that was. */
  node: z.string(),
  arn: z.string(),
  atMs: z.int(),
})
export type Hardware = z.infer<typeof hardwareSchema>

/** Whether a machine with it is refused: rejected not long ago, and no person has cleared that. */
export function isHeldAgainst(
  { state, atMs }: Hardware,
  { cleared, nowMs }: { readonly cleared: HardwareOrder | undefined; readonly nowMs: number },
): boolean {
  if (state !== 'rejected' || nowMs - atMs > LIMITS.hardwareRejectedMs) return false
  return cleared?.rejectedAtMs !== atMs
}

/** The id of all the devices of a machine together, in whatever order they are counted. */
export function setIdOf(gpus: readonly Pick<GpuIdentity, 'uuid'>[]): string {
  const uuids = gpus.map((own) => own.uuid).sort()
  return `set:${hash('sha256', uuids.join(',')).slice(0, 16)}`
}
