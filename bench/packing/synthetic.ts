/**
 * A set that needs no files: services of many sizes, some with a GPU or a part of one, on the
 * shipped catalogue.
 */
import { catalog } from '#shared/catalog/catalog.ts'
import { must } from '#shared/base/assert.ts'
import { makeRandom } from '#shared/base/random.ts'
import type { MachineType } from '#shared/planner/packing/problem.ts'
import type { Replica } from './data.ts'

const REPLICAS = 1000
const CPU_MILLI = [250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000]
const MIB_PER_CPU = [1000, 2000, 4000, 8000]
const WITH_GPU = 0.2
const GPU_MILLI = [250, 500, 1000, 1000, 2000]

export function syntheticReplicas(): readonly Replica[] {
  const random = makeRandom(1)
  const pick = <T>(list: readonly T[]): T => must(list[random.int(0, list.length - 1)], 'a choice')
  return Array.from({ length: REPLICAS }, (_, i): Replica => {
    const cpuMilli = pick(CPU_MILLI)
    const memoryMib = Math.ceil((cpuMilli / 1000) * pick(MIB_PER_CPU))
    const gpuMilli = random.chance(WITH_GPU) ? pick(GPU_MILLI) : 0
    return { id: `replica-${String(i)}`, cpuMilli, memoryMib, gpuMilli }
  })
}

/** The shipped catalogue, amd64 alone. */
export function catalogMachines(): readonly MachineType[] {
  return catalog
    .filter((own) => own.architecture === 'amd64')
    .map((own) => ({
      name: own.name,
      cpuMilli: own.allocatable.cpuMilli,
      memoryMib: own.allocatable.memoryMib,
      gpus: own.gpuCount,
      priceUsdPerHour: own.onDemandUsdPerHour,
    }))
}
