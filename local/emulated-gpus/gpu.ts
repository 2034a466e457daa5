/**
 * The GPUs of an emulated instance. They are the host's, not the instance's: whoever gets the same
 * host later finds the same devices with the same faults, as a cloud hands back what others gave
 * up.
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import type { Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import type { InstanceType } from '#shared/model/machine.ts'
import type { GpuFault } from '../hardware.ts'

export const gpuSchema = z.object({
  uuid: z.string(),
  serial: z.string(),
  bus: z.string(),
  model: z.string(),
  memoryMib: z.int(),
  /** How likely it is to read as broken at each look: 0 and 1 are for its life. */
  badness: z.number().min(0).max(1),
})
export type EmulatedGpu = z.infer<typeof gpuSchema>

export const GPUS_VARIABLE = 'DROVER_EMULATED_GPUS'

/** None for a type without. A fault's rate draws once for each device, unless it comes and goes. */
export function gpusOf(
  { instanceType, zone, host }: Pick<Ec2Instance, 'instanceType' | 'zone' | 'host'>,
  type: InstanceType,
  faults: readonly GpuFault[],
): EmulatedGpu[] {
  return Array.from({ length: type.gpuCount }, (_, index) => {
    const seed = hash('sha256', `${instanceType}/${zone}/${String(host)}/${String(index)}`)
    const draw = Number.parseInt(seed.slice(-8), 16) / 2 ** 32
    const badness = faults.map(({ rate, intermittent }) =>
      intermittent ? rate : draw < rate ? 1 : 0,
    )
    const device = (index + 1).toString(16).padStart(2, '0')
    return {
      uuid: `GPU-${[0, 8, 12, 16, 20].map((at, i) => seed.slice(at, ENDS[i])).join('-')}`,
      serial: String(Number.parseInt(seed.slice(0, 11), 16)).padStart(13, '1'),
      bus: `00000000:${device}:00.0`,
      model: type.gpuModel ?? 'GPU',
      memoryMib: 15_360,
      badness: Math.max(0, ...badness),
    }
  })
}

/** Where the parts of a UUID end. */
const ENDS = [8, 12, 16, 20, 32]

/** Those that the machine's environment tells of. */
export function gpusHere(): EmulatedGpu[] {
  return z.array(gpuSchema).parse(JSON.parse(process.env[GPUS_VARIABLE] ?? '[]'))
}

export const isBadNow = ({ badness }: EmulatedGpu): boolean => Math.random() < badness
