import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import { keys } from '#shared/store/keys.ts'
import type { Store } from '#shared/store/store.ts'
import { makeWorld, START_MS, WEB } from './world.ts'

const uidOf = async (store: Store): Promise<string> =>
  String((await store.get(keys.spec('workload', 'web')))?.['uid'])

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

  it('keeps beyond ten those that a roll-out names', async () => {
    const world = makeWorld()
    await world.send('PUT', '/v1/workloads/web', { ...WEB, command: ['first'] })
    const uid = await uidOf(world.store)
    const [first] = (await world.store.query(`revision#${uid}`)).items
    const rollout = {
      ...{ active: 'x', stable: first?.['version'], startedAtMs: 1, lastProgressAtMs: 1 },
      ...{ ready: 0, mostReady: 0, old: 1 },
    }
    const counts = { desired: 1, assigned: 1, running: 1, ready: 1, updated: 0 }
    const status = {
      ...{ kind: 'status', noun: 'workload', name: 'web', uid, observedGeneration: 1 },
      ...{ version: 'x', ...counts, conditions: [], rollout },
    }
    await world.store.write({ kind: 'put', item: { ...keys.status('workload', 'web'), ...status } })
    for (let n = 0; n < 12; n += 1) {
      await world.send('PUT', '/v1/workloads/web', { ...WEB, command: [`v${String(n)}`] })
    }
    const { items } = await world.store.query(`revision#${uid}`)
    expect(items).toHaveLength(LIMITS.revisionsKept + 1)
    expect(items).toContainEqual(first)
  })
})
