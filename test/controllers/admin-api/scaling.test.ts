import { describe, expect, it } from 'vitest'
import { silentLogger } from '#shared/base/log.ts'
import { makeMemoryMetricSource } from '#shared/cloud/memory-metric-source.ts'
import { autoscale } from '#shared/controllers/autoscale.ts'
import { makeWorld, START_MS, WEB, type World } from './world.ts'

const { replicas: _, ...COUNTLESS } = WEB
const SCALE = { min: 2, max: 10, metrics: [{ type: 'pushed', name: 'orders', target: 10 }] }
const SCALED = { ...COUNTLESS, scale: SCALE }
const PATH = '/v1/workloads/web'

/** As its schedule would, so long after the start. */
const look = ({ store }: World, afterMs = 0) =>
  autoscale({
    ...{ store, metrics: makeMemoryMetricSource(), log: silentLogger },
    clock: { now: () => START_MS + afterMs },
  })

async function scaled(): Promise<World> {
  const world = makeWorld()
  await world.send('PUT', PATH, SCALED)
  return world
}

describe('a workload with scale', () => {
  it('begins with min, and then has what its metrics ask for', async () => {
    const world = await scaled()
    expect((await world.send('GET', PATH)).body).toMatchObject({
      spec: { scale: SCALE },
      status: {
        desired: 2,
        scale: {
          ...{ min: 2, max: 10, desired: 2, readings: [] },
          why: 'its metrics have not been read so far',
        },
      },
    })
    await world.send('POST', `${PATH}/metrics/orders`, { value: 55 })
    await look(world)
    const { body } = await world.send('GET', PATH)
    expect((body as { status: object }).status).toMatchObject({
      desired: 6,
      scale: {
        desired: 6,
        why: 'pushed orders asks for 6',
        readings: [
          {
            ...{ metric: 'pushed orders', value: 55, target: 10, replicas: 6 },
            at: '2026-11-22T10:00:00.000Z',
          },
        ],
        lastScaled: {
          ...{ at: '2026-11-22T10:00:00.000Z', from: 2, to: 6 },
          why: 'pushed orders is 55, 10 a replica: 6',
        },
      },
    })
  })

  it('keeps what autoscaling said when its document comes again (Kubernetes 72231)', async () => {
    const world = await scaled()
    await world.send('POST', `${PATH}/metrics/orders`, { value: 55 })
    await look(world)
    expect(await world.send('PUT', PATH, SCALED)).toMatchObject({
      status: 200,
      body: { generation: 1, status: { desired: 6 } },
    })
    const image = { ...SCALED, command: ['node', 'next.js'] }
    expect(await world.send('PUT', PATH, image)).toMatchObject({
      body: { generation: 2, status: { desired: 6 } },
    })
    // Nor does one move it that does not say how many.
    expect(await world.send('PUT', PATH, COUNTLESS)).toMatchObject({
      status: 200,
      body: { spec: { scale: SCALE }, status: { desired: 6 } },
    })
  })

  it('takes a gang no further than its status can tell of', async () => {
    const world = await scaled()
    const gang = { command: ['rank'], replicas: 2, gang: true }
    await world.send('PUT', '/v1/workloads/train', gang)
    expect(
      await world.send('POST', '/v1/workloads/train/scale', { replicas: 2_001 }),
    ).toMatchObject({ status: 422, body: { detail: 'replicas: must be at most 2000 for a gang' } })
    const most = { replicas: 2_000 }
    expect(await world.send('POST', '/v1/workloads/train/scale', most)).toMatchObject({
      status: 200,
    })
    expect(await world.send('GET', '/v1/workloads/train')).toMatchObject({ status: 200 })
  })

  it('is not scaled by hand: that says what to do instead', async () => {
    const world = await scaled()
    expect(await world.send('POST', `${PATH}/scale`, { replicas: 5 })).toMatchObject({
      status: 409,
      body: {
        code: 'ScalesItself',
        detail: 'workload "web" scales itself: apply another scale, or replicas instead of it',
      },
    })
  })

  it('may be given a number instead, and scale again', async () => {
    const world = await scaled()
    const fixed = await world.send('PUT', PATH, { ...WEB, replicas: 7 })
    expect(fixed.body).toMatchObject({ spec: { replicas: 7 }, status: { desired: 7 } })
    expect((fixed.body as { status: object }).status).not.toHaveProperty('scale')
    expect((fixed.body as { spec: object }).spec).not.toHaveProperty('scale')
    const again = await world.send('PUT', PATH, SCALED)
    expect((again.body as { spec: object }).spec).not.toHaveProperty('replicas')
  })
})

