import { expect, it } from 'vitest'
import { makeForesight } from '#shared/controllers/foresight.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import { costAnswerSchema, planAnswerSchema } from '#shared/protocol/api.ts'
import { addNode, makeWorld, START_MS, WEB, type World } from './admin-api/world.ts'

const foresightOver = (store: World['store']): ReturnType<typeof makeForesight> =>
  makeForesight({
    store,
    clock: { now: () => START_MS },
    settings: { plan: { lostAfterMs: 90_000, bootDeadlineMs: 300_000 }, zones: ['us-east-1a'] },
  })

it('previews what documents would buy, and writes nothing', async () => {
  const store = makeMemoryStore()
  const world = makeWorld({ store, ...foresightOver(store) })
  const documents = [{ kind: 'Pool', name: 'general' }, WEB]
  const { status, body } = await world.send('POST', '/v1/plan', { documents })
  expect(status).toBe(200)
  const answer = planAnswerSchema.parse(body)
  expect(answer.actions.map((action) => action.kind)).toContain('launch')
  expect(answer.costUsdPerHour.now).toBe(0)
  expect(answer.costUsdPerHour.after).toBeGreaterThan(0)
  expect(answer.unschedulable).toEqual([])
  expect(store.size()).toBe(0)
})

it('says in words why something can never run', async () => {
  const store = makeMemoryStore()
  const world = makeWorld({ store, ...foresightOver(store) })
  const documents = [
    { kind: 'Pool', name: 'general' },
    { ...WEB, resources: { gpu: 99 } },
  ]
  const { body } = await world.send('POST', '/v1/plan', { documents })
  const { unschedulable } = planAnswerSchema.parse(body)
  expect(unschedulable).toMatchObject([{ workload: 'web', count: 2 }])
  expect(unschedulable[0]?.reasons[0]?.text).toMatch(/GPU/)
})

it('adds up what the herd costs, by pool and as on-demand', async () => {
  const world = makeWorld()
  await addNode(world, 'general-1-1')
  await addNode(world, 'general-1-2')
  await addNode(world, 'gpu-1-1', { pool: 'gpu' })
  const answer = await foresightOver(world.store).cost()
  expect(costAnswerSchema.parse(answer)).toMatchObject({
    costUsdPerHour: 0.12,
    boundUsdPerHour: null,
    pools: [
      { name: 'general', nodes: 2, costUsdPerHour: 0.08 },
      { name: 'gpu', nodes: 1, costUsdPerHour: 0.04 },
    ],
  })
  expect(answer.onDemandUsdPerHour).toBeGreaterThan(answer.costUsdPerHour)
})
