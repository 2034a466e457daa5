/**
 * The market that Karpenter's scheduling benchmark buys from: 400 made-up types at a linear price.
 *
 * Type i has i vCPUs and 2i GiB, is sold in two zones as spot and in three as on-demand, always at
 * the same price. So no packing is much dearer than another there, and what is left to measure is
 * how long a plan takes. Karpenter lets type i hold 10i replicas; drover knows one limit for all.
 *
 * Source: `pkg/cloudprovider/fake/instancetype.go` of kubernetes-sigs/karpenter.
 */
import { frozen } from '#shared/base/frozen.ts'
import type { InstanceType, Offering } from '#shared/model/machine.ts'

const TYPES = 400
const MIB_PER_VCPU = 2048
const USD_PER_VCPU_HOUR = 0.1
/** Karpenter's fake counts memory in 10⁹ bytes. */
const USD_PER_GB_HOUR = 0.1
const OVERHEAD_CPU_MILLI = 100
const OVERHEAD_MEMORY_MIB = 10

const SPOT_ZONES = ['test-zone-1', 'test-zone-2'] as const
export const ZONES = [...SPOT_ZONES, 'test-zone-3'] as const
export type Zone = (typeof ZONES)[number]

export const typeOf = (vcpu: number): string => `fake.${String(vcpu)}x`

export const catalog: readonly InstanceType[] = frozen(
  Array.from({ length: TYPES }, (_, i): InstanceType => {
    const vcpu = i + 1
    const memoryMib = vcpu * MIB_PER_VCPU
    return {
      ...{ name: typeOf(vcpu), family: 'fake', architecture: 'amd64', vcpu, memoryMib },
      gpuCount: 0,
      allocatable: {
        cpuMilli: vcpu * 1000 - OVERHEAD_CPU_MILLI,
        memoryMib: memoryMib - OVERHEAD_MEMORY_MIB,
        ...{ gpuMilli: 0, diskMib: 0 },
      },
      onDemandUsdPerHour:
        vcpu * USD_PER_VCPU_HOUR + ((memoryMib * 2 ** 20) / 1e9) * USD_PER_GB_HOUR,
    }
  }),
)

export const offerings: readonly Offering[] = frozen(
  catalog.flatMap(({ name: instanceType, onDemandUsdPerHour: priceUsdPerHour }) => [
    ...SPOT_ZONES.map((zone) => offeringIn(zone, 'spot', { instanceType, priceUsdPerHour })),
    ...ZONES.map((zone) => offeringIn(zone, 'on-demand', { instanceType, priceUsdPerHour })),
  ]),
)

function offeringIn(
  zone: Zone,
  capacityType: Offering['capacityType'],
  priced: Pick<Offering, 'instanceType' | 'priceUsdPerHour'>,
): Offering {
  return { ...priced, zone, capacityType }
}
