import { expect, it } from 'vitest'
import { bindPorts } from '#functions/repack.ts'
import { makeLogger } from '#shared/base/log.ts'
import { repack, type RepackPorts } from '#shared/controllers/repack.ts'
import { proposalSchema } from '#shared/model/proposal.ts'
import { BUDGETS } from '#shared/planner/packing/pack.ts'
import { SEARCH_BUDGET } from '#shared/planner/repack/search.ts'
import { loadSolver } from '#shared/solver/highs.ts'
import { keys } from '#shared/store/keys.ts'
import type { MemoryStore } from '#shared/store/memory-store.ts'
import { StoreError } from '#shared/store/store.ts'
import { addNode, makeWorld, START_MS, WEB } from './admin-api/world.ts'

async function open(): Promise<{ store: MemoryStore; ports: RepackPorts; log: string[] }> {
  const { store, send } = makeWorld()
  await send('PUT', '/v1/pools/general', { kind: 'Pool', name: 'general' })
  await send('PUT', '/v1/workloads/web', WEB)
  const log: string[] = []
  const ports: RepackPorts = {
    ...{ store, clock: { now: () => START_MS }, log: makeLogger((line) => log.push(line)) },
    settings: { plan: { lostAfterMs: 90_000, bootDeadlineMs: 300_000 }, zones: ['us-east-1a'] },
    ...{ solver: loadSolver, budget: { ...BUDGETS['5s'], ...SEARCH_BUDGET } },
  }
  return { store, ports, log }
}

it('keeps how little a fleet could cost beside what this one costs', async () => {
  const { store, ports } = await open()
  const outcome = await repack(ports)
  expect(outcome.kept).toBe(true)
  expect(outcome.boundUsdPerHour).toBeGreaterThan(0)
  expect(outcome.fleetUsdPerHour).toBeGreaterThanOrEqual(outcome.boundUsdPerHour)
  const item = proposalSchema.parse(await store.get(keys.proposal()))
  expect(item).toMatchObject({ atMs: START_MS, cost: { boundUsdPerHour: outcome.boundUsdPerHour } })
})

it('finds nothing to bound in an empty herd', async () => {
  const { store } = makeWorld()
  const { ports } = await open()
  expect(await repack({ ...ports, store })).toMatchObject({ boundUsdPerHour: 0, kept: true })
})

it('leaves machines that carry nothing any more out of the fleet', async () => {
  const { store, ports } = await open()
  const before = await repack(ports)
  await addNode({ store }, 'general-9-1', { phase: 'quarantined' })
  const after = await repack({ ...ports, clock: { now: () => START_MS + 1 } })
  expect(after.boundUsdPerHour).toBeCloseTo(before.boundUsdPerHour, 9)
  expect(after.fleetUsdPerHour).toBeCloseTo(before.fleetUsdPerHour, 9)
})

it('leaves what a later look has kept', async () => {
  const { store, ports } = await open()
  await repack({ ...ports, clock: { now: () => START_MS + 60_000 } })
  expect(await repack(ports)).toMatchObject({ kept: false })
  const item = proposalSchema.parse(await store.get(keys.proposal()))
  expect(item.atMs).toBe(START_MS + 60_000)
})

it('throws where the table cannot be read, and what was found before stands', async () => {
  const { store, ports } = await open()
  await repack(ports)
  const failing = { ...store, scan: () => Promise.reject(new StoreError({ text: 'throttled' })) }
  await expect(repack({ ...ports, store: failing })).rejects.toThrow('throttled')
  expect(await store.get(keys.proposal())).toBeDefined()
})

it('says which setting it misses', () => {
  expect(() => bindPorts({})).toThrow('DROVER_LAUNCH')
})
