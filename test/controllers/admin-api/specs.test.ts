import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import { workloadObjectSchema } from '#shared/protocol/api.ts'
import { keys } from '#shared/store/keys.ts'
import type { Store } from '#shared/store/store.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import { addNode, makeWorld, START_MS, WEB } from './world.ts'

const uidOf = async (store: Store, name = 'web'): Promise<string> =>
  String((await store.get(keys.spec('workload', name)))?.['uid'])

describe('PUT', () => {
  it('creates a workload and answers the whole object, defaults filled in', async () => {
    const world = makeWorld()
    const answer = await world.send('PUT', '/v1/workloads/web', WEB)
    expect(answer.status).toBe(201)
    expect(workloadObjectSchema.parse(answer.body)).toEqual(answer.body)
    expect(answer.body).toMatchInlineSnapshot(`
      {
        "generation": 1,
        "kind": "Workload",
        "name": "web",
        "spec": {
          "availability": {},
          "capacity": {
            "onDemandBase": 0,
            "onDemandPercent": 0,
            "spot": "allowed",
          },
          "command": [
            "node",
            "serve.js",
          ],
          "env": {},
          "placement": {},
          "ports": [],
          "preemptible": false,
          "priority": 0,
          "replicas": 2,
          "resources": {
            "cpu": "100m",
            "gpu": 0,
            "memory": "128Mi",
          },
          "rollout": {
            "bakeSeconds": 0,
            "healthyDeadlineSeconds": 300,
            "maxFailures": "10%",
            "maxSurge": "25%",
            "maxUnavailable": "25%",
            "minReadySeconds": 0,
            "onFailure": "halt",
            "progressDeadlineSeconds": 600,
          },
          "terminationGraceSeconds": 30,
          "tolerations": [],
        },
        "status": {
          "assigned": 0,
          "conditions": [
            {
              "reason": "NotYetSeen",
              "since": "2026-11-22T10:00:00.000Z",
              "status": true,
              "text": "no pass has seen generation 1 yet",
              "type": "Progressing",
            },
          ],
          "desired": 2,
          "observedGeneration": 0,
          "ready": 0,
          "running": 0,
          "updated": 0,
          "version": "3c15680cf297",
        },
      }
    `)
  })

  it('stores the template as a revision in the same transaction', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', WEB)
    const { items } = await world.store.query(`revision#${await uidOf(world.store)}`)
    expect(items).toHaveLength(1)
    expect(items[0]).toMatchObject({ workload: 'web', template: { command: ['node', 'serve.js'] } })
  })

  it('keeps the generation of an equal spec and writes nothing', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', WEB)
    const changes: unknown[] = []
    world.store.changes((change) => changes.push(change))
    const again = await world.send('PUT', '/v1/workloads/web', {
      replicas: 2,
      command: ['node', 'serve.js'],
      priority: 0,
    })
    expect(again.status).toBe(200)
    expect(again.body).toMatchObject({ generation: 1 })
    expect(changes).toEqual([])
  })

  it('changes a spec, and keeps the count that it does not name', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', WEB)
    const answer = await world.send('PUT', '/v1/workloads/web', { command: ['new'] })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({ generation: 2, spec: { replicas: 2, command: ['new'] } })
  })

  it('keeps the ten templates last used', async () => {
    const world = makeWorld()
    for (let n = 0; n < 13; n += 1) {
      world.advance(1_000)
      await world.send('PUT', '/v1/workloads/web', { ...WEB, command: [`v${String(n)}`] })
    }
    const { items } = await world.store.query(`revision#${await uidOf(world.store)}`)
    const commands = items.map((item) => JSON.stringify(item['template'])).join()
    expect(items).toHaveLength(LIMITS.revisionsKept)
    expect(commands).not.toContain('"v2"')
    expect(commands).toContain('"v3"')
  })

  it('creates pools and teams from a name alone', async () => {
    const world = makeWorld()
    const pool = await world.send('PUT', '/v1/pools/general', { kind: 'Pool', name: 'general' })
    expect(pool).toMatchObject({
      status: 201,
      body: {
        kind: 'Pool',
        status: { nodes: 0, requested: { cpu: '0', memory: '0', gpu: '0' }, conditions: [] },
      },
    })
    expect(await world.send('PUT', '/v1/teams/discovery', {})).toMatchObject({
      status: 201,
      body: { kind: 'Team', name: 'discovery', generation: 1, status: { conditions: [] } },
    })
  })

  it('writes only where If-Match still holds', async () => {
    const world = makeWorld()
    const put = (header: string, command: string): ReturnType<typeof world.send> =>
      world.send('PUT', '/v1/workloads/web', { ...WEB, command: [command] }, { 'if-match': header })
    expect((await put('*', 'a')).status).toBe(412)
    await world.send('PUT', '/v1/workloads/web', WEB)
    expect((await put('"1"', 'b')).status).toBe(200)
    expect((await put('"1"', 'c')).status).toBe(412)
    expect((await put('"1", "2"', 'd')).status).toBe(200)
    expect((await put('*', 'e')).status).toBe(200)
    for (const bad of ['1', '""', '"abc"', 'W/"1"', '"1', '"1" "2"', '"99999999999999999"', ' ']) {
      expect([bad, (await put(bad, 'f')).status]).toEqual([bad, 400])
    }
  })

  it('names every fault of a spec in one answer', async () => {
    const world = makeWorld()
    const answer = await world.send('PUT', '/v1/workloads/web', {
      kind: 'Pool',
      name: 'other',
      replica: 3,
      resources: { cpu: 'lots' },
      ports: [{ name: 'HTTP' }],
    })
    expect(answer.status).toBe(422)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.body).toMatchInlineSnapshot(`
      {
        "code": "Invalid",
        "detail": "kind: must be Workload here, not "Pool" (and 6 more)",
        "errors": [
          {
            "message": "must be Workload here, not "Pool"",
            "path": "kind",
          },
          {
            "message": "must be web as in the path, not "other"",
            "path": "name",
          },
          {
            "message": "must be CPUs, like 2, 0.5 or 500m, not "lots"",
            "path": "resources.cpu",
          },
          {
            "message": "must be like http or grpc-2, not "HTTP"",
            "path": "ports[0].name",
          },
          {
            "message": "unknown field 'replica'; did you mean 'replicas'?",
            "path": "replica",
          },
          {
            "message": "is needed: say what to run with command, image, or both",
            "path": "command",
          },
          {
            "message": "is needed: how many should run",
            "path": "replicas",
          },
        ],
        "status": 422,
        "title": "Not valid",
        "type": "urn:drover:problem:Invalid",
      }
    `)
    expect(world.store.size()).toBe(0)
  })

  it('answers NotYetSupported for what will come', async () => {
    const world = makeWorld()
    for (const field of ['secrets']) {
      const answer = await world.send('PUT', '/v1/workloads/web', { ...WEB, [field]: {} })
      expect(answer).toMatchObject({ status: 422, body: { code: 'NotYetSupported' } })
    }
  })

  it('refuses a new workload without replicas, and a name that is none', async () => {
    const world = makeWorld()
    expect(await world.send('PUT', '/v1/workloads/web', { command: ['a'] })).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'replicas', message: 'is needed: how many should run' }] },
    })
    expect(await world.send('PUT', '/v1/workloads/WEB', { ...WEB, name: 'WEB' })).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'name' }] },
    })
  })

  it('tries again when another writer was faster, and gives up in the end', async () => {
    const store = makeMemoryStore()
    let rivals = 1
    const raced: Store = {
      ...store,
      transact: async (writes, token) => {
        rivals -= 1
        if (rivals >= 0) return { applied: false, index: 0, reason: 'conflict' }
        return store.transact(writes, token)
      },
    }
    const world = makeWorld({ store: raced })
    expect((await world.send('PUT', '/v1/workloads/web', WEB)).status).toBe(201)
    rivals = 100
    expect(await world.send('PUT', '/v1/workloads/web', { ...WEB, replicas: 3 })).toMatchObject({
      status: 409,
      body: { code: 'RaceLost' },
    })
  })
})

