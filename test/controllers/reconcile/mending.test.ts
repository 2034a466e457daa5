/** Machines that fail their burn-in: set aside, mended, or replaced. */
import { describe, expect, it } from 'vitest'
import { makeHerd, type Herd } from './herd-kit.ts'

const POOL = { instances: { families: ['m7a', 'c7a'], maxVcpu: 8 } }
const WEB = { replicas: 3, resources: { cpu: '500m', memory: '1Gi' } }

const ready = async (herd: Herd): Promise<number> => (await herd.status('web'))?.ready ?? 0

describe('reconcile, of a machine that fails its burn-in,', () => {
  it('quarantines a machine that fails its burn-in, and buys another', async () => {
    const herd = makeHerd()
    await herd.pool('general', { ...POOL, burnIn: { quarantineSeconds: 30 } })
    await herd.workload('web', WEB)
    await herd.run(1)
    const bad = herd.living()[0]?.instanceId ?? ''
    herd.checks.set(bad, 'FAIL')
    await herd.run(25)
    expect(await ready(herd)).toBe(3)
    const phases = (await herd.nodes()).map((node) => node.phase)
    expect(phases.sort()).toEqual(['quarantined', 'ready'])
    await herd.run(60)
    expect(herd.living().map((own) => own.instanceId)).not.toContain(bad)
  })

  it('reboots one that its pool wants mended, once, and admits it when it is well', async () => {
    const herd = makeHerd()
    await herd.pool('general', { ...POOL, burnIn: { onFailure: 'reboot' } })
    await herd.workload('web', WEB)
    await herd.run(1)
    const bad = herd.living()[0]?.instanceId ?? ''
    herd.checks.set(bad, 'FAIL')
    await herd.run(12)
    const rebooting = (await herd.nodes()).find((node) => node.machine?.instanceId === bad)
    expect(rebooting?.burnIn).toMatchObject({ attempt: 2, mended: ['again', 'reboot'] })
    herd.checks.delete(bad)
    await herd.run(10)
    const mended = (await herd.nodes()).find((node) => node.machine?.instanceId === bad)
    expect(mended).toMatchObject({ phase: 'ready', burnIn: { attempt: 3, verdict: 'PASS' } })
    expect(herd.world.instance(bad)?.bootNumber).toBe(2)
    expect(await ready(herd)).toBe(3)
  })

  it('asks again for a reboot that EC2 refused, and gives up who never comes back', async () => {
    const reboots: string[] = []
    const herd = makeHerd({
      wrap: (ports) => ({
        ...ports,
        fleet: {
          ...ports.fleet,
          reboot: (ids) => {
            reboots.push(...ids)
            return Promise.reject(new Error('EC2 is not there'))
          },
        },
      }),
    })
    await herd.pool('general', { ...POOL, burnIn: { onFailure: 'reboot', quarantineSeconds: 0 } })
    await herd.workload('web', WEB)
    await herd.run(1)
    const bad = herd.living()[0]?.instanceId ?? ''
    herd.checks.set(bad, 'FAIL')
    await herd.run(320)
    expect(reboots).toEqual([bad, bad])
    await herd.run(320)
    expect(herd.living().map((own) => own.instanceId)).not.toContain(bad)
    expect(await ready(herd)).toBe(3)
  })
})
