import { expect, it } from 'vitest'
import { endpointsAnswerSchema } from '#shared/protocol/endpoints-answer.ts'
import { keys } from '#shared/store/keys.ts'
import { addNode, addReport, makeWorld, WEB, type World } from './world.ts'

const PATH = '/v1/workloads/web/endpoints'

/** `web` with these replicas bound, and these addresses told. */
async function makeHerd(
  bound: readonly { id: string; order?: 'run' | 'stop' }[],
  told: readonly object[],
): Promise<World> {
  const world = makeWorld()
  await world.send('PUT', '/v1/workloads/web', WEB)
  const uid = String((await world.store.get(keys.spec('workload', 'web')))?.['uid'])
  const replicas = bound.map((own) => ({ ...own, uid, version: 'abc' }))
  await addNode(world, 'general-1-1', { replicas })
  const common = { version: 'abc', phase: 'ready', ready: true, restarts: 0 }
  await addReport(
    world,
    'general-1-1',
    told.map((own) => ({ ...common, ...own })),
  )
  return world
}

it('lists every port of every replica that has told its address', async () => {
  const addresses = { http: '10.0.0.1:4000', admin: '[fd00::1]:4001' }
  const world = await makeHerd(
    [{ id: 'web/1-1' }, { id: 'web/1-2' }, { id: 'web/1-3', order: 'stop' }, { id: 'web/1-4' }],
    [
      { id: 'web/1-2', ready: false, addresses: { http: '10.0.0.1:4002' } },
      { id: 'web/1-1', addresses },
      { id: 'web/1-3', addresses: { http: '10.0.0.1:4003' } },
    ],
  )
  const answer = await world.send('GET', PATH)
  expect(answer.status).toBe(200)
  const { items } = endpointsAnswerSchema.parse(answer.body)
  expect(answer.body).toEqual({ items })
  const where = { node: 'general-1-1', zone: 'us-east-1a', version: 'abc' }
  expect(items).toEqual([
    {
      ...{ replica: 'web/1-1', name: 'admin', address: 'fd00::1', port: 4001, ...where },
      ...{ ready: true, terminating: false },
    },
    {
      ...{ replica: 'web/1-1', name: 'http', address: '10.0.0.1', port: 4000, ...where },
      ...{ ready: true, terminating: false },
    },
    {
      ...{ replica: 'web/1-2', name: 'http', address: '10.0.0.1', port: 4002, ...where },
      ...{ ready: false, terminating: false },
    },
    {
      ...{ replica: 'web/1-3', name: 'http', address: '10.0.0.1', port: 4003, ...where },
      ...{ ready: false, terminating: true },
    },
  ])
})

it('leaves out what an agent tells amiss', async () => {
  const addresses = { a: 'nowhere', b: '10.0.0.1:0', c: '10.0.0.1:70000', d: ':80', e: '' }
  const world = await makeHerd([{ id: 'web/1-1' }], [{ id: 'web/1-1', addresses }])
  expect((await world.send('GET', PATH)).body).toEqual({ items: [] })
})

it('is a 404 for a workload that is not there', async () => {
  const world = makeWorld()
  for (const name of ['web', 'We%20b']) {
    const answer = await world.send('GET', `/v1/workloads/${name}/endpoints`)
    expect(answer).toMatchObject({ status: 404, body: { code: 'NotFound' } })
  }
})
