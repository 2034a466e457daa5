import { describe, expect, it } from 'vitest'
import { nodeAnswerSchema, nodePageSchema, replicaPageSchema } from '#shared/protocol/api.ts'
import { explainAnswerSchema } from '#shared/protocol/why-answers.ts'
import { keys } from '#shared/store/keys.ts'
import { addNode, addReport, makeWorld, START_MS, WEB, type World } from './world.ts'

/** Workload `web` with two replicas on one node and three that wait. */
async function makeHerd(): Promise<World> {
  const world = makeWorld()
  await world.send('PUT', '/v1/pools/general', {})
  await world.send('PUT', '/v1/workloads/web', { ...WEB, replicas: 5 })
  const spec = await world.store.get(keys.spec('workload', 'web'))
  const uid = String(spec?.['uid'])
  await addNode(world, 'general-1-1', {
    replicas: [
      { id: 'web/1-2', uid, version: 'abc' },
      { id: 'web/1-3', uid, version: 'abc' },
    ],
  })
  await addReport(world, 'general-1-1', [
    {
      id: 'web/1-2',
      version: 'abc',
      phase: 'ready',
      ready: true,
      restarts: 1,
      startedAtMs: START_MS - 30_000,
      addresses: { http: '10.0.0.1:4000' },
      lastExit: { code: 1, reason: 'exited', atMs: START_MS - 31_000 },
    },
  ])
  const item = {
    ...keys.status('workload', 'web'),
    ...{
      kind: 'status',
      noun: 'workload',
      name: 'web',
      uid,
      observedGeneration: 1,
      version: 'abc',
    },
    ...{ desired: 5, assigned: 2, running: 1, ready: 1, updated: 2, conditions: [] },
    waiting: [
      {
        version: 'abc',
        count: 3,
        sinceMs: START_MS - 300_000,
        unschedulableSinceMs: START_MS - 300_000,
        reasons: [
          { code: 'PoolLimit', text: 'pool general may cost no more' },
          { code: 'FirstFreed', text: 'first to be freed: batch/7', atMs: START_MS + 720_000 },
        ],
      },
    ],
  }
  await world.store.write({ kind: 'put', item })
  return world
}

describe('nodes', () => {
  it('are shown with what is bound to them', async () => {
    const world = await makeHerd()
    const answer = await world.send('GET', '/v1/nodes/general-1-1')
    expect(nodeAnswerSchema.parse(answer.body)).toEqual(answer.body)
    expect(answer.body).toMatchInlineSnapshot(`
      {
        "allocatable": {
          "cpu": "1900m",
          "gpu": "0",
          "memory": "7000Mi",
        },
        "capacityType": "spot",
        "conditions": [
          {
            "reason": "BurnInPassed",
            "since": "2026-11-22T09:59:00.000Z",
            "status": true,
            "text": "the node is ready",
            "type": "Ready",
          },
        ],
        "cordoned": false,
        "createdAt": "2026-11-22T09:58:00.000Z",
        "instanceId": "i-general-1-1",
        "instanceType": "m7a.large",
        "name": "general-1-1",
        "phase": "ready",
        "pool": "general",
        "priceUsdPerHour": 0.04,
        "replicas": [
          "web/1-2",
          "web/1-3",
        ],
        "requested": {
          "cpu": "1",
          "gpu": "0",
          "memory": "256Mi",
        },
        "zone": "us-east-1a",
      }
    `)
    const list = await world.send('GET', '/v1/nodes')
    expect(nodePageSchema.parse(list.body)).toEqual({ items: [answer.body] })
  })

  it('show silence, interruption and drain as conditions, and a bare claim', async () => {
    const world = makeWorld()
    await addNode(world, 'general-1-1', {
      silentSinceMs: START_MS,
      interruption: { noticedAtMs: START_MS, deadlineMs: START_MS + 120_000 },
      drain: {
        reason: 'Interrupted',
        text: 'EC2 takes it back',
        sinceMs: START_MS,
        deadlineMs: START_MS + 90_000,
        generation: 2,
      },
    })
    await addNode(world, 'general-1-2', { phase: 'launching', machine: undefined })
    const { body } = await world.send('GET', '/v1/nodes')
    const { items } = nodePageSchema.parse(body)
    expect(items[0]?.conditions.map((own) => own.type)).toEqual([
      'Ready',
      'Silent',
      'Interrupted',
      'Draining',
    ])
    expect(items[1]).not.toHaveProperty('instanceId')
    expect(items[1]).toMatchObject({ phase: 'launching', priceUsdPerHour: 0.05, replicas: [] })
  })

  it('of which a report is nonsense are shown all the same', async () => {
    const world = await makeHerd()
    await addReport(world, 'general-1-1', [{ id: 7 }])
    expect((await world.send('GET', '/v1/nodes/general-1-1')).status).toBe(200)
    await addReport(world, 'general-1-1', [
      {
        id: 'web/1-2',
        version: 'abc',
        phase: 'ready',
        ready: true,
        restarts: 0,
        startedAtMs: 9e15,
      },
    ])
    const { body } = await world.send('GET', '/v1/replicas')
    expect(replicaPageSchema.parse(body).items[0]?.startedAt).toBe('9999-12-31T23:59:59.999Z')
  })
})

