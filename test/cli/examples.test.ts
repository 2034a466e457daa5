/** Whoever copies an example must not be refused, and what it asks for must be for sale. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import { catalog } from '#shared/catalog/catalog.ts'
import { poolSpecSchema, taintsOf, type PoolSpec } from '#shared/model/pool.ts'
import { parseMib, parseMilli } from '#shared/model/quantities.ts'
import { resourcesOf, type WorkloadSpec } from '#shared/model/workload.ts'
import { TEAM_TAINT_KEY } from '#shared/model/names.ts'
import { parseDocument } from '#shared/protocol/documents.ts'
import { parseDocuments } from '#cli/documents.ts'

const names = readdirSync('examples').filter((name) => name.endsWith('.yaml'))

type Specs = {
  readonly pools: ReadonlyMap<string, PoolSpec>
  readonly workloads: ReadonlyMap<string, WorkloadSpec>
  readonly teams: readonly string[]
}

function specsOf(name: string): Specs {
  const text = readFileSync(`examples/${name}`, 'utf8')
  const pools = new Map<string, PoolSpec>()
  const workloads = new Map<string, WorkloadSpec>()
  const teams: string[] = []
  for (const { noun, name: own, body } of parseDocuments([{ name, text }])) {
    const parsed = parseDocument(body, { noun })
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
    if (parsed.document.noun === 'pool') pools.set(own, parsed.document.spec)
    if (parsed.document.noun === 'workload') workloads.set(own, parsed.document.spec)
    if (parsed.document.noun === 'team') teams.push(own)
  }
  return { pools, workloads, teams }
}

/** The pools a workload may use, by the rules of the model alone. */
function poolsFor(workload: WorkloadSpec, { pools }: Specs): readonly PoolSpec[] {
  const tolerated = ({ key, value }: { key: string; value?: string | undefined }): boolean =>
    (key === TEAM_TAINT_KEY && value === workload.team) ||
    workload.tolerations.some((own) => own.key === key && (own.value ?? value) === value)
  return [...pools]
    .filter(([name]) => workload.placement.pools?.includes(name) ?? true)
    .map(([, pool]) => pool)
    .filter((pool) => taintsOf(pool).every(tolerated))
}

function fitsSomeType(workload: WorkloadSpec, { instances }: PoolSpec): boolean {
  const { cpuMilli, memoryMib, gpuMilli } = resourcesOf(workload)
  return catalog.some(
    ({ family, vcpu, allocatable }) =>
      (instances.families?.includes(family) ?? true) &&
      vcpu >= (instances.minVcpu ?? 0) &&
      vcpu <= (instances.maxVcpu ?? Infinity) &&
      allocatable.cpuMilli >= cpuMilli &&
      allocatable.memoryMib >= memoryMib &&
      allocatable.gpuMilli >= gpuMilli,
  )
}

describe.each(names)('examples/%s', (name) => {
  const specs = specsOf(name)

  it('has workloads, and a pool with a machine for each', () => {
    expect(specs.workloads.size).toBeGreaterThan(0)
    for (const [own, workload] of specs.workloads) {
      const pools = poolsFor(workload, specs)
      expect(pools.length, own).toBeGreaterThan(0)
      expect(
        pools.some((pool) => fitsSomeType(workload, pool)),
        own,
      ).toBe(true)
      if (workload.capacity.spot === 'required') {
        expect(
          pools.some((pool) => pool.capacityTypes.includes('spot')),
          own,
        ).toBe(true)
      }
    }
  })

  it('stays within the limits of its pools', () => {
    const limits = [...specs.pools.values()].map((pool) => pool.limits)
    const wanted = [...specs.workloads.values()].map((own) => ({
      replicas: must(own.replicas ?? own.scale?.max, 'replicas'),
      ...resourcesOf(own),
    }))
    const sum = (values: readonly number[]): number => values.reduce((all, own) => all + own, 0)
    const cpus = sum(wanted.map((own) => own.replicas * own.cpuMilli))
    expect(cpus).toBeLessThan(sum(limits.map(({ cpu }) => parseMilli(cpu ?? '1000') ?? 0)))
    const gpus = sum(wanted.map((own) => own.replicas * own.gpuMilli))
    expect(gpus).toBeLessThanOrEqual(sum(limits.map(({ gpu }) => parseMilli(gpu ?? 0) ?? 0)))
    expect(
      limits.every(({ memory }) => memory === undefined || parseMib(memory) !== undefined),
    ).toBe(true)
  })

  it('names teams that it has, families that exist and programs that are there', () => {
    const families = new Set(catalog.map(({ family }) => family))
    for (const [own, pool] of specs.pools) {
      expect(poolSpecSchema.safeParse(pool).success, own).toBe(true)
      expect([...families], own).toEqual(expect.arrayContaining(pool.instances.families ?? []))
    }
    const owners = [...specs.pools.values(), ...specs.workloads.values()].map(({ team }) => team)
    for (const team of owners) if (team !== undefined) expect(specs.teams).toContain(team)
    for (const [own, { command }] of specs.workloads) {
      const [, program] = /\$DROVER_EXAMPLES\/([\w./-]+)"/.exec(command?.join(' ') ?? '') ?? []
      expect(existsSync(`examples/${program ?? ''}`) && program !== undefined, own).toBe(true)
    }
  })
})

it('there are the ones that the README and the help name', () => {
  expect(names).toEqual(
    expect.arrayContaining([
      ...['quickstart.yaml', 'services-on-spot.yaml', 'research-cluster.yaml'],
      'training-gang.yaml',
    ]),
  )
})
