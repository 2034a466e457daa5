/**
 * The instance types that drover may buy: shape, what is left of it for replicas, on-demand price.
 *
 * It ships with the code so that a plan can be made, tested and simulated with no account, and so
 * that a new installation works before the `market` function has asked EC2 for the first time. From
 * then on EC2's own prices win (offerings.ts). README.md says where the facts come from.
 */
import { frozen } from '../base/frozen.ts'
import { byKey } from '../base/order.ts'
import { remembered } from '../base/remembered.ts'
import type { InstanceType } from '../model/machine.ts'
import { allocatableOf } from './allocatable.ts'
import { readRows, type CatalogRow } from './rows.ts'

/** The shipped table's lines as records, with what the market needs to know of each type. */
export const catalogRows: readonly CatalogRow[] = readRows().toSorted(byKey((row) => row.name))

/** Every type, in order of name. */
export const catalog: readonly InstanceType[] = frozen(catalogRows.map(typeOf))

/** Any catalogue's types by name. */
export const typesByName = remembered(
  (types: readonly InstanceType[]): ReadonlyMap<string, InstanceType> =>
    new Map(types.map((type) => [type.name, type])),
)

export const typeByName = typesByName(catalog)

export function isGpu(type: InstanceType): boolean {
  return type.gpuCount > 0
}

function typeOf(row: CatalogRow): InstanceType {
  return {
    name: row.name,
    family: row.family,
    architecture: row.architecture,
    vcpu: row.vcpu,
    memoryMib: row.memoryMib,
    gpuCount: row.gpuCount,
    ...(row.gpuModel === undefined ? {} : { gpuModel: row.gpuModel }),
    allocatable: allocatableOf(row),
    onDemandUsdPerHour: row.onDemandUsdPerHour,
  }
}
