/** Reconcile from the first spec to the last machine, on a herd in memory. */
import { describe, expect, it } from 'vitest'
import { FleetError } from '#shared/cloud/fleet-error.ts'
import { keys } from '#shared/store/keys.ts'
import { makeHerd, settings, type Herd } from './herd-kit.ts'
import { reconcile } from '#shared/controllers/reconcile/reconcile.ts'

const POOL = {
  instances: { families: ['m7a', 'c7a'], maxVcpu: 8 },
  repack: { afterSeconds: 20 },
}
const WEB = { replicas: 3, resources: { cpu: '500m', memory: '1Gi' } }

async function running(herd: Herd, workload: string): Promise<number> {
  return (await herd.status(workload))?.ready ?? 0
}

describe('reconcile', () => {
  it('brings up what is wanted, and takes the herd back to nothing', async () => {
    const herd = makeHerd()
    await herd.pool('general', POOL)
    await herd.workload('web', WEB)
    await herd.run(20)
    expect(await herd.status('web')).toMatchObject({ desired: 3, assigned: 3, ready: 3 })
    expect((await herd.nodes()).map((node) => node.phase)).toEqual(['ready'])
    await herd.remove('workload', 'web')
    await herd.run(60)
    expect(await herd.nodes()).toEqual([])
    expect(herd.living()).toEqual([])
    expect(await herd.status('web')).toBeUndefined()
  })

  it('asks by id for what a listing leaves out, and loses no machine for it', async () => {
    const asked: string[] = []
    let describes = true
    const herd = makeHerd({
      wrap: (ports) => ({
        ...ports,
        fleet: {
          ...ports.fleet,
          list: () => Promise.resolve([]),
          describe: (ids) => {
            asked.push(...ids)
            if (describes) return ports.fleet.describe(ids)
            return Promise.reject(new FleetError({ text: 'no answer', next: 'ask again' }))
          },
        },
      }),
    })
    await herd.pool('general', POOL)
    await herd.workload('web', WEB)
    await herd.run(500)
    const [node] = await herd.nodes()
    expect(asked).toContain(node?.machine?.instanceId)
    expect(await herd.status('web')).toMatchObject({ ready: 3 })
    describes = false
    await herd.run(200)
    expect((await herd.nodes()).map((own) => own.name)).toEqual([node?.name])
    expect((await herd.nodes())[0]?.missingSinceMs).toBeUndefined()
    herd.world.kill(String(node?.machine?.instanceId))
    describes = true
    await herd.run(200)
    expect((await herd.nodes()).map((own) => own.name)).not.toContain(node?.name)
  })

  it('writes nothing but the pass when it decides nothing', async () => {
    const herd = makeHerd()
    await herd.pool('general', POOL)
    await herd.workload('web', WEB)
    await herd.run(30)
    const changed: string[] = []
    herd.store.changes((change) => changed.push(change.key.pk))
    await herd.pass()
    expect(new Set(changed)).toEqual(new Set(['pass']))
  })

  it('replaces an interrupted node first, and never goes below its floor', async () => {
    const herd = makeHerd()
    await herd.pool('general', POOL)
    await herd.workload('web', { ...WEB, availability: { minAvailable: 2 } })
    await herd.run(25)
    const [node] = await herd.nodes()
    herd.world.interrupt(String(node?.machine?.instanceId))
    for (let i = 0; i < 120; i += 1) {
      await herd.run(1)
      expect(await running(herd, 'web')).toBeGreaterThanOrEqual(3)
    }
    await herd.run(30)
    expect(await running(herd, 'web')).toBe(3)
    expect(herd.living().map((own) => own.instanceId)).not.toContain(node?.machine?.instanceId)
    expect(herd.living()).toHaveLength((await herd.nodes()).length)
  })

  it('launches once, though every second answer is lost', async () => {
    const herd = makeHerd({ faults: { loseResponsesRate: 0.5 } })
    await herd.pool('general', POOL)
    await herd.workload('web', { ...WEB, replicas: 8, placement: { antiAffinity: 'node' } })
    await herd.run(90)
    expect(await running(herd, 'web')).toBe(8)
    expect(herd.living()).toHaveLength(8)
    expect((await herd.store.query('launch')).items).toEqual([])
  })

  it('finds by its tag what a launch brought whose pass died before the answer', async () => {
    let die = true
    const herd = makeHerd({
      wrap: (ports) => ({
        ...ports,
        fleet: {
          ...ports.fleet,
          launch: async (request) => {
            const outcome = await ports.fleet.launch(request)
            if (die) throw new FleetError({ text: 'the connection broke' })
            return outcome
          },
        },
      }),
    })
    await herd.pool('general', POOL)
    await herd.workload('web', WEB)
    await herd.run(70)
    expect(herd.living()).toHaveLength(1)
    die = false
    await herd.run(100)
    expect(await running(herd, 'web')).toBe(3)
    expect(herd.living()).toHaveLength(1)
  })

  it('gives up a launch that never happened, and launches anew', async () => {
    let refuse = true
    const herd = makeHerd({
      wrap: (ports) => ({
        ...ports,
        fleet: {
          ...ports.fleet,
          launch: (request) =>
            refuse
              ? Promise.resolve({ outcome: 'unknown', text: 'timeout' })
              : ports.fleet.launch(request),
        },
      }),
    })
    await herd.pool('general', POOL)
    await herd.workload('web', WEB)
    await herd.run(65)
    refuse = false
    await herd.run(200)
    expect(await running(herd, 'web')).toBe(3)
    expect(herd.living()).toHaveLength(1)
  })

  it('remembers a shortage and buys elsewhere', async () => {
    const herd = makeHerd()
    for (const zone of ['us-east-1a', 'us-east-1b', 'us-east-1c']) {
      const place = { instanceType: 'm7a.large', zone, capacityType: 'spot' } as const
      herd.world.setOffering({ ...place, capacity: 0 })
    }
    await herd.pool('general', { instances: { types: ['m7a.large', 'm7a.xlarge'] } })
    await herd.workload('web', WEB)
    await herd.run(30)
    expect(await running(herd, 'web')).toBe(3)
    expect((await herd.store.query('shortage')).items.length).toBeGreaterThan(0)
  })

  it('takes a silent node for lost only when its neighbours are heard of', async () => {
    const herd = makeHerd()
    await herd.pool('general', POOL)
    await herd.workload('web', {
      ...WEB,
      placement: { antiAffinity: 'node', zones: ['us-east-1a'] },
    })
    await herd.run(25)
    const mute = herd.living()[0]?.instanceId ?? ''
    herd.mute.add(mute)
    await herd.run(80)
    expect(await running(herd, 'web')).toBe(3)
    await herd.run(60)
    expect(await running(herd, 'web')).toBe(3)
    expect(herd.living().map((own) => own.instanceId)).not.toContain(mute)
  })

  it('loses nobody when all fall silent at once', async () => {
    const herd = makeHerd()
    await herd.pool('general', POOL)
    await herd.workload('web', { ...WEB, placement: { antiAffinity: 'node' } })
    await herd.run(25)
    const before = herd.living().map((own) => own.instanceId)
    for (const id of before) herd.mute.add(id)
    await herd.run(300)
    expect(herd.living().map((own) => own.instanceId)).toEqual(before)
  })

  it('sweeps an instance that nobody claims, and only after two looks', async () => {
    const herd = makeHerd()
    await herd.pool('general', POOL)
    await herd.run(5)
    await herd.ports.fleet.launch({
      token: 'stray',
      capacityType: 'on-demand',
      count: 1,
      overrides: [
        {
          instanceType: 'm7a.large',
          zone: 'us-east-1a',
          launchTemplateId: 'lt-1',
          launchTemplateVersion: '1',
        },
      ],
      tags: { 'drover:launch': '0-9/1', 'drover:table': 'test', 'drover:pool': 'general' },
    })
    await herd.run(240)
    expect(herd.living()).toHaveLength(1)
    await herd.run(200)
    expect(herd.living()).toHaveLength(0)
  })

  it('stops when another pass has begun', async () => {
    const herd = makeHerd({
      wrap: (ports) => ({
        ...ports,
        fleet: {
          ...ports.fleet,
          launch: async (request) => {
            await ports.store.update(keys.pass(), { epoch: 999 })
            return ports.fleet.launch(request)
          },
        },
      }),
    })
    await herd.pool('general', POOL)
    await herd.workload('web', WEB)
    expect(await herd.pass()).toEqual({ outcome: 'overtaken' })
    const phases = (await herd.nodes()).map((node) => node.phase)
    expect(phases).toEqual(['launching'])
  })

  it('acknowledges a wake that a good pass has seen already', async () => {
    const herd = makeHerd()
    await herd.run(5)
    const old = { sentAtMs: herd.now() - 2_000 }
    expect(await reconcile(herd.ports, settings, old)).toEqual({ outcome: 'acknowledged' })
    const fresh = { sentAtMs: herd.now() - 500 }
    expect(await reconcile(herd.ports, settings, fresh)).toMatchObject({ outcome: 'done' })
  })

  it('goes on with the others when one item is broken', async () => {
    const herd = makeHerd()
    await herd.pool('general', POOL)
    await herd.workload('web', WEB)
    await herd.store.write({
      kind: 'put',
      item: { ...keys.spec('workload', 'bad'), kind: 'spec', noun: 'workload', name: 'bad' },
    })
    await herd.run(20)
    expect(await running(herd, 'web')).toBe(3)
  })

  it('gives a team back what others borrow, and tells of it', async () => {
    const herd = makeHerd()
    const one = { resources: { cpu: 1, memory: '1Gi' } }
    await herd.pool('general', { instances: { types: ['m7a.xlarge'] }, limits: { cpu: 4 } })
    await herd.team('search', { quota: { cpu: 2 } })
    await herd.team('batch', { quota: { cpu: 1 } })
    await herd.workload('crawl', { replicas: 3, team: 'batch', preemptible: true, ...one })
    await herd.run(80)
    expect(await herd.status('crawl')).toMatchObject({ desired: 3, ready: 3 })
    const amounts = { cpuMilli: 2000, memoryMib: 2048, gpuMilli: 0 }
    expect(await herd.store.get(keys.status('team', 'batch'))).toMatchObject({
      borrowed: { cpuMilli: 2000 },
    })
    await herd.workload('index', { replicas: 2, team: 'search', ...one })
    await herd.run(5)
    expect(await herd.store.get(keys.status('team', 'search'))).toMatchObject({ short: amounts })
    expect(await running(herd, 'crawl')).toBe(3)
    await herd.run(10)
    expect(await herd.status('index')).toMatchObject({ ready: 2 })
    expect(await herd.status('crawl')).toMatchObject({ allowed: 1, ready: 1 })
    const before = (await herd.status('crawl'))?.reclaims
    expect(before).toMatchObject([{ dimension: 'cpuMilli', count: 1 }])
    await herd.remove('workload', 'index')
    await herd.run(40)
    expect(await running(herd, 'crawl')).toBe(1)
    await herd.run(30)
    expect(await running(herd, 'crawl')).toBe(3)
    await herd.remove('team', 'search')
    await herd.run(2)
    expect(await herd.store.get(keys.status('team', 'search'))).toBeUndefined()
  })

  it('rolls to a new version within its bounds', async () => {
    const herd = makeHerd()
    await herd.pool('general', POOL)
    await herd.workload('web', { ...WEB, replicas: 4 })
    await herd.run(25)
    await herd.workload('web', { ...WEB, replicas: 4, env: { RELEASE: '2' } })
    for (let i = 0; i < 60; i += 1) {
      await herd.run(1)
      expect(await running(herd, 'web')).toBeGreaterThanOrEqual(3)
    }
    expect(await herd.status('web')).toMatchObject({ ready: 4, updated: 4, assigned: 4 })
  })

  it('empties a node on order, replacement first, and ends it', async () => {
    const herd = makeHerd()
    await herd.pool('general', POOL)
    await herd.workload('web', WEB)
    await herd.run(25)
    const [node] = await herd.nodes()
    await herd.store.write({
      kind: 'put',
      item: {
        ...keys.order('node', String(node?.name)),
        kind: 'order',
        target: 'node',
        name: node?.name,
        verb: 'drain',
        force: false,
        deadlineSeconds: 900,
        atMs: herd.now(),
      },
    })
    for (let i = 0; i < 60; i += 1) {
      await herd.run(1)
      expect(await running(herd, 'web')).toBeGreaterThanOrEqual(3)
    }
    expect((await herd.nodes()).map((own) => own.name)).not.toContain(node?.name)
  })

  it('brings up more machines in one launch than one transaction could record', async () => {
    const herd = makeHerd()
    await herd.pool('general', {
      instances: { types: ['m7a.large'] },
      capacityTypes: ['on-demand'],
    })
    await herd.workload('web', { replicas: 40, resources: { cpu: '1500m' } })
    await herd.run(30)
    expect(await running(herd, 'web')).toBe(40)
    expect(herd.living()).toHaveLength(40)
  })

  it('takes an answer that tells of a machine and of a shortage at the same place', async () => {
    const herd = makeHerd({
      wrap: (ports) => ({
        ...ports,
        fleet: {
          ...ports.fleet,
          launch: async (request) => {
            const outcome = await ports.fleet.launch(request)
            if (outcome.outcome !== 'answered') return outcome
            const errors = outcome.instances.map(({ instanceType, zone }) => ({
              instanceType,
              zone,
              code: 'InsufficientInstanceCapacity',
              text: '',
            }))
            return { ...outcome, errors }
          },
        },
      }),
    })
    for (const zone of ['us-east-1a', 'us-east-1b', 'us-east-1c']) {
      const place = { instanceType: 'm7a.large', zone, capacityType: 'spot' as const }
      const rest = { code: '', text: '', failures: 1, sinceMs: 1, untilMs: 2 }
      const item = { ...keys.shortage(place), kind: 'shortage', ...place, ...rest }
      await herd.store.write({ kind: 'put', item })
    }
    await herd.pool('general', { instances: { types: ['m7a.large'] } })
    await herd.workload('web', WEB)
    await herd.run(20)
    expect(await running(herd, 'web')).toBe(3)
  })

  it('does not take a refused replay for the answer that was lost', async () => {
    let calls = 0
    const herd = makeHerd({
      wrap: (ports) => ({
        ...ports,
        fleet: {
          ...ports.fleet,
          launch: async (request) => {
            calls += 1
            if (calls > 1) {
              const code = 'InvalidLaunchTemplateId.NotFound'
              return { outcome: 'refused', code, text: '', retryable: false }
            }
            await ports.fleet.launch(request)
            throw new FleetError({ text: 'the connection broke' })
          },
        },
      }),
    })
    await herd.pool('general', POOL)
    await herd.workload('web', WEB)
    await herd.run(80)
    expect(await running(herd, 'web')).toBe(3)
    expect(herd.living()).toHaveLength(1)
  })

  it('waits for the rest of a launch that EC2 lists only in part', async () => {
    let partial = true
    const herd = makeHerd({
      wrap: (ports) => ({
        ...ports,
        fleet: {
          ...ports.fleet,
          launch: async (request) => {
            await ports.fleet.launch(request)
            return { outcome: 'unknown', text: 'timeout' }
          },
          list: async (tableUid) => {
            const all = await ports.fleet.list(tableUid)
            return partial ? all.slice(0, 1) : all
          },
        },
      }),
    })
    await herd.pool('general', { instances: { types: ['m7a.large'] } })
    await herd.workload('web', { replicas: 3, resources: { cpu: '1500m' } })
    await herd.run(80)
    expect(await running(herd, 'web')).toBe(1)
    partial = false
    await herd.run(60)
    expect(await running(herd, 'web')).toBe(3)
    expect(herd.living()).toHaveLength(3)
  })

  it('leaves the rest to the next pass when its time is up', async () => {
    const herd = makeHerd({
      wrap: (ports) => {
        let skew = 0
        return {
          ...ports,
          clock: { ...ports.clock, now: () => ports.clock.now() + skew },
          store: {
            ...ports.store,
            scan: async () => {
              const items = await ports.store.scan()
              skew += 25_000
              return items
            },
          },
        }
      },
    })
    await herd.pool('general', POOL)
    await herd.workload('web', WEB)
    await herd.pass()
    expect(await herd.nodes()).toEqual([])
    expect(herd.living()).toEqual([])
  })
})
