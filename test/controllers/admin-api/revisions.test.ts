import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { LIMITS } from '#shared/model/limits.ts'
import { revisionsAnswerSchema } from '#shared/protocol/why-answers.ts'
import { keys } from '#shared/store/keys.ts'
import type { Store } from '#shared/store/store.ts'
import { makeWorld, START_MS, WEB } from './world.ts'

const uidOf = async (store: Store): Promise<string> =>
  String((await store.get(keys.spec('workload', 'web')))?.['uid'])

/** Reconcile's word on how far the roll-out of `web` is. */
async function setRollout(
  store: Store,
  names: { readonly active: unknown; readonly stable: unknown },
): Promise<void> {
  const uid = await uidOf(store)
  const times = { startedAtMs: 1, lastProgressAtMs: 1 }
  const rollout = { ...names, ...times, ready: 0, mostReady: 0, old: 1 }
  const counts = { desired: 1, assigned: 1, running: 1, ready: 1, updated: 0 }
  const status = {
    ...{ kind: 'status', noun: 'workload', name: 'web', uid, observedGeneration: 1 },
    ...{ version: 'x', ...counts, conditions: [], rollout },
  }
  await store.write({ kind: 'put', item: { ...keys.status('workload', 'web'), ...status } })
}

describe('revisions', () => {
  it('numbers revisions as they are applied, and writes each but once', async () => {
    const world = makeWorld()
    const put = async (command: string, more = {}): Promise<void> => {
      world.advance(1_000)
      await world.send('PUT', '/v1/workloads/web', { ...WEB, command: [command], ...more })
    }
    const told = async (): Promise<unknown[]> => {
      const { items } = await world.store.query(`revision#${await uidOf(world.store)}`)
      return items
        .map(({ number, template, createdAtMs }) => [
          ...[number, (template as { command: string[] }).command[0]],
          (Number(createdAtMs) - START_MS) / 1_000,
        ])
        .sort()
    }
    await put('a')
    await put('b')
    const changes: { key: { pk: string } }[] = []
    world.store.changes((change) => changes.push(change))
    await put('b', { replicas: 5, priority: 3 })
    expect(changes.map(({ key }) => key.pk)).toEqual(['spec#workload'])
    expect(await told()).toEqual([
      [1, 'a', 1],
      [2, 'b', 2],
    ])
    await put('a')
    expect(await told()).toEqual([
      [2, 'b', 2],
      [3, 'a', 1],
    ])
  })

  it('are listed with what each changed, and which of them count', async () => {
    const world = makeWorld()
    const put = (more: object): Promise<unknown> =>
      world.send('PUT', '/v1/workloads/web', { ...WEB, ...more })
    await put({ env: { LEVEL: 'info' }, resources: { cpu: '500m' } })
    world.advance(60_000)
    await put({ env: { LEVEL: 'info', MODE: 'x' }, resources: { cpu: 1 }, command: ['node', 'b'] })
    await put({ resources: { cpu: 1 }, command: ['node', 'b'] })
    const get = async (): Promise<z.infer<typeof revisionsAnswerSchema>> => {
      const { body } = await world.send('GET', '/v1/workloads/web/revisions')
      const answer = revisionsAnswerSchema.parse(body)
      expect(answer).toEqual(body)
      return answer
    }
    const { items } = await get()
    expect(items.map(({ number, createdAt, changes }) => ({ number, createdAt, changes }))).toEqual(
      [
        { number: 1, createdAt: '2026-11-22T10:00:00.000Z', changes: undefined },
        {
          ...{ number: 2, createdAt: '2026-11-22T10:01:00.000Z' },
          changes: [
            { path: 'command', before: ['node', 'serve.js'], after: ['node', 'b'] },
            { path: 'env.MODE', after: 'x' },
            { path: 'resources.cpu', before: '500m', after: 1 },
          ],
        },
        {
          ...{ number: 3, createdAt: '2026-11-22T10:01:00.000Z' },
          changes: [
            { path: 'env.LEVEL', before: 'info' },
            { path: 'env.MODE', before: 'x' },
          ],
        },
      ],
    )
    const states = (of: typeof items): unknown => of.map(({ active, stable }) => [active, stable])
    // Before a pass has seen the last change, the newest is what new replicas will get.
    expect(states(items)).toEqual([
      [false, false],
      [false, false],
      [true, false],
    ])
    const [first, second] = items
    await setRollout(world.store, { active: second?.version, stable: first?.version })
    expect(states((await get()).items)).toEqual([
      [false, true],
      [true, false],
      [false, false],
    ])
    expect((await world.send('GET', '/v1/workloads/none/revisions')).status).toBe(404)
    await world.send('DELETE', '/v1/workloads/web')
    expect((await world.send('GET', '/v1/workloads/web/revisions')).status).toBe(404)
  })

  it('keeps beyond ten those that a roll-out names', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', { ...WEB, command: ['first'] })
    const uid = await uidOf(world.store)
    const [first] = (await world.store.query(`revision#${uid}`)).items
    await setRollout(world.store, { active: 'x', stable: first?.['version'] })
    for (let n = 0; n < 12; n += 1) {
      await world.send('PUT', '/v1/workloads/web', { ...WEB, command: [`v${String(n)}`] })
    }
    const { items } = await world.store.query(`revision#${uid}`)
    expect(items).toHaveLength(LIMITS.revisionsKept + 1)
    expect(items).toContainEqual(first)
  })
})
