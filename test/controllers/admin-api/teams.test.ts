import { describe, expect, it } from 'vitest'
import { specItemSchema } from '#shared/model/spec-item.ts'
import { keys } from '#shared/store/keys.ts'
import { makeWorld } from './world.ts'

describe('a team', () => {
  it('shows what it uses, has borrowed and is owed', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/teams/search', { quota: { cpu: 2 } })
    const nothing = { cpu: '0', memory: '0', gpu: '0' }
    expect(await world.send('GET', '/v1/teams/search')).toMatchObject({
      body: { status: { used: nothing, borrowed: nothing, short: nothing } },
    })
    const { uid } = specItemSchema.parse(await world.store.get(keys.spec('team', 'search')))
    const item = {
      ...keys.status('team', 'search'),
      ...{ kind: 'status', noun: 'team', name: 'search', uid, observedGeneration: 1 },
      used: { cpuMilli: 2500, memoryMib: 1024, gpuMilli: 1000 },
      borrowed: { cpuMilli: 500, memoryMib: 0, gpuMilli: 0 },
      short: { cpuMilli: 0, memoryMib: 0, gpuMilli: 2000 },
    }
    await world.store.write({ kind: 'put', item })
    expect(await world.send('GET', '/v1/teams/search')).toMatchObject({
      body: {
        status: {
          used: { cpu: '2500m', memory: '1Gi', gpu: '1' },
          borrowed: { cpu: '500m', memory: '0', gpu: '0' },
          short: { cpu: '0', memory: '0', gpu: '2' },
        },
      },
    })
  })
})