describe('DELETE', () => {
  it('answers the object while its replicas run, then 404', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', WEB)
    const uid = await uidOf(world.store)
    await addNode(world, 'general-1-1', { replicas: [{ id: 'web/1-2', uid, version: 'abc' }] })
    const deleted = await world.send('DELETE', '/v1/workloads/web')
    expect(deleted).toMatchObject({
      status: 202,
      body: { generation: 2, status: { deleting: true, desired: 0 } },
    })
    expect(await world.send('GET', '/v1/workloads/web')).toMatchObject({
      status: 200,
      body: { status: { deleting: true } },
    })
    expect((await world.send('DELETE', '/v1/workloads/web')).status).toBe(202)
    await addNode(world, 'general-1-1')
    expect((await world.send('GET', '/v1/workloads/web')).status).toBe(404)
    expect((await world.send('DELETE', '/v1/workloads/web')).status).toBe(404)
    expect(await world.send('GET', '/v1/workloads')).toMatchObject({ body: { items: [] } })
  })

  it('marks the spec and lets it and its templates expire in a week', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', WEB)
    const uid = await uidOf(world.store)
    expect((await world.send('DELETE', '/v1/workloads/web')).status).toBe(202)
    const ttl = START_MS / 1000 + 7 * 86_400
    expect(await world.store.get(keys.spec('workload', 'web'))).toMatchObject({
      deletedAtMs: START_MS,
      ttl,
    })
    expect((await world.store.query(`revision#${uid}`)).items).toMatchObject([{ ttl }])
  })

  it('lets a later PUT begin anew, which needs a count of its own', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', WEB)
    const before = await uidOf(world.store)
    await world.send('DELETE', '/v1/workloads/web')
    expect((await world.send('PUT', '/v1/workloads/web', { command: ['a'] })).status).toBe(422)
    expect(await world.send('PUT', '/v1/workloads/web', WEB)).toMatchObject({
      status: 201,
      body: { generation: 1 },
    })
    expect(await uidOf(world.store)).not.toBe(before)
    const item = await world.store.get(keys.spec('workload', 'web'))
    expect(item).not.toHaveProperty('ttl')
    expect(item).not.toHaveProperty('deletedAtMs')
  })

  it('keeps a pool while it has nodes', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/pools/general', {})
    await addNode(world, 'general-1-1')
    await world.send('DELETE', '/v1/pools/general')
    expect(await world.send('GET', '/v1/pools/general')).toMatchObject({
      status: 200,
      body: { status: { deleting: true, nodes: 1 } },
    })
    await world.store.write({ kind: 'delete', key: keys.node('general-1-1') })
    expect((await world.send('GET', '/v1/pools/general')).status).toBe(404)
  })

  it('knows nothing of what was never there, and honours If-Match', async () => {
    const world = makeWorld()
    expect((await world.send('DELETE', '/v1/teams/none')).status).toBe(404)
    await world.send('PUT', '/v1/teams/some', {})
    const header = { 'if-match': '"7"' }
    expect((await world.send('DELETE', '/v1/teams/some', undefined, header)).status).toBe(412)
  })
})

