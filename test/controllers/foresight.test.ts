import { expect, it } from 'vitest'
import { makeLogger, silentLogger } from '#shared/base/log.ts'
import { makeForesight, type ForesightPorts } from '#shared/controllers/foresight.ts'
import type { Proposal } from '#shared/model/proposal.ts'
import type { RepackGroup, RepackMark } from '#shared/model/repack.ts'
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { keys } from '#shared/store/keys.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import { costAnswerSchema, planAnswerSchema, repackAnswerSchema } from '#shared/protocol/api.ts'
import { addNode, makeWorld, START_MS, WEB, type World } from './admin-api/world.ts'

const foresightOver = (
  store: World['store'],
  over: Partial<ForesightPorts> = {},
): ReturnType<typeof makeForesight> =>
  makeForesight({
    store,
    clock: { now: () => START_MS },
    settings: { plan: { lostAfterMs: 90_000, bootDeadlineMs: 300_000 }, zones: ['us-east-1a'] },
    ...{ solver: loadSolver, budget: BUDGETS['5s'], log: silentLogger },
    ...over,
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
  const { after, bound, fleet, gap } = answer.costUsdPerHour
  expect(after).toBeGreaterThan(0)
  expect(fleet).toBeGreaterThanOrEqual(bound ?? Infinity)
  expect(gap).toBeCloseTo((fleet ?? 0) / (bound ?? 1) - 1, 4)
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

it('previews without a bound where the solver fails, and logs why', async () => {
  const store = makeMemoryStore()
  const lines: string[] = []
  const log = makeLogger((line) => lines.push(line))
  const solver = (): Promise<never> => Promise.reject(new Error('no WebAssembly'))
  const world = makeWorld({ store, ...foresightOver(store, { solver, log }) })
  const documents = [{ kind: 'Pool', name: 'general' }, WEB]
  const { status, body } = await world.send('POST', '/v1/plan', { documents })
  expect(status).toBe(200)
  expect(planAnswerSchema.parse(body).costUsdPerHour).toMatchObject({
    ...{ bound: null, fleet: null, gap: null },
  })
  expect(lines.join('\n')).toContain('no WebAssembly')
})

it('tells the bound that was found last, its time, and what stands beside the fleet', async () => {
  const { store } = makeWorld()
  await store.write({
    kind: 'put',
    item: {
      ...keys.proposal(),
      kind: 'proposal',
      atMs: START_MS - 60_000,
      cost: { boundUsdPerHour: 2, fleetUsdPerHour: 2.1 },
    },
  })
  expect(await foresightOver(store).cost()).toMatchObject({
    ...{ boundUsdPerHour: 2, fleetUsdPerHour: 2.1, gap: expect.closeTo(0.05, 6) as number },
    boundAt: new Date(START_MS - 60_000).toISOString(),
    ...{ leavingUsdPerHour: 0, quarantinedUsdPerHour: 0 },
    ...{ headroomUsdPerHour: 0, testingUsdPerHour: 0, surgeUsdPerHour: 0 },
  })
})

it('tells what stands beside the fleet, and what of the fleet is a test or a surge', async () => {
  const world = makeWorld()
  await world.send('PUT', '/v1/pools/general', { kind: 'Pool', name: 'general' })
  const kept = { kind: 'Pool', name: 'kept', headroom: { cpu: 1 } }
  await world.send('PUT', '/v1/pools/kept', kept)
  await world.send('PUT', '/v1/workloads/web', { ...WEB, replicas: 1 })
  const uid = String((await world.store.get(keys.spec('workload', 'web')))?.['uid'])
  const web = (id: string): { replicas: { id: string; uid: string; version: string }[] } => {
    return { replicas: [{ id, uid, version: 'abc' }] }
  }
  const drain = {
    ...({ reason: 'OperatorDrain', text: 'told so', sinceMs: START_MS } as const),
    ...{ deadlineMs: START_MS + 1, generation: 1 },
  }
  await addNode(world, 'general-1-1', { phase: 'testing' })
  await addNode(world, 'general-1-2', { phase: 'quarantined' })
  await addNode(world, 'general-1-3', { phase: 'draining', drain, ...web('web/1-1') })
  await addNode(world, 'general-1-4', web('web/1-2'))
  await addNode(world, 'general-1-5', web('web/1-3'))
  await addNode(world, 'kept-1-6', { pool: 'kept' })
  expect(costAnswerSchema.parse(await foresightOver(world.store).cost())).toMatchObject({
    ...{ costUsdPerHour: 0.24, leavingUsdPerHour: 0.04, quarantinedUsdPerHour: 0.04 },
    ...{ headroomUsdPerHour: 0.04, testingUsdPerHour: 0.04, surgeUsdPerHour: 0.04 },
  })
})

it('previews the headroom that a pool would keep, which is no part of the fleet', async () => {
  const store = makeMemoryStore()
  const documents = [{ kind: 'Pool', name: 'kept', headroom: { cpu: 1 } }]
  const world = makeWorld({ store, ...foresightOver(store) })
  const { body } = await world.send('POST', '/v1/plan', { documents })
  const { after, headroom, ...rest } = planAnswerSchema.parse(body).costUsdPerHour
  expect(after).toBeGreaterThan(0)
  expect(headroom).toBe(after)
  expect(rest).toMatchObject({ fleet: 0, leaving: 0, quarantined: 0, testing: 0, surge: 0 })
})

it('tells what a repack would do, what it does and what it will not do, and why', async () => {
  const world = makeWorld()
  const { store } = world
  await world.send('PUT', '/v1/pools/general', { kind: 'Pool', name: 'general' })
  const mark: RepackMark = {
    ...{ group: 'general-1-2', side: 'retire', reason: 'Underused', sinceMs: START_MS },
    ...{ untilMs: START_MS + 60_000, launch: ['general-1-4'], retire: ['general-1-2'] },
    ...{ shift: [], offerings: ['m6a.large spot'] },
  }
  await addNode(world, 'general-1-1', { phase: 'testing' })
  await addNode(world, 'general-1-2', { repack: mark })
  await addNode(world, 'general-1-4', { phase: 'booting', repack: { ...mark, side: 'launch' } })
  const group = (name: string): RepackGroup => ({
    ...{ id: name, reason: 'Underused', launch: [], retire: [name], shift: [] },
    ...{ savingUsdPerHour: 0.05, moves: 1 },
  })
  const proposal: Proposal = {
    ...{ kind: 'proposal', atMs: START_MS, cost: { boundUsdPerHour: 1, fleetUsdPerHour: 1 } },
    groups: [group('general-1-1'), group('general-1-2')],
    refused: [{ retire: ['general-1-3'], reason: { code: 'Young', text: 'it is new' } }],
  }
  await store.write({ kind: 'put', item: { ...keys.proposal(), ...proposal } })
  const answer = repackAnswerSchema.parse(await foresightOver(store).repack())
  expect(answer).toMatchObject({
    at: new Date(START_MS).toISOString(),
    groups: [
      { id: 'general-1-2', state: 'launching', until: new Date(START_MS + 60_000).toISOString() },
      { id: 'general-1-1', state: 'held', why: { code: 'NotReady' } },
    ],
    refused: proposal.refused,
  })
  const later = foresightOver(store, { clock: { now: () => START_MS + 3_600_000 } })
  expect((await later.repack()).groups.at(-1)?.why?.code).toBe('Stale')
})
