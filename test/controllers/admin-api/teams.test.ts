import { describe, expect, it } from 'vitest'
import { specItemSchema } from '#shared/model/spec-item.ts'
import { keys } from '#shared/store/keys.ts'
import { makeWorld, WEB } from './world.ts'

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

describe('a workload of a team', () => {
  it('is no more important than its team may be', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/teams/search', { kind: 'Team', name: 'search', maxPriority: 100 })
    const web = { ...WEB, team: 'search' }
    const answer = await world.send('PUT', '/v1/workloads/web', { ...web, priority: 101 })
    expect(answer).toMatchObject({
      status: 422,
      body: {
        code: 'PriorityTooHigh',
        errors: [
          {
            path: 'priority',
            message: 'must be at most 100, the maxPriority of team search; it was 101',
          },
        ],
      },
    })
    const fine = await world.send('PUT', '/v1/workloads/web', { ...web, priority: 100 })
    expect(fine.status).toBe(201)
  })

  it('may be written by anybody where nobody has an identity', async () => {
    const world = makeWorld()
    const principals = ['arn:aws:iam::123456789012:role/Search']
    await world.send('PUT', '/v1/teams/search', { kind: 'Team', name: 'search', principals })
    const answer = await world.send('PUT', '/v1/workloads/web', { ...WEB, team: 'search' })
    expect(answer.status).toBe(201)
  })
})

describe('the taint of a team', () => {
  it('cannot be written by hand, nor borne by hand', async () => {
    const world = makeWorld()
    const key = 'drover/team'
    const pool = { kind: 'Pool', name: 'gpu', taints: [{ key, value: 'search' }] }
    expect(await world.send('PUT', '/v1/pools/gpu', pool)).toMatchObject({
      status: 422,
      body: {
        errors: [{ path: 'taints[0].key', message: expect.stringMatching(/set team instead/) }],
      },
    })
    const web = { ...WEB, tolerations: [{ key }] }
    expect(await world.send('PUT', '/v1/workloads/web', web)).toMatchObject({
      status: 422,
      body: {
        errors: [{ path: 'tolerations[0].key', message: expect.stringMatching(/own team/) }],
      },
    })
  })
})

describe('guarantees beyond all limits', () => {
  it('are accepted with a warning, whichever is written last', async () => {
    const world = makeWorld()
    const search = { kind: 'Team', name: 'search', quota: { cpu: 16, gpu: 8 } }
    const first = await world.send('PUT', '/v1/teams/search', search)
    expect(first.body).not.toHaveProperty('warnings')
    const pool = { kind: 'Pool', name: 'general', limits: { cpu: 10 } }
    const text = 'team search is guaranteed cpu 16, and the pools it may use are limited to cpu 10'
    expect(await world.send('PUT', '/v1/pools/general', pool)).toMatchObject({
      ...{ status: 201, body: { warnings: [{ code: 'GuaranteeBeyondLimits', text }] } },
    })
    const own = { kind: 'Pool', name: 'own', team: 'ads', limits: { cpu: 10 } }
    await world.send('PUT', '/v1/pools/own', own)
    const ads = { kind: 'Team', name: 'ads', quota: { cpu: 12 } }
    expect((await world.send('PUT', '/v1/teams/ads', ads)).body).toMatchObject({
      warnings: [
        { code: 'GuaranteeBeyondLimits', text: expect.stringMatching(/^team search/) },
        {
          code: 'GuaranteesBeyondLimits',
          text: expect.stringMatching(/together are guaranteed cpu 28, .* limited to cpu 20$/),
        },
      ],
    })
  })
})