describe('reading', () => {
  it('pages through a list by name', async () => {
    const world = makeWorld()
    for (const name of ['c', 'a', 'b']) await world.send('PUT', `/v1/teams/${name}`, {})
    const first = await world.send('GET', '/v1/teams?limit=2')
    expect(first.body).toMatchObject({ items: [{ name: 'a' }, { name: 'b' }], next: 'b' })
    const second = await world.send('GET', '/v1/teams?limit=2&after=b')
    expect(second.body).toMatchObject({ items: [{ name: 'c' }] })
    expect(second.body).not.toHaveProperty('next')
  })

  it('refuses a page that makes no sense', async () => {
    const world = makeWorld()
    for (const query of ['limit=0', 'limit=501', 'limit=x', 'limit=', 'after=%00', 'limit=1e2']) {
      const answer = await world.send('GET', `/v1/pools?${query}`)
      expect([query, answer.status]).toEqual([query, 400])
    }
    expect((await world.send('GET', `/v1/pools?after=${'a'.repeat(3_000)}`)).status).toBe(400)
  })

  it('lets a PUT replace a stored spec that nobody can read', async () => {
    const world = makeWorld()
    const bad = { ...keys.spec('team', 'bad'), kind: 'spec', uid: 'u', generation: 3, spec: 7 }
    await world.store.write({ kind: 'put', item: bad })
    expect((await world.send('GET', '/v1/teams/bad')).status).toBe(404)
    expect((await world.send('PUT', '/v1/teams/bad', {})).status).toBe(201)
    expect((await world.send('GET', '/v1/teams/bad')).status).toBe(200)
  })

  it('leaves out a stored spec that does not parse, and says so in the log', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/teams/good', {})
    const bad = { ...keys.spec('team', 'bad'), kind: 'spec', noun: 'team', name: 'bad' }
    await world.store.write({ kind: 'put', item: bad })
    expect(await world.send('GET', '/v1/teams')).toMatchObject({
      body: { items: [{ name: 'good' }] },
    })
    expect(world.log.join()).toContain('does not parse')
  })

  it('shows what reconcile has seen, with conditions in ISO time', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', WEB)
    const { body } = await world.send('GET', '/v1/workloads/web')
    const { version } = (body as { status: { version: string } }).status
    const uid = await uidOf(world.store)
    const counts = { desired: 2, assigned: 2, running: 2, ready: 1, updated: 2 }
    const condition = {
      type: 'Available',
      status: true,
      reason: 'MinimumReady',
      text: '1 is enough',
    }
    const item = {
      ...keys.status('workload', 'web'),
      ...{ kind: 'status', noun: 'workload', name: 'web', uid, observedGeneration: 1, version },
      ...counts,
      conditions: [{ ...condition, sinceMs: START_MS }],
    }
    await world.store.write({ kind: 'put', item })
    expect(await world.send('GET', '/v1/workloads/web')).toMatchObject({
      body: {
        status: {
          observedGeneration: 1,
          ...counts,
          version,
          conditions: [{ ...condition, since: '2026-11-22T10:00:00.000Z' }],
        },
      },
    })
    const changed = await world.send('PUT', '/v1/workloads/web', { ...WEB, command: ['new'] })
    expect(changed.body).toMatchObject({
      status: { updated: 0, observedGeneration: 1 },
    })
    const { status } = changed.body as { status: { conditions: { reason: string }[] } }
    expect(status.conditions.map((own) => own.reason)).toEqual(['NotYetSeen', 'MinimumReady'])
  })
})

