/** How many launches a pass sends, and what it remembers of those that failed. */
import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import { makeHerd, type Herd } from './herd-kit.ts'

const WEB = { replicas: 3, resources: { cpu: '500m', memory: '1Gi' } }

async function running(herd: Herd, workload: string): Promise<number> {
  return (await herd.status(workload))?.ready ?? 0
}

describe('launches of a large plan', () => {
  it('sends only so many launches in a pass, and the others in the next', async () => {
    const counts: number[] = []
    const herd = makeHerd({
      offerings: [
        {
          ...{ instanceType: 'm7a.large', zone: 'us-east-1a', capacityType: 'on-demand' },
          ...{ priceUsdPerHour: 0.1, capacity: 2_000 },
        },
      ],
      wrap: (ports) => ({
        ...ports,
        fleet: {
          ...ports.fleet,
          launch: (request) => {
            counts.push(request.count)
            return ports.fleet.launch(request)
          },
        },
      }),
    })
    await herd.pool('general', {
      instances: { types: ['m7a.large'] },
      capacityTypes: ['on-demand'],
    })
    const replicas = LIMITS.launchesPerPass * LIMITS.claimsPerLaunch + 10
    await herd.workload('web', { replicas, resources: { cpu: '1500m' } })
    await herd.pass()
    expect(counts).toHaveLength(LIMITS.launchesPerPass)
    expect(await herd.nodes()).toHaveLength(replicas - 10)
    expect((await herd.store.query('launch')).items).toEqual([])
    await herd.pass()
    expect(counts.slice(LIMITS.launchesPerPass)).toEqual([10])
    expect(await herd.nodes()).toHaveLength(replicas)
  })
})

describe('launches that fail', () => {
  it('keeps a quota of one class apart from the others, until a machine of it comes', async () => {
    let isRefused = true
    const herd = makeHerd({
      wrap: (ports) => ({
        ...ports,
        fleet: {
          ...ports.fleet,
          launch: (request) => {
            const gpus = request.overrides.filter((own) => own.instanceType.startsWith('g'))
            if (!isRefused || gpus.length === 0) return ports.fleet.launch(request)
            const errors = gpus.map(({ instanceType, zone }) => ({
              ...{ instanceType, zone, code: 'VcpuLimitExceeded', text: '0 vCPUs' },
            }))
            return Promise.resolve({ outcome: 'answered', instances: [], errors })
          },
        },
      }),
    })
    const capacityTypes = ['on-demand']
    await herd.pool('gpu', { capacityTypes, instances: { types: ['g4dn.xlarge'] } })
    await herd.workload('train', { replicas: 1, resources: { gpu: 1 } })
    await herd.run(5)
    const kept = async () =>
      (await herd.store.query('shortage')).items.map((own) => own['instanceType'])
    expect(await kept()).toEqual(['class:g'])
    await herd.pool('general', { capacityTypes, instances: { types: ['m7a.large'] } })
    await herd.workload('web', WEB)
    await herd.run(20)
    expect(await running(herd, 'web')).toBe(3)
    expect(await running(herd, 'train')).toBe(0)
    isRefused = false
    await herd.run(400)
    expect(await running(herd, 'train')).toBe(1)
    expect(await kept()).toEqual([])
  })
})
