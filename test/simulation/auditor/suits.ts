/**
 * Whether a workload may run in a pool, or on a type in a zone: taints, placement, capacity.
 */
import type { InstanceType } from '#shared/model/machine.ts'
import { TEAM_TAINT_KEY } from '#shared/model/names.ts'
import type { PoolSpec } from '#shared/model/pool.ts'
import { parseMib } from '#shared/model/quantities.ts'
import type { WorkloadSpec } from '#shared/model/workload.ts'
import { needOf } from './needs.ts'

/** Why no replica of the workload may be on a machine of the pool; undefined where one may. */
export function whyNotPool(spec: WorkloadSpec, name: string, pool: PoolSpec): string | undefined {
  if (!(spec.placement.pools?.includes(name) ?? true)) return `it does not ask for pool ${name}`
  // A team's taint is borne by its own workloads, and by whoever says so.
  const owned = pool.team === undefined ? [] : [{ key: TEAM_TAINT_KEY, value: pool.team }]
  for (const taint of [...pool.taints, ...owned]) {
    const isOwn = taint.key === TEAM_TAINT_KEY && taint.value === spec.team
    const isBorne = spec.tolerations.some(
      ({ key, value }) => key === taint.key && (value === undefined || value === taint.value),
    )
    if (!isOwn && !isBorne) return `it does not tolerate ${taint.key}=${taint.value ?? ''}`
  }
  return undefined
}

export type Spot = {
  readonly zone: string
  readonly capacityType: 'spot' | 'on-demand'
  readonly architecture: string
  readonly family?: string
  readonly gpuModel?: string
}

/** Why no replica of the workload may be on such a machine; undefined where one may. */
export function whyNotMachine(spec: WorkloadSpec, machine: Spot): string | undefined {
  const { zones, architectures, instanceFamilies, gpuModels } = spec.placement
  const { zone, capacityType, architecture, family = '', gpuModel = '' } = machine
  if (!(zones?.includes(zone) ?? true)) return `it does not ask for zone ${zone}`
  const ofArchitecture: readonly string[] | undefined = architectures
  if (!(ofArchitecture?.includes(architecture) ?? true)) return `it does not run on ${architecture}`
  if (!(instanceFamilies?.includes(family) ?? true)) return `it does not ask for family ${family}`
  if (!(gpuModels?.includes(gpuModel) ?? true)) return `it does not ask for GPU ${gpuModel}`
  if (spec.capacity.spot === 'required' && capacityType !== 'spot') return 'it asks for spot alone'
  if (spec.capacity.spot === 'never' && capacityType === 'spot') return 'it asks for no spot'
  return undefined
}

/** True when the pool's `instances` let it buy the type. */
export function poolBuys({ instances }: PoolSpec, type: InstanceType): boolean {
  const least = instances.minMemory === undefined ? 0 : (parseMib(instances.minMemory) ?? 0)
  const most = instances.maxMemory === undefined ? Infinity : (parseMib(instances.maxMemory) ?? 0)
  return (
    (instances.families?.includes(type.family) ?? true) &&
    (instances.types?.includes(type.name) ?? true) &&
    (instances.architectures?.includes(type.architecture) ?? true) &&
    (instances.gpuModels?.includes(type.gpuModel ?? '') ?? true) &&
    type.vcpu >= (instances.minVcpu ?? 0) &&
    type.vcpu <= (instances.maxVcpu ?? Infinity) &&
    type.memoryMib >= least &&
    type.memoryMib <= most
  )
}

/** True when an empty machine of the type holds one replica of the workload. */
export function holdsOne(type: InstanceType, spec: WorkloadSpec): boolean {
  const need = needOf(spec)
  return (
    need.cpuMilli <= type.allocatable.cpuMilli &&
    need.memoryMib <= type.allocatable.memoryMib &&
    need.diskMib <= type.allocatable.diskMib &&
    need.gpuMilli <= type.gpuCount * 1000
  )
}
