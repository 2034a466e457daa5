/**
 * The five kinds of work of Karpenter's scheduling benchmark, as drover's specs.
 *
 * Spread over nodes is a rule there and a preference here; all else means the same.
 */
import type { Random } from '#shared/base/random.ts'
import { must } from '#shared/base/assert.ts'
import { poolSpecSchema } from '#shared/model/pool.ts'
import type { PoolItem, WorkloadItem } from '#shared/model/spec-item.ts'
import { workloadSpecSchema, type Placement } from '#shared/model/workload.ts'

export const KINDS = [
  'generic',
  'zone-spread',
  'node-spread',
  'zone-affinity',
  'node-anti-affinity',
] as const
export type Kind = (typeof KINDS)[number]

export type Shape = { readonly cpuMilli: number; readonly memoryMib: number }

const CPU_MILLI = [100, 250, 500, 1000, 1500]
const MEMORY_MIB = [100, 256, 512, 1024, 2048, 4096]

/** One of the thirty shapes that the benchmark knows. */
export function drawShape(random: Random): Shape {
  return { cpuMilli: pick(random, CPU_MILLI), memoryMib: pick(random, MEMORY_MIB) }
}

/** A shape that hardly another workload has; on average as large as those of the benchmark. */
export function drawOwnShape(random: Random): Shape {
  return { cpuMilli: random.int(100, 1240), memoryMib: random.int(100, 2580) }
}

/** Of a workload, where not the benchmark says how many. */
export const REPLICAS_PER_WORKLOAD = 50

export function pick<T>(random: Random, list: readonly T[]): T {
  return must(list[random.int(0, list.length - 1)], 'a choice')
}

/** The placement of the kind, counted within the group; alone where there is none. */
export function placementOf(kind: Kind, group?: string): Placement {
  const rule = (by: 'zone' | 'node'): Placement['spread'] =>
    group === undefined ? by : { by, group }
  return placements[kind](rule)
}

type Rule = (by: 'zone' | 'node') => Placement['spread']

const placements = {
  generic: () => ({}),
  'zone-spread': (rule) => ({ spread: rule('zone') }),
  'node-spread': (rule) => ({ spread: rule('node') }),
  'zone-affinity': (rule) => ({ affinity: rule('zone') }),
  'node-anti-affinity': (rule) => ({ antiAffinity: rule('node') }),
} satisfies { [K in Kind]: (rule: Rule) => Placement }

export type Wish = {
  readonly name: string
  readonly replicas: number
  readonly shape: Shape
  readonly placement: Placement
}

export function workloadItem({ name, replicas, shape, placement }: Wish): WorkloadItem {
  const { cpuMilli, memoryMib } = shape
  const resources = { cpu: `${String(cpuMilli)}m`, memory: `${String(memoryMib)}Mi` }
  const spec = workloadSpecSchema.parse({ command: ['serve'], replicas, resources, placement })
  return { ...metaOf(name), noun: 'workload', spec }
}

export const POOL = 'general'

export function poolItem(): PoolItem {
  return { ...metaOf(POOL), noun: 'pool', spec: poolSpecSchema.parse({}) }
}

function metaOf(name: string): Omit<WorkloadItem, 'noun' | 'spec'> {
  const stamps = { generation: 1, createdAtMs: 0, updatedAtMs: 0 }
  return { kind: 'spec', name, uid: `u-${name}`, ...stamps }
}
