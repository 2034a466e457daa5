/** A bad image, from the burn-ins that fail to the machines that are bought, and not bought. */
import { expect, it } from 'vitest'
import { brakeSchema } from '#shared/model/facts.ts'
import { keys } from '#shared/store/keys.ts'
import { makeHerd, type Herd } from './herd-kit.ts'

const POOL = { instances: { families: ['m7a', 'c7a', 'r7a'], maxVcpu: 2 } }

/** From now on what boots fails, if its image is that one. */
function failing(herd: Herd, imageId: string): void {
  for (const own of herd.world.instances()) {
    if (own.imageId === imageId) herd.checks.set(own.instanceId, 'FAIL')
  }
}

async function runWithBad(herd: Herd, imageId: string, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i += 1) {
    failing(herd, imageId)
    await herd.run(1)
  }
}

async function told(herd: Herd): Promise<readonly string[]> {
  const { items } = await herd.ports.history.query('event#2026-11-22')
  return items.map((own) => String(own['reason'])).filter((own) => own.startsWith('Brake'))
}

it('is bought one machine at a time, and does not hold the one that mends it', async () => {
  const herd = makeHerd()
  await herd.pool('general', { ...POOL, launch: { ami: 'ami-bad' } })
  await herd.workload('web', { replicas: 6, resources: { cpu: '1500m' } })
  let trials = 0
  for (let i = 0; i < 40; i += 1) {
    await runWithBad(herd, 'ami-bad', 1)
    const brake = brakeSchema.safeParse(await herd.store.get(keys.brake('general'))).data
    const { imageId, trippedAtMs = Infinity } = brake?.makes?.[0] ?? {}
    if (brake?.makes !== undefined) expect(imageId).toBe('ami-bad')
    const since = (await herd.nodes()).filter((own) => own.createdAtMs >= trippedAtMs)
    expect(since.filter((own) => own.phase !== 'quarantined').length).toBeLessThanOrEqual(1)
    trials = since.length
  }
  expect(trials).toBeGreaterThan(2)
  expect(await told(herd)).toEqual(['BrakeTripped'])

  await herd.pool('general', { ...POOL, launch: { ami: 'ami-good' } })
  await herd.run(30)
  expect(await herd.status('web')).toMatchObject({ ready: 6 })
  const good = (await herd.nodes()).filter((own) => own.machine?.imageId === 'ami-good')
  expect(good).toHaveLength(6)
})

it('is known by its launch template where the pool names none', async () => {
  const herd = makeHerd()
  await herd.pool('general', { instances: { ...POOL.instances, architectures: ['amd64'] } })
  await herd.workload('web', { replicas: 5, resources: { cpu: '1500m' } })
  await runWithBad(herd, herd.world.instances()[0]?.imageId ?? 'ami-0d20e6d20e6d20e60', 12)
  const brake = brakeSchema.parse(await herd.store.get(keys.brake('general')))
  expect(brake.makes).toMatchObject([
    { imageId: expect.stringMatching(/^lt-.*\/\d+$/), trippedAtMs: expect.any(Number) },
  ])
  await herd.run(40)
  expect(await herd.status('web')).toMatchObject({ ready: 5 })
  expect(await told(herd)).toEqual(['BrakeTripped', 'BrakeEnded'])
})
