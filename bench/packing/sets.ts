/**
 * The sets that are packed: the public ones where their files are at hand, others by path, and a
 * synthetic one that needs nothing.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { undominated, type MachineType } from '#shared/planner/packing/problem.ts'
import { readMachines, readReplicas, workloadOf, type NamedProblem, type Replica } from './data.ts'
import { catalogMachines, syntheticReplicas } from './synthetic.ts'

export type Files = {
  readonly data: string
  readonly replicas: string | undefined
  readonly types: string | undefined
}

type PublicSet = {
  readonly set: string
  readonly first?: number
  readonly isTaken?: (replica: Replica) => boolean
  readonly withoutT4?: boolean
  readonly shares?: boolean
}

/** Named as in `bounds.json`, less `-alloc`, which they all are. */
const PUBLIC_SETS: readonly PublicSet[] = [
  { set: 'openb1000', first: 1000 },
  { set: 'openb8152' },
  { set: 'openb8152cpu', isTaken: (own) => own.gpuMilli === 0 },
  { set: 'openb8152-l4', withoutT4: true },
  { set: 'openb8152-frac', shares: true },
]

/** The bound of `-frac` in `bounds.json` ignores single devices; this one does not. */
const FRAC_BOUND_USD_PER_HOUR = 6605.1

export function openSets(files: Files): readonly NamedProblem[] {
  const { data, replicas, types } = files
  if (replicas !== undefined) {
    const machines = readMachines(types ?? join(data, 'instance-types-wide.csv'))
    return [named('given', readReplicas(replicas, { shares: true }), { machines })]
  }
  if (!existsSync(join(data, 'openb-pods.csv'))) {
    return [named('synthetic', syntheticReplicas(), { machines: catalogMachines() })]
  }
  return PUBLIC_SETS.map((own) => publicSet(own, files))
}

function publicSet(
  { set, first, isTaken, withoutT4, shares }: PublicSet,
  files: Files,
): NamedProblem {
  const all = readReplicas(join(files.data, 'openb-pods.csv'), { shares: shares === true })
  const replicas = all.slice(0, first).filter(isTaken ?? (() => true))
  const machines = readMachines(
    files.types ?? join(files.data, 'instance-types-wide.csv'),
    (row) => withoutT4 !== true || !/t4/i.test(row['gpuModel'] ?? ''),
  )
  return named(set, replicas, { machines, proven: provenFor(set, files.data) })
}

type Rest = { readonly machines: readonly MachineType[]; readonly proven?: number | undefined }

function named(
  set: string,
  replicas: readonly Replica[],
  { machines, proven }: Rest,
): NamedProblem {
  const workload = workloadOf(replicas)
  const { shapes } = workload
  const problem = { shapes, machines: undominated({ shapes, machines }) }
  return { set, problem, workload, provenUsdPerHour: proven }
}

function provenFor(set: string, data: string): number | undefined {
  if (set === 'openb8152-frac') return FRAC_BOUND_USD_PER_HOUR
  const file = join(data, 'bounds.json')
  if (!existsSync(file)) return undefined
  const bounds = JSON.parse(readFileSync(file, 'utf8')) as Record<string, { configLB?: number }>
  return bounds[`${set}-alloc`]?.configLB
}
