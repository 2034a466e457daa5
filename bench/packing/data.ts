/**
 * Replicas and machines out of CSV files, as packing problems.
 *
 * Columns as in the public openb trace (`cpu_milli`, `memory_mib`, `num_gpu`, `gpu_milli`) and in
 * Karpenter's table of instance types (`instanceType`, `arch`, `gpuCount`, `gpuManufacturer`,
 * `k8sAllocatableCPU`, `k8sAllocatableMem`, `onDemandUSDPerHour`). A machine gives what its table
 * calls allocatable: what the operating system and the agents leave.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { must } from '#shared/base/assert.ts'
import type { MachineType, PackingProblem, Shape } from '#shared/planner/packing/problem.ts'

export type Replica = {
  readonly id: string
  readonly cpuMilli: number
  readonly memoryMib: number
  readonly gpuMilli: number
}

/** Replicas, and the shape that each has, by their order. */
export type Workload = {
  readonly shapes: readonly Shape[]
  readonly replicasOf: readonly (readonly Replica[])[]
}

type Row = Readonly<Record<string, string>>

function rowsOf(file: string): readonly Row[] {
  return parse(readFileSync(file), { columns: true })
}

/** `shares`: a replica of one GPU takes its `gpu_milli` of it, not all of it. */
export function readReplicas(file: string, { shares }: { shares: boolean }): readonly Replica[] {
  return rowsOf(file).map((row, i) => {
    const gpus = numberIn(row, 'num_gpu')
    const part = shares && gpus === 1 ? numberIn(row, 'gpu_milli') : gpus * 1000
    return {
      id: row['id'] ?? String(i),
      cpuMilli: numberIn(row, 'cpu_milli'),
      memoryMib: numberIn(row, 'memory_mib'),
      gpuMilli: part,
    }
  })
}

function numberIn(row: Row, column: string): number {
  const value = Number.parseFloat(must(row[column], `column ${column}`))
  return Number.isFinite(value) ? value : 0
}

/** Families that the problem leaves out: old, or without an NVIDIA GPU that it knows. */
const LEFT_OUT = new Set(
  (
    'a1 c1 c3 c4 m1 m2 m3 m4 r3 r4 i2 i3 d2 h1 x1 x1e z1d g2 g3 g3s g4ad g6f gr6f p2 p3 p3dn ' +
    'trn1 trn1n vt1 dl1 f1 f2'
  ).split(' '),
)
const LEFT_OUT_STARTS = ['inf', 'u-', 'u7', 'hpc', 'mac']

/** amd64, priced, not metal, burstable or flex; `isTaken` narrows it further. */
export function readMachines(
  file: string,
  isTaken: (row: Row) => boolean = () => true,
): readonly MachineType[] {
  return rowsOf(file)
    .filter((row) => isInProblem(row) && isTaken(row))
    .map((row) => ({
      name: must(row['instanceType'], 'instanceType'),
      cpuMilli: numberIn(row, 'k8sAllocatableCPU'),
      memoryMib: numberIn(row, 'k8sAllocatableMem'),
      gpus: numberIn(row, 'gpuCount'),
      priceUsdPerHour: numberIn(row, 'onDemandUSDPerHour'),
    }))
}

function isInProblem(row: Row): boolean {
  const name = row['instanceType'] ?? ''
  const [family = ''] = name.split('.')
  const isBurstable = /^t\d/.test(family)
  const hasOwnGpus = numberIn(row, 'gpuCount') === 0 || row['gpuManufacturer'] === 'nvidia'
  return (
    row['arch'] === 'amd64' &&
    numberIn(row, 'onDemandUSDPerHour') > 0 &&
    !name.includes('metal') &&
    !family.includes('flex') &&
    !isBurstable &&
    !LEFT_OUT.has(family) &&
    !LEFT_OUT_STARTS.some((start) => family.startsWith(start)) &&
    hasOwnGpus &&
    numberIn(row, 'acceleratorCount') === 0
  )
}

/** Equal replicas are one shape. */
export function workloadOf(replicas: readonly Replica[]): Workload {
  const groups = Map.groupBy(replicas, (own) =>
    [own.cpuMilli, own.memoryMib, own.gpuMilli].join('/'),
  )
  const replicasOf = [...groups.values()]
  const shapes = replicasOf.map((group): Shape => {
    const { cpuMilli, memoryMib, gpuMilli } = must(group[0], 'a replica')
    return { cpuMilli, memoryMib, gpuMilli, count: group.length }
  })
  return { shapes, replicasOf }
}

export type NamedProblem = {
  readonly set: string
  readonly problem: PackingProblem
  readonly workload: Workload
  /** A bound that was proven elsewhere, USD an hour. */
  readonly provenUsdPerHour: number | undefined
}
