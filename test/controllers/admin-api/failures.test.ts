import { describe, expect, it } from 'vitest'
import { explainAnswerSchema, nodeExplainAnswerSchema } from '#shared/protocol/why-answers.ts'
import { keys } from '#shared/store/keys.ts'
import { addNode, makeWorld, START_MS, WEB, type World } from './world.ts'

type Row = { readonly replica: string; readonly node: string; readonly count: number }

async function uidOf({ store }: World, name: string): Promise<string> {
  return String((await store.get(keys.spec('workload', name)))?.['uid'])
}

/** Reconcile's word on what fails of a workload. */
async function setFailures(world: World, name: string, rows: readonly Row[]): Promise<void> {
  const uid = await uidOf(world, name)
  const counts = { desired: 2, assigned: 2, running: 2, ready: 1, updated: 2 }
  const times = { sinceMs: START_MS - 600_000, lastMs: START_MS - 5_000 }
  const status = {
    ...{ kind: 'status', noun: 'workload', name, uid, observedGeneration: 1, version: 'v' },
    ...{ ...counts, conditions: [] },
    failures: rows.map((row) => ({ ...row, version: 'v', ...times })),
  }
  await world.store.write({ kind: 'put', item: { ...keys.status('workload', name), ...status } })
}

/** `web` and `api` on both nodes, and on `p-1-1` both fail again and again. */
async function makeBadNode(): Promise<World> {
  const world = makeWorld()
  await world.send('PUT', '/v1/pools/general', {})
  for (const name of ['web', 'api']) {
    await world.send('PUT', `/v1/workloads/${name}`, { ...WEB, name })
  }
  const [web, api] = [await uidOf(world, 'web'), await uidOf(world, 'api')]
  const version = 'v'
  const readySinceMs = START_MS - 1_000
  await addNode(world, 'p-1-1', {
    replicas: [
      { id: 'web/1-1', uid: web, version },
      { id: 'api/1-1', uid: api, version },
    ],
  })
  await addNode(world, 'p-1-2', {
    cordoned: true,
    replicas: [
      { id: 'web/1-2', uid: web, version, readySinceMs },
      { id: 'api/1-2', uid: api, version, readySinceMs },
    ],
  })
  await setFailures(world, 'web', [{ replica: 'web/1-1', node: 'p-1-1', count: 5 }])
  await setFailures(world, 'api', [
    { replica: 'api/1-1', node: 'p-1-1', count: 3 },
    { replica: 'api/0-7', node: 'p-0-9', count: 1 },
  ])
  return world
}

const BAD_NODE = {
  code: 'BadNode',
  text: '2 workloads fail there again and again and are fine elsewhere',
}
const TIMES = { since: '2026-11-22T09:50:00.000Z', last: '2026-11-22T09:59:55.000Z' }

describe('failures', () => {
  it('are told of a workload, with whose fault they are', async () => {
    const world = await makeBadNode()
    const { body } = await world.send('GET', '/v1/workloads/api/explain')
    const answer = explainAnswerSchema.parse(body)
    expect(answer).toEqual(body)
    expect(answer.failures).toEqual([
      {
        ...{ workload: 'api', version: 'v', node: 'p-1-1', replicas: 1, count: 3 },
        ...{ ...TIMES, blame: BAD_NODE },
      },
      {
        ...{ workload: 'api', version: 'v', node: 'p-0-9', replicas: 1, count: 1, ...TIMES },
        blame: expect.objectContaining({ code: 'Unclear' }),
      },
    ])
  })

  it('are told of a node, beside why it is as it is', async () => {
    const world = await makeBadNode()
    await world.send('POST', '/v1/nodes/p-1-1/drain', {})
    const { body } = await world.send('GET', '/v1/nodes/p-1-1/explain')
    const answer = nodeExplainAnswerSchema.parse(body)
    expect(answer).toEqual(body)
    expect(answer).toMatchObject({ name: 'p-1-1', phase: 'ready' })
    expect(answer.reasons).toEqual([
      { code: 'BurnInPassed', text: 'the node is ready (for 60 s)' },
      { code: 'Ordered', text: 'somebody asked to drain it 0 s ago' },
    ])
    expect(answer.replicas.map(({ id }) => id)).toEqual(['api/1-1', 'web/1-1'])
    expect(answer.failures?.map(({ workload, blame }) => [workload, blame])).toEqual([
      ['api', BAD_NODE],
      ['web', BAD_NODE],
    ])
  })

  it('are not mentioned where nothing fails', async () => {
    const world = await makeBadNode()
    const { body } = await world.send('GET', '/v1/nodes/p-1-2/explain')
    expect(body).not.toHaveProperty('failures')
    expect(nodeExplainAnswerSchema.parse(body).reasons).toContainEqual({
      code: 'Cordoned',
      text: 'it takes no new replicas',
    })
    expect((await world.send('GET', '/v1/nodes/none/explain')).status).toBe(404)
    expect((await world.send('GET', '/v1/nodes/%00/explain')).status).toBe(404)
  })
})
