/**
 * A packing as placements: which replica is on which machine, and on which of its devices.
 *
 * Written out so that anybody can check it, and checked here in the dumbest way: every replica has
 * one place, and nothing is fuller than it can be.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, must } from '#shared/base/assert.ts'
import type { Packing } from '#shared/planner/packing/problem.ts'
import { packShares } from '#shared/planner/packing/shares.ts'
import type { NamedProblem, Replica } from './data.ts'

export type Placement = {
  readonly node: string
  readonly type: string
  readonly replicas: readonly {
    readonly id: string
    /** Device and thousandths of it. */
    readonly gpus: readonly (readonly [number, number])[]
  }[]
}

export function placementsOf(
  { machines }: Packing,
  { problem, workload }: NamedProblem,
): Placement[] {
  const waiting = workload.replicasOf.map((own) => [...own])
  const placements: Placement[] = []
  for (const { pattern, times } of machines) {
    const machine = must(problem.machines[pattern.machine], 'a machine')
    for (let n = 0; n < times; n += 1) {
      const taken = waiting.flatMap((own, i) => own.splice(0, pattern.counts[i] ?? 0))
      const node = `node-${String(placements.length + 1)}`
      placements.push({ node, type: machine.name, replicas: onDevices(taken, machine.gpus) })
    }
  }
  assert(
    waiting.every((own) => own.length === 0),
    'every replica has a place',
  )
  return placements
}

/** Whole devices first; parts as the packing found that they fit. */
function onDevices(replicas: readonly Replica[], gpus: number): Placement['replicas'] {
  const parts = replicas.map(({ gpuMilli }) => gpuMilli).filter((own) => own > 0 && own < 1000)
  const wholes = replicas.reduce((sum, { gpuMilli }) => sum + Math.floor(gpuMilli / 1000), 0)
  const deviceOf = must(packShares(parts, gpus - wholes), 'devices for each replica')
  let [part, whole] = [0, gpus - wholes]
  return replicas.map(({ id, gpuMilli }) => {
    if (gpuMilli === 0) return { id, gpus: [] }
    if (gpuMilli < 1000) return { id, gpus: [[deviceOf[part++] ?? 0, gpuMilli]] as const }
    const own = Array.from({ length: gpuMilli / 1000 }, () => [whole++, 1000] as const)
    return { id, gpus: own }
  })
}

/** Throws InvariantError for the first thing that is wrong. */
export function checkPlacements(
  placements: readonly Placement[],
  { problem, workload }: NamedProblem,
): void {
  const replicas = new Map(workload.replicasOf.flat().map((own) => [own.id, own]))
  const types = new Map(problem.machines.map((own) => [own.name, own]))
  const seen = new Set<string>()
  for (const { node, type, replicas: placed } of placements) {
    const machine = must(types.get(type), `type ${type}`)
    const devices = new Map<number, number>()
    let [cpuMilli, memoryMib] = [0, 0]
    for (const { id, gpus } of placed) {
      const own = must(replicas.get(id), `replica ${id}`)
      assert(!seen.has(id), 'a replica is in one place', id)
      seen.add(id)
      cpuMilli += own.cpuMilli
      memoryMib += own.memoryMib
      const given = gpus.reduce((sum, [, milli]) => sum + milli, 0)
      assert(given === own.gpuMilli, 'a replica has the devices it asks for', id)
      for (const [index, milli] of gpus) devices.set(index, (devices.get(index) ?? 0) + milli)
    }
    assert(cpuMilli <= machine.cpuMilli && memoryMib <= machine.memoryMib, 'a node holds it', node)
    for (const [index, milli] of devices) {
      assert(index < machine.gpus && milli <= 1000, 'a device holds its shares', node)
    }
  }
  assert(seen.size === replicas.size, 'no replica is left out', replicas.size - seen.size)
}

export function writePlacements(
  directory: string,
  name: string,
  placements: readonly Placement[],
): void {
  writeFileSync(join(directory, `${name}.json`), `${JSON.stringify(placements)}\n`)
}