describe('node verbs', () => {
  it('become orders, which the node shows', async () => {
    const world = await makeHerd()
    const answer = await world.send('POST', '/v1/nodes/general-1-1/drain', { deadlineSeconds: 60 })
    expect(answer.status).toBe(202)
    expect(answer.body).toMatchObject({
      order: { verb: 'drain', force: false, deadlineSeconds: 60, at: '2026-11-22T10:00:00.000Z' },
    })
    expect(await world.store.get(keys.order('node', 'general-1-1'))).toMatchObject({
      kind: 'order',
      target: 'node',
      verb: 'drain',
    })
  })

  it('are idempotent: the first one keeps its time', async () => {
    const world = await makeHerd()
    await world.send('POST', '/v1/nodes/general-1-1/cordon')
    world.advance(5_000)
    expect(await world.send('POST', '/v1/nodes/general-1-1/cordon')).toMatchObject({
      body: { order: { verb: 'cordon', deadlineSeconds: 900, at: '2026-11-22T10:00:00.000Z' } },
    })
    const { body } = await world.send('GET', '/v1/events?object=node/general-1-1')
    expect(body).toMatchObject({ items: [{ reason: 'Ordered', text: 'cordon' }] })
    expect((body as { items: unknown[] }).items).toHaveLength(1)
  })

  it('replace one another, and uncordon withdraws what stands', async () => {
    const world = await makeHerd()
    await world.send('POST', '/v1/nodes/general-1-1/retest', {})
    const forced = await world.send('POST', '/v1/nodes/general-1-1/terminate?force=true')
    expect(forced.body).toMatchObject({ order: { verb: 'terminate', force: true } })
    const withdrawn = await world.send('POST', '/v1/nodes/general-1-1/uncordon')
    expect(withdrawn.status).toBe(202)
    expect(withdrawn.body).not.toHaveProperty('order')
    expect((await world.send('POST', '/v1/nodes/general-1-1/uncordon')).status).toBe(202)
  })

  it('forget the orders of nodes that are gone', async () => {
    const world = await makeHerd()
    await addNode(world, 'general-1-2')
    await world.send('POST', '/v1/nodes/general-1-2/drain')
    await world.store.write({ kind: 'delete', key: keys.node('general-1-2') })
    await world.send('POST', '/v1/nodes/general-1-1/cordon')
    const { items } = await world.store.query('order')
    expect(items.map((item) => item.sk)).toEqual(['node#general-1-1'])
  })

  it('refuse what makes no sense', async () => {
    const world = await makeHerd()
    const post = async (path: string, body?: unknown): Promise<number> =>
      (await world.send('POST', path, body)).status
    expect(await post('/v1/nodes/none/drain')).toBe(404)
    expect(await post('/v1/nodes/general-1-1/explode')).toBe(404)
    expect(await post('/v1/nodes/general-1-1/terminate?force=perhaps')).toBe(400)
    expect(await post('/v1/nodes/general-1-1/drain', { deadlineSeconds: -1 })).toBe(422)
    expect(await post('/v1/nodes/general-1-1/drain', { deadline: 1 })).toBe(422)
    expect(await post('/v1/nodes/general-1-1/drain', '{')).toBe(400)
  })
})

