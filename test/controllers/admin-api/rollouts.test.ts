import { beforeEach, describe, expect, it } from 'vitest'
import { templateOf, versionOf } from '#shared/model/version.ts'
import { workloadSpecSchema } from '#shared/model/workload.ts'
import { keys } from '#shared/store/keys.ts'
import type { Item } from '#shared/store/store.ts'
import { makeWorld, START_MS, WEB, type Answer, type World } from './world.ts'

const versionWith = (v: string): string => {
  const { kind: _, name: _name, ...spec } = { ...WEB, env: { V: v } }
  return versionOf(templateOf(workloadSpecSchema.parse(spec)))
}

let world: World
const put = async (v: string): Promise<void> => {
  await world.send('PUT', '/v1/workloads/web', { ...WEB, env: { V: v } })
}
const steer = (action: string, to?: string): Promise<Answer> =>
  world.send('POST', '/v1/workloads/web/rollout', { action, ...(to === undefined ? {} : { to }) })
const order = async (): Promise<Item | undefined> => world.store.get(keys.order('workload', 'web'))

/** As reconcile would have left it. */
async function seen(rollout: Record<string, unknown>): Promise<void> {
  const spec = await world.store.get(keys.spec('workload', 'web'))
  const numbers = { desired: 2, assigned: 2, running: 2, ready: 2, updated: 2, conditions: [] }
  const stamps = { startedAtMs: START_MS, lastProgressAtMs: START_MS }
  const counts = { ready: 2, mostReady: 2, old: 0 }
  await world.store.write({
    kind: 'put',
    item: {
      ...keys.status('workload', 'web'),
      ...{ kind: 'status', noun: 'workload', name: 'web', uid: spec?.['uid'], version: 'v' },
      ...{ observedGeneration: 2, ...numbers },
      rollout: { active: 'a', ...stamps, ...counts, ...rollout },
    },
  })
}

beforeEach(async () => {
  world = makeWorld()
  await put('1')
  await put('2')
})

describe('the verbs of a roll-out', () => {
  it('hold it and let it go on, and leave an undo as it is', async () => {
    expect((await steer('undo')).status).toBe(200)
    expect((await steer('pause')).status).toBe(200)
    const undo = { from: versionWith('2'), to: versionWith('1') }
    expect(await order()).toMatchObject({ target: 'workload', paused: true, undo })
    expect((await steer('resume')).status).toBe(200)
    expect(await order()).toMatchObject({ paused: false, undo })
    const { items } = (await world.send('GET', '/v1/events')).body as { items: object[] }
    expect(items.slice(-3)).toMatchObject([
      { reason: 'RolloutUndone', text: `back to version ${undo.to} from ${undo.from}` },
      { reason: 'RolloutPaused' },
      { reason: 'RolloutResumed' },
    ])
  })

  it('go back to the proven version, or to a revision that is named', async () => {
    await put('3')
    await seen({ active: versionWith('3'), stable: versionWith('1') })
    await steer('undo')
    expect(await order()).toMatchObject({ undo: { to: versionWith('1') } })
    await steer('undo', '2')
    expect(await order()).toMatchObject({ undo: { from: versionWith('3'), to: versionWith('2') } })
    await steer('undo', versionWith('3'))
    expect(await order()).not.toHaveProperty('undo')
  })

  it('say which revisions there are', async () => {
    const { status, body } = await steer('undo', '9')
    const kept = `1 (${versionWith('1')}), 2 (${versionWith('2')})`
    expect([status, body]).toMatchObject([
      422,
      {
        code: 'UnknownRevision',
        errors: [{ path: 'to', message: `must be one of the kept revisions: ${kept}; it was "9"` }],
      },
    ])
    await world.send('PUT', '/v1/workloads/once', { ...WEB, name: 'once' })
    const once = await world.send('POST', '/v1/workloads/once/rollout', { action: 'undo' })
    expect(once).toMatchObject({ status: 422, body: { code: 'UnknownRevision' } })
  })

  it('do not bring a failed roll-out back to life', async () => {
    const failed = { code: 'TooManyFailures', text: '3 have failed', atMs: START_MS }
    await seen({ active: versionWith('2'), stable: versionWith('1'), failed })
    expect(await steer('resume')).toMatchObject({ status: 409, body: { code: 'RolloutHalted' } })
    expect((await world.send('GET', '/v1/workloads/web')).body).toMatchObject({
      status: { rollout: { failed: { code: 'TooManyFailures', at: '2026-11-22T10:00:00.000Z' } } },
    })
  })

  it('are about that workload and none that has its name later', async () => {
    await steer('pause')
    await world.send('DELETE', '/v1/workloads/web')
    expect((await steer('resume')).status).toBe(404)
    await put('1')
    await put('2')
    await steer('undo')
    expect(await order()).toMatchObject({ paused: false })
  })

  it('refuse what is no verb', async () => {
    const { status, body } = await steer('stop')
    expect([status, body]).toMatchObject([422, { errors: [{ path: 'action' }] }])
    const none = await world.send('POST', '/v1/workloads/none/rollout', { action: 'pause' })
    expect(none.status).toBe(404)
  })

  it('keep the version that was gone back to', async () => {
    await steer('undo', '1')
    for (let n = 3; n <= 15; n += 1) await put(String(n))
    const { items } = (await world.send('GET', '/v1/workloads/web/revisions')).body as {
      items: { version: string }[]
    }
    expect(items.map((own) => own.version)).toContain(versionWith('1'))
    expect(items).toHaveLength(11)
  })
})