describe('scale and roll-out', () => {
  it('sets the count and moves the generation', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', WEB)
    expect(await world.send('POST', '/v1/workloads/web/scale', { replicas: 5 })).toMatchObject({
      status: 200,
      body: { generation: 2, spec: { replicas: 5 }, status: { desired: 5 } },
    })
    expect((await world.send('POST', '/v1/workloads/none/scale', { replicas: 5 })).status).toBe(404)
    for (const body of [{ replicas: -1 }, { replicas: '5' }, {}, { replicas: 1, x: 2 }, []]) {
      expect((await world.send('POST', '/v1/workloads/web/scale', body)).status).toBe(422)
    }
  })
})

describe('events', () => {
  it('records one a change', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', WEB)
    await world.send('PUT', '/v1/workloads/web', WEB)
    world.advance(1_000)
    await world.send('POST', '/v1/workloads/web/scale', { replicas: 3 })
    world.advance(1_000)
    await world.send('DELETE', '/v1/workloads/web')
    const answer = await world.send('GET', '/v1/events?object=workload/web')
    expect(answer.body).toMatchInlineSnapshot(`
      {
        "items": [
          {
            "at": "2026-11-22T10:00:00.000Z",
            "id": "001795341600000-api-u000003-0000",
            "object": "workload/web",
            "reason": "Created",
            "text": "created (generation 1)",
            "type": "Normal",
          },
          {
            "at": "2026-11-22T10:00:01.000Z",
            "id": "001795341601000-api-u000005-0000",
            "object": "workload/web",
            "reason": "Scaled",
            "text": "replicas set to 3",
            "type": "Normal",
          },
          {
            "at": "2026-11-22T10:00:02.000Z",
            "id": "001795341602000-api-u000007-0000",
            "object": "workload/web",
            "reason": "Deleted",
            "text": "deleted (generation 3)",
            "type": "Normal",
          },
        ],
      }
    `)
  })

  it('never fail the change they tell of', async () => {
    const history = makeMemoryStore()
    const broken: Store = { ...history, write: () => Promise.reject(new Error('no table')) }
    const world = makeWorld({ history: broken })
    expect((await world.send('PUT', '/v1/teams/discovery', {})).status).toBe(201)
    expect(world.log.join()).toContain('an event is lost')
  })
})

describe('data', () => {
  const data = { version: '1', source: 's3://acme-recs/1/' }

  it('without a request for disk is accepted with a warning', async () => {
    const world = makeWorld()
    expect(await world.send('PUT', '/v1/workloads/web', { ...WEB, data })).toMatchObject({
      body: { warnings: [{ code: 'DataWithoutDisk' }] },
    })
    const sized = { ...WEB, data, resources: { disk: '5Gi' } }
    const { body } = await world.send('PUT', '/v1/workloads/web', sized)
    expect(body).not.toHaveProperty('warnings')
  })
})