describe('brakes and sweeps', () => {
  it('are released and allowed by orders', async () => {
    const world = await makeHerd()
    expect(await world.send('POST', '/v1/pools/general/release-brake')).toMatchObject({
      status: 202,
      body: { kind: 'Pool', status: { nodes: 1, requested: { cpu: '1', memory: '256Mi' } } },
    })
    expect((await world.send('POST', '/v1/pools/none/release-brake')).status).toBe(404)
    expect(await world.send('POST', '/v1/sweep/allow')).toMatchObject({
      status: 202,
      body: { order: { verb: 'sweep-allow', at: '2026-11-22T10:00:00.000Z' } },
    })
    const { items } = await world.store.query('order')
    expect(items.map((item) => item['verb'])).toEqual(['release-brake', 'sweep-allow'])
  })
})

describe('replicas', () => {
  it('are listed by id, bound and waiting', async () => {
    const world = await makeHerd()
    const { body } = await world.send('GET', '/v1/replicas')
    expect(replicaPageSchema.parse(body)).toEqual(body)
    expect(body).toMatchInlineSnapshot(`
      {
        "items": [
          {
            "addresses": {
              "http": "10.0.0.1:4000",
            },
            "gpus": [],
            "id": "web/1-2",
            "lastExit": {
              "at": "2026-11-22T09:59:29.000Z",
              "code": 1,
              "reason": "exited",
            },
            "node": "general-1-1",
            "phase": "ready",
            "ready": true,
            "restarts": 1,
            "startedAt": "2026-11-22T09:59:30.000Z",
            "version": "abc",
            "workload": "web",
          },
          {
            "addresses": {},
            "gpus": [],
            "id": "web/1-3",
            "node": "general-1-1",
            "phase": "assigned",
            "ready": false,
            "restarts": 0,
            "version": "abc",
            "workload": "web",
          },
          {
            "addresses": {},
            "gpus": [],
            "id": "web/waiting-1",
            "phase": "waiting",
            "ready": false,
            "restarts": 0,
            "version": "abc",
            "workload": "web",
          },
          {
            "addresses": {},
            "gpus": [],
            "id": "web/waiting-2",
            "phase": "waiting",
            "ready": false,
            "restarts": 0,
            "version": "abc",
            "workload": "web",
          },
          {
            "addresses": {},
            "gpus": [],
            "id": "web/waiting-3",
            "phase": "waiting",
            "ready": false,
            "restarts": 0,
            "version": "abc",
            "workload": "web",
          },
        ],
      }
    `)
  })

  it('are filtered and paged', async () => {
    const world = await makeHerd()
    const ids = async (query: string): Promise<unknown> => {
      const { body } = await world.send('GET', `/v1/replicas?${query}`)
      const page = replicaPageSchema.parse(body)
      return [page.items.map((own) => own.id), page.next]
    }
    expect(await ids('node=general-1-1')).toEqual([['web/1-2', 'web/1-3'], undefined])
    expect(await ids('node=none')).toEqual([[], undefined])
    expect(await ids('workload=none')).toEqual([[], undefined])
    expect(await ids('workload=%00&node=..')).toEqual([[], undefined])
    expect(await ids('workload=web&limit=4')).toEqual([
      ['web/1-2', 'web/1-3', 'web/waiting-1', 'web/waiting-2'],
      'web/waiting-2',
    ])
    expect(await ids('limit=4&after=web/waiting-2')).toEqual([['web/waiting-3'], undefined])
  })

  it('are explained, with ages of now', async () => {
    const world = await makeHerd()
    const { body } = await world.send('GET', '/v1/workloads/web/explain')
    expect(explainAnswerSchema.parse(body)).toEqual(body)
    expect(body).toMatchInlineSnapshot(`
      {
        "replicas": [
          {
            "id": "web/1-2",
            "node": "general-1-1",
            "phase": "ready",
            "reasons": [
              {
                "code": "Exited",
                "text": "it last ended 31 s ago with code 1: exited (1 restart)",
              },
              {
                "code": "Ready",
                "text": "bound to general-1-1 50 s ago, ready",
              },
            ],
          },
          {
            "id": "web/1-3",
            "node": "general-1-1",
            "phase": "assigned",
            "reasons": [
              {
                "code": "Assigned",
                "text": "bound to general-1-1 50 s ago; its agent has not reported it yet",
              },
            ],
          },
          {
            "id": "web/waiting-1",
            "phase": "waiting",
            "reasons": [
              {
                "code": "PoolLimit",
                "text": "pool general may cost no more (unschedulable for 5 min)",
              },
              {
                "code": "FirstFreed",
                "text": "first to be freed: batch/7 in 12 min",
              },
            ],
          },
          {
            "id": "web/waiting-2",
            "phase": "waiting",
            "reasons": [
              {
                "code": "PoolLimit",
                "text": "pool general may cost no more (unschedulable for 5 min)",
              },
              {
                "code": "FirstFreed",
                "text": "first to be freed: batch/7 in 12 min",
              },
            ],
          },
          {
            "id": "web/waiting-3",
            "phase": "waiting",
            "reasons": [
              {
                "code": "PoolLimit",
                "text": "pool general may cost no more (unschedulable for 5 min)",
              },
              {
                "code": "FirstFreed",
                "text": "first to be freed: batch/7 in 12 min",
              },
            ],
          },
        ],
      }
    `)
    expect((await world.send('GET', '/v1/workloads/none/explain')).status).toBe(404)
  })
})

