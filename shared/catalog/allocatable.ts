/**
 * What is left of a machine for replicas, computed and not tabled.
 *
 * The reserves are those that Kubernetes users know from EKS: a falling share of CPU, memory for
 * each pod that the network allows, the eviction threshold, and what the hypervisor keeps. Replicas
 * that are plain processes need less, but a number that is the same everywhere is worth more than a
 * few MiB. Source: EKS AMI's bootstrap rules and Karpenter's 7.5 % VM overhead, checked against
 * every kept row of Karpenter's table (bench/make-catalog.ts stops at a row that they do not
 * reproduce).
 */
import { LIMITS } from '../model/limits.ts'
import type { Architecture } from '../model/machine.ts'
import type { Resources } from '../model/quantities.ts'

/** Share of the stated memory that the hypervisor and the kernel keep. */
const VM_OVERHEAD = 0.075
/** What arm64 machines keep on top. */
const ARM64_OVERHEAD_MIB = 64
const MEMORY_BASE_MIB = 255
const MEMORY_PER_POD_MIB = 11
const EVICTION_MIB = 100

/**
 * Thousandths of each vCPU that are kept: of the first, the second, the next two, and all others.
 */
const CPU_STEPS = [
  { vcpus: 1, keptMilli: 60 },
  { vcpus: 1, keptMilli: 10 },
  { vcpus: 2, keptMilli: 5 },
  { vcpus: Infinity, keptMilli: 2.5 },
] as const

export type Shape = {
  readonly architecture: Architecture
  readonly vcpu: number
  readonly memoryMib: number
  readonly gpuCount: number
  readonly pods: number
}

/** With the root volume that a machine has where its pool asks for no other. */
export function allocatableOf(shape: Shape): Resources {
  return {
    cpuMilli: allocatableCpuMilli(shape.vcpu),
    memoryMib: allocatableMemoryMib(shape),
    gpuMilli: shape.gpuCount * 1000,
    diskMib: allocatableDiskMib(LIMITS.rootVolumeGib),
  }
}

/** Of a root volume: what the system takes and what is to stay free are no replica's. */
export function allocatableDiskMib(rootVolumeGib: number): number {
  return Math.floor(rootVolumeGib * 1024 * LIMITS.diskFullShare) - LIMITS.systemDiskMib
}

function allocatableCpuMilli(vcpu: number): number {
  let keptMilli = 0
  let rest = vcpu
  for (const step of CPU_STEPS) {
    const own = Math.min(rest, step.vcpus)
    keptMilli += own * step.keptMilli
    rest -= own
  }
  return Math.floor(vcpu * 1000 - keptMilli)
}

function allocatableMemoryMib({ architecture, memoryMib, pods }: Shape): number {
  const seen = memoryMib - (architecture === 'arm64' ? ARM64_OVERHEAD_MIB : 0)
  const reserved = MEMORY_BASE_MIB + MEMORY_PER_POD_MIB * pods + EVICTION_MIB
  return Math.floor(seen * (1 - VM_OVERHEAD) - reserved)
}
