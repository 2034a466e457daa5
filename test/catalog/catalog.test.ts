import { describe, expect, it } from 'vitest'
import { catalog, catalogRows, isGpu, typeByName } from '#shared/catalog/catalog.ts'
import { exceptions } from '#shared/catalog/families.ts'
import { gpuModelName } from '#shared/catalog/gpu-model.ts'
import { must } from '#shared/base/assert.ts'
import type { InstanceType } from '#shared/model/machine.ts'

const type = (name: string): InstanceType => must(typeByName.get(name), name)

describe('the catalogue', () => {
  it('has the current generation, for both architectures', () => {
    expect(catalog).toHaveLength(1_023)
    expect(catalog.filter((own) => own.architecture === 'amd64')).toHaveLength(692)
    expect(catalog.filter(isGpu)).toHaveLength(56)
    expect(new Set(catalog.map((own) => own.family)).size).toBe(123)
  })

  it.each([
    ['m5.large', 2, 8_192, 0.096, 1_930, 6_903],
    ['m7g.large', 2, 8_192, 0.0816, 1_930, 6_844],
    ['c7g.medium', 1, 2_048, 0.0363, 940, 1_392],
    ['c5n.18xlarge', 72, 196_608, 3.888, 71_750, 173_400],
    ['i4i.8xlarge', 32, 262_144, 2.746, 31_850, 239_554],
    ['c8i.96xlarge', 384, 786_432, 17.99232, 382_970, 710_440],
  ])('knows %s', (name, ...facts) => {
    const [vcpu, memoryMib, onDemandUsdPerHour, cpuMilli, leftMib] = facts
    expect(type(name)).toMatchObject({ vcpu, memoryMib, onDemandUsdPerHour, gpuCount: 0 })
    expect(type(name).allocatable).toEqual({
      cpuMilli,
      memoryMib: leftMib,
      gpuMilli: 0,
      diskMib: 35_840,
    })
    expect(type(name)).not.toHaveProperty('gpuModel')
  })

  it.each([
    ['g4dn.xlarge', 1, 'nvidia-t4', 0.526, 3_920, 14_481],
    ['g5.xlarge', 1, 'nvidia-a10g', 1.006, 3_920, 14_162],
    ['p4d.24xlarge', 8, 'nvidia-a100', 21.957642, 95_690, 1_082_712],
    ['p5.48xlarge', 8, 'nvidia-h100', 55.04, 191_450, 1_938_410],
  ])('knows the GPUs of %s', (name, gpuCount, ...facts) => {
    const [gpuModel, usd, cpuMilli, memoryMib] = facts
    expect(type(name)).toMatchObject({ gpuCount, gpuModel, onDemandUsdPerHour: usd })
    expect(type(name).allocatable).toEqual({
      cpuMilli,
      memoryMib,
      gpuMilli: gpuCount * 1000,
      diskMib: 35_840,
    })
  })

  it('leaves out what packing cannot use or nobody should buy', () => {
    const families = new Set(catalog.map((own) => own.family))
    for (const family of ['t3', 'm4', 'c7i-flex', 'hpc7a', 'inf2', 'trn1', 'g4ad', 'g6f', 'mac2']) {
      expect(families).not.toContain(family)
    }
    expect(catalog.filter((own) => own.name.includes('metal'))).toEqual([])
  })

  it('holds its invariants', () => {
    expect(catalog.map((own) => own.name)).toEqual([...typeByName.keys()].toSorted())
    for (const own of catalog) {
      expect(own.name.startsWith(`${own.family}.`)).toBe(true)
      expect(own.onDemandUsdPerHour, own.name).toBeGreaterThan(0)
      expect(own.allocatable.cpuMilli, own.name).toBeLessThan(own.vcpu * 1000)
      expect(own.allocatable.memoryMib, own.name).toBeLessThan(own.memoryMib)
      expect(own.allocatable.memoryMib, own.name).toBeGreaterThan(own.memoryMib / 2)
      expect(own.gpuModel !== undefined, own.name).toBe(own.gpuCount > 0)
    }
  })

  it('has no exception that names no type', () => {
    const names = new Set(catalogRows.map((row) => row.name))
    expect(Object.keys(exceptions).filter((name) => !names.has(name))).toEqual([])
  })

  it('spells a GPU as EC2 does, in lower case', () => {
    expect(gpuModelName({ manufacturer: 'NVIDIA', name: 'A10G' })).toBe('nvidia-a10g')
    expect(gpuModelName({ manufacturer: 'NVIDIA', name: 'RTX PRO 4500' })).toBe(
      'nvidia-rtx-pro-4500',
    )
  })
})
