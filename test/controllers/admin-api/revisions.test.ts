/** Which templates of a workload are kept. */
import { expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'
import { keys } from '#shared/store/keys.ts'
import { makeWorld, START_MS, WEB } from './world.ts'

const specOf = (n: number): Record<string, unknown> => ({ ...WEB, command: [`v${String(n)}`] })

it('keeps the template that a roll-out would go back to, however old it is', async () => {
  const world = makeWorld()
  await world.send('PUT', '/v1/workloads/web', specOf(0))
  const uid = String((await world.store.get(keys.spec('workload', 'web')))?.['uid'])
  const { kind: _, name: __, ...spec } = specOf(0)
  const stable = versionOf(templateOf(workloadSpecSchema.parse(spec)))
  const rollout = { active: 'another', stable, startedAtMs: START_MS, lastProgressAtMs: START_MS }
  await world.store.write({
    kind: 'put',
    item: {
      ...keys.status('workload', 'web'),
      ...{ kind: 'status', noun: 'workload', name: 'web', uid, observedGeneration: 1 },
      ...{ version: stable, desired: 2, assigned: 2, running: 2, ready: 2, updated: 2 },
      ...{ waiting: [], conditions: [], rollout: { ...rollout, mostReady: 0 } },
    },
  })
  for (let n = 1; n < 15; n += 1) {
    world.advance(1_000)
    await world.send('PUT', '/v1/workloads/web', specOf(n))
  }
  const { items } = await world.store.query(keys.revision(uid, '').pk)
  expect(items).toHaveLength(LIMITS.revisionsKept)
  expect(items.map((item) => item['version'])).toContain(stable)
})