describe('plan and cost', () => {
  it('hands parsed documents to the planner and writes nothing', async () => {
    const world = await makeHerd()
    const size = world.store.size()
    const documents = [
      { kind: 'Workload', name: 'web', command: ['new'] },
      { kind: 'Pool', name: 'gpu' },
    ]
    const answer = await world.send('POST', '/v1/plan', { documents })
    expect(answer).toMatchObject({ status: 200, body: { costUsdPerHour: { bound: null } } })
    expect(world.planned).toMatchObject([
      [
        { noun: 'workload', name: 'web', spec: { replicas: 5, command: ['new'] } },
        { noun: 'pool', name: 'gpu', spec: { capacityTypes: ['spot', 'on-demand'] } },
      ],
    ])
    expect(world.store.size()).toBe(size)
  })

  it('names the faults of every document by its place', async () => {
    const world = makeWorld()
    const documents = [
      { kind: 'Pod', name: 'a' },
      { kind: 'Workload', name: 'web' },
      7,
      { kind: 'Team', name: 't' },
      { kind: 'Team', name: 't' },
    ]
    const answer = await world.send('POST', '/v1/plan', { documents })
    expect(answer.status).toBe(422)
    expect((answer.body as { errors: unknown }).errors).toMatchInlineSnapshot(`
      [
        {
          "message": "must be one of Workload, Pool, Team, not "Pod"",
          "path": "documents[0].kind",
        },
        {
          "message": "is needed: say what to run with command, image, or both",
          "path": "documents[1].command",
        },
        {
          "message": "is needed: how many should run",
          "path": "documents[1].replicas",
        },
        {
          "message": "must be a document, which is an object, not 7",
          "path": "documents[2]",
        },
        {
          "message": "must be there once: an earlier document is team t too",
          "path": "documents[4].name",
        },
      ]
    `)
    expect((await world.send('POST', '/v1/plan', {})).status).toBe(422)
    expect((await world.send('POST', '/v1/plan')).status).toBe(400)
  })

  it('answers the cost', async () => {
    expect(await makeWorld().send('GET', '/v1/cost')).toMatchObject({
      status: 200,
      body: { costUsdPerHour: 1.5, boundUsdPerHour: null },
    })
  })
})