it('a manifest that comes again without replicas keeps the count (Kubernetes 72231)', async () => {
  const world = makeWorld()
  await world.send('PUT', PATH, WEB)
  await world.send('POST', `${PATH}/scale`, { replicas: 9 })
  expect(await world.send('PUT', PATH, { ...COUNTLESS, command: ['x'] })).toMatchObject({
    status: 200,
    body: { spec: { replicas: 9 }, status: { desired: 9 } },
  })
})

describe('a pushed metric', () => {
  it('is told as it was taken, and the last one stands', async () => {
    const world = await scaled()
    await world.send('POST', `${PATH}/metrics/orders`, { value: 90 })
    world.advance(1_000)
    expect(await world.send('POST', `${PATH}/metrics/orders`, { value: 20 })).toMatchObject({
      status: 200,
      body: { workload: 'web', metric: 'orders', value: 20, at: '2026-11-22T10:00:01.000Z' },
    })
    expect(await look(world, 1_000)).toMatchObject({ scaled: 1, written: 1, changed: 0 })
  })

  it('that is old is no zero', async () => {
    const world = await scaled()
    await world.send('POST', `${PATH}/metrics/orders`, { value: 90 })
    await look(world)
    await look(world, 300_001)
    expect((await world.send('GET', PATH)).body).toMatchObject({
      status: {
        desired: 6,
        scale: {
          why: 'pushed orders cannot be read, so it goes no lower',
          readings: [
            { error: { code: 'Stale', text: 'the last value is of 2026-11-22T10:00:00.000Z' } },
          ],
        },
      },
    })
  })

  it('needs a workload that names it, and a number that can be one', async () => {
    const world = await scaled()
    const push = (path: string, body: unknown) => world.send('POST', `/v1/workloads/${path}`, body)
    expect(await push('web/metrics/mail', { value: 1 })).toMatchObject({
      status: 404,
      body: {
        code: 'UnknownMetric',
        detail: 'workload web has no pushed metric of that name; it has orders',
      },
    })
    await world.send('PUT', '/v1/workloads/fixed', { ...WEB, name: 'fixed' })
    expect(await push('fixed/metrics/orders', { value: 1 })).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('; it has none') as string },
    })
    expect(await push('none/metrics/orders', { value: 1 })).toMatchObject({ status: 404 })
    for (const body of [{ value: -1 }, { value: '5' }, { value: 1e300 }, {}, { value: 1, x: 2 }]) {
      expect((await push('web/metrics/orders', body)).status, JSON.stringify(body)).toBe(422)
    }
  })

  it('is for the principals of its team to say', async () => {
    const world = makeWorld()
    const principals = ['arn:aws:iam::111122223333:role/deploy']
    await world.send('PUT', '/v1/teams/shop', { principals })
    const request = (arn: string, path: string, init: RequestInit) =>
      world.app.request(path, init, { caller: { arn } })
    const json = (method: string, body: object): RequestInit => ({
      ...{ method, body: JSON.stringify(body) },
      headers: { 'content-type': 'application/json' },
    })
    const [own = ''] = principals
    await request(own, PATH, json('PUT', { ...SCALED, team: 'shop' }))
    const other = 'arn:aws:iam::111122223333:user/mallory'
    const pushed = (arn: string) =>
      request(arn, `${PATH}/metrics/orders`, json('POST', { value: 1 }))
    expect((await pushed(other)).status).toBe(403)
    expect((await pushed(own)).status).toBe(200)
  })
})
