/**
 * What a machine is, as far as packing is concerned: its shape, its price, where it can be had.
 */
import { z } from 'zod'
import type { Resources } from './quantities.ts'

export const capacityTypeSchema = z.enum(['spot', 'on-demand'])
export type CapacityType = z.infer<typeof capacityTypeSchema>

export const architectureSchema = z.enum(['amd64', 'arm64'])
export type Architecture = z.infer<typeof architectureSchema>

export const resourcesItemSchema = z.object({
  cpuMilli: z.int(),
  memoryMib: z.int(),
  gpuMilli: z.int(),
  diskMib: z.int(),
})

/** One EC2 instance type. */
export type InstanceType = {
  /** `m7a.large` */
  readonly name: string
  /** `m7a` */
  readonly family: string
  readonly architecture: Architecture
  readonly vcpu: number
  readonly memoryMib: number
  /** Whole devices, 0 for none, and the model's catalogue name (`nvidia-t4`). */
  readonly gpuCount: number
  readonly gpuModel?: string
  /** What is left for replicas after the operating system and the agent. */
  readonly allocatable: Resources
  readonly onDemandUsdPerHour: number
}

/** An InstanceType as it is stored. */
export const instanceTypeSchema = z.object({
  name: z.string(),
  family: z.string(),
  architecture: architectureSchema,
  vcpu: z.int().min(1),
  memoryMib: z.int().min(1),
  gpuCount: z.int().min(0),
  gpuModel: z.string().exactOptional(),
  allocatable: resourcesItemSchema,
  onDemandUsdPerHour: z.number().positive(),
}) satisfies z.ZodType<InstanceType>

/** One place to buy one type: the unit of price, shortage and interruption. */
export type Offering = {
  readonly instanceType: string
  readonly zone: string
  readonly capacityType: CapacityType
  readonly priceUsdPerHour: number
  /**
   * Spot: share of machines interrupted a month, as AWS's advisor buckets it, 0 (<5 %) to 4 (>20
   * %).
   */
  readonly interruptionBucket?: number
}

/** An instance as EC2 lists it. */
export type ListedInstance = {
  readonly instanceId: string
  readonly arn: string
  readonly instanceType: string
  readonly zone: string
  readonly capacityType: CapacityType
  readonly state: 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped'
  readonly launchedAtMs: number
  readonly tags: Readonly<Record<string, string>>
  readonly imageId?: string
}
