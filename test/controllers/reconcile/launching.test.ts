/** How many launches a pass sends. */
import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import { makeHerd } from './herd-kit.ts'

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
