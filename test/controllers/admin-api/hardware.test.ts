import { expect, it } from 'vitest'
import type { Hardware } from '#shared/model/hardware.ts'
import { hardwareAnswerSchema } from '#shared/protocol/hardware-answer.ts'
import { historyKeys, keys } from '#shared/store/keys.ts'
import { makeWorld, START_MS, type World } from './world.ts'

const GPU = 'GPU-6ad2f1c4-0b1e-43ab-9c1d-2f0f7d9a51c3'
const HOUR_MS = 3_600_000

async function remember(world: World, over: Partial<Hardware> = {}): Promise<void> {
  const item: Hardware = {
    ...{ kind: 'hardware', id: GPU, serial: '1653024000002', state: 'rejected', suite: 'gpu' },
    ...{ checks: [{ name: 'gpu-memory', verdict: 'FAIL' }], text: 'row remap failure is Yes' },
    ...{ node: 'gpu-1-1', arn: 'arn:aws:ec2:us-east-1:0:instance/i-1', atMs: START_MS - HOUR_MS },
    ...over,
  }
  const key = historyKeys.hardware(item.id)
  await world.history.write({ kind: 'put', item: { ...key, ...item } })
}

const REJECTED = {
  ...{ id: GPU, serial: '1653024000002', state: 'rejected', refused: true, suite: 'gpu' },
  ...{ checks: [{ name: 'gpu-memory', verdict: 'FAIL' }], text: 'row remap failure is Yes' },
  ...{ node: 'gpu-1-1', at: '2026-11-22T09:00:00.000Z' },
}

it('tells what is known of a GPU', async () => {
  const world = makeWorld()
  await remember(world)
  const { status, body } = await world.send('GET', `/v1/hardware/${GPU}`)
  expect([status, body]).toEqual([200, REJECTED])
  expect(hardwareAnswerSchema.parse(body)).toEqual(body)
})

it('is held against nobody after a month', async () => {
  const world = makeWorld()
  await remember(world, { atMs: START_MS - 31 * 24 * HOUR_MS })
  expect((await world.send('GET', `/v1/hardware/${GPU}`)).body).toMatchObject({ refused: false })
})

it('is cleared by a person, once, for that failure', async () => {
  const world = makeWorld()
  await remember(world)
  const answer = await world.send('POST', `/v1/hardware/${GPU}/clear`, {})
  const cleared = { ...REJECTED, refused: false, clearedAt: '2026-11-22T10:00:00.000Z' }
  expect([answer.status, answer.body]).toEqual([202, cleared])
  world.advance(HOUR_MS)
  expect((await world.send('POST', `/v1/hardware/${GPU}/clear`)).body).toEqual(cleared)
  const order = await world.store.get(keys.order('hardware', GPU))
  expect(order).toMatchObject({ verb: 'clear', rejectedAtMs: START_MS - HOUR_MS, atMs: START_MS })
  const events = (await world.send('GET', '/v1/events')).body as { items: unknown[] }
  expect(events.items).toMatchObject([{ object: `hardware/${GPU}`, reason: 'HardwareCleared' }])
  // It has failed again.
  await remember(world, { atMs: START_MS + 1 })
  expect((await world.send('GET', `/v1/hardware/${GPU}`)).body).toMatchObject({ refused: true })
})

it('clears nothing that was certified, and does not know what nobody tested', async () => {
  const world = makeWorld()
  await remember(world, { state: 'certified', text: '' })
  const answer = await world.send('POST', `/v1/hardware/${GPU}/clear`)
  expect(answer).toMatchObject({ status: 202, body: { state: 'certified', refused: false } })
  expect(await world.store.get(keys.order('hardware', GPU))).toBeUndefined()
  for (const id of [GPU.replace('6', '7'), 'set:0123456789abcdef', 'x', '%00']) {
    expect(await world.send('GET', `/v1/hardware/${id}`)).toMatchObject({ status: 404 })
    expect(await world.send('POST', `/v1/hardware/${id}/clear`)).toMatchObject({ status: 404 })
  }
})
