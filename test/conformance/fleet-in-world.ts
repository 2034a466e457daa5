/**
 * What every fleet must do, seen from both ends: through the port, and by the levers of the
 * emulated EC2 behind it. Run for the memory fleet, and for the AWS adapter over the wire.
 *
 * Each test gets a fleet and the world behind it, whatever stands between the two.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { Fleet } from '#shared/cloud/fleet.ts'
import type { Ec2Options } from '#shared/cloud/memory-ec2/types.ts'
import {
  aRequest,
  overridesOf,
  testOfferings,
  ZONES,
  type TestWorld,
} from '#test/cloud/world-kit.ts'
import { answered, fleetConformance, UNKNOWN_ID } from './fleet.ts'

export type FleetInWorld = TestWorld & { readonly fleet: Fleet; close(): Promise<void> }

export type OpenFleetInWorld = (options?: Partial<Ec2Options>) => Promise<FleetInWorld>

/** The plain suite, then the one with levers. */
export function fleetInWorldConformance(name: string, open: OpenFleetInWorld): void {
  fleetConformance(name, async () => {
    const own = await open()
    const imageId = 'ami-0feedc0de0feedc0d'
    return { ...own, overridesOf, imageId, subnetOf: () => 'subnet-1', nowMs: own.clock }
  })

  describe(`fleet in a world: ${name}`, () => {
    const opened: FleetInWorld[] = []
    const start: OpenFleetInWorld = async (options) => {
      const own = await open(options)
      opened.push(own)
      return own
    }
    const launched = async (own: FleetInWorld, count: number): Promise<string[]> => {
      const { instances } = answered(await own.fleet.launch(aRequest({ count })))
      return instances.map(({ instanceId }) => instanceId)
    }
    afterEach(async () => {
      for (const own of opened.splice(0)) await own.close()
    })

    describe('launching', () => {
      it('tells the moment of the launch', async () => {
        const own = await start()
        await launched(own, 1)
        const launchedAtMs = own.clock()
        own.pass(10_000)
        expect(await own.fleet.list('table-1')).toMatchObject([{ launchedAtMs }])
      })

      it('gives what there is, and says of each place what it lacked', async () => {
        const { fleet } = await start({ offerings: testOfferings(1) })
        const request = aRequest({ count: 5, overrides: overridesOf(['m7a.large'], ZONES) })
        const { instances, errors } = answered(await fleet.launch(request))
        expect(instances.map(({ zone }) => zone).toSorted()).toEqual(ZONES)
        expect(errors.map(({ zone }) => zone).toSorted()).toEqual(ZONES)
        expect(errors[0]).toMatchObject({
          instanceType: 'm7a.large',
          code: 'InsufficientInstanceCapacity',
        })
        expect(errors[0]?.text).not.toBe('')
      })

      it('answers with errors alone when nothing can be had', async () => {
        const { fleet } = await start({ offerings: testOfferings(0) })
        const { instances, errors } = answered(await fleet.launch(aRequest()))
        expect(instances).toEqual([])
        expect(errors).toHaveLength(3)
      })

      it('reads the empty replay of a burnt token as unknown', async () => {
        const { fleet, world } = await start({ offerings: testOfferings(0) })
        const request = aRequest()
        answered(await fleet.launch(request))
        for (const place of world.offerings()) world.setOffering({ ...place, capacity: 5 })
        expect(await fleet.launch(request)).toMatchObject({ outcome: 'unknown' })
        expect(world.instances()).toEqual([])
      })

      it('is refused, and may ask again, when throttled', async () => {
        const { fleet, world } = await start()
        world.setFaults({ throttleRate: 1 })
        const request = aRequest()
        expect(await fleet.launch(request)).toMatchObject({
          outcome: 'refused',
          code: 'RequestLimitExceeded',
          retryable: true,
        })
        expect(world.instances()).toEqual([])
        world.setFaults({ throttleRate: 0 })
        expect(answered(await fleet.launch(request)).instances).toHaveLength(1)
      })

      it('is unknown when the answer is lost, and known again by its token', async () => {
        const own = await start()
        own.world.setFaults({ loseResponsesRate: 1 })
        const request = aRequest({ count: 2 })
        expect(await own.fleet.launch(request)).toMatchObject({ outcome: 'unknown' })
        own.world.setFaults({ loseResponsesRate: 0 })
        const { instances } = answered(await own.fleet.launch(request))
        own.pass(10_000)
        const listed = await own.fleet.list('table-1')
        expect(listed.map((one) => one.instanceId).toSorted()).toEqual(
          instances.map((one) => one.instanceId).toSorted(),
        )
      })
    })

    describe('ending', () => {
      it('shows an instance on its way out', async () => {
        const own = await start()
        const ids = await launched(own, 2)
        own.pass(10_000)
        await own.fleet.terminate(ids)
        const states = (await own.fleet.describe(ids)).map(({ state }) => state)
        expect(states).toEqual(['shutting-down', 'shutting-down'])
      })

      it('says what was not done', async () => {
        const own = await start()
        const ids = await launched(own, 1)
        own.world.setFaults({ throttleRate: 1 })
        const outcome = await own.fleet.terminate(ids)
        expect(outcome).toMatchObject({ terminating: [], failed: [{ instanceId: ids[0] }] })
        expect(outcome.failed[0]?.text).toContain('RequestLimitExceeded')
      })

      it('asks for nothing when given nothing', async () => {
        const { fleet, world } = await start()
        world.setFaults({ throttleRate: 1 })
        const nothing = { terminating: [], notFound: [], failed: [] }
        expect(await fleet.terminate([])).toEqual(nothing)
        expect(await fleet.describe([])).toEqual([])
        expect(await fleet.impaired([])).toEqual([])
      })

      it('takes a node down to reboot it, and brings it up again', async () => {
        const own = await start()
        const [id = ''] = await launched(own, 1)
        own.pass(10_000)
        await own.fleet.reboot([id])
        expect(own.world.instance(id)).toMatchObject({ up: false, state: 'running' })
        own.pass(10_000)
        expect(own.world.instance(id)).toMatchObject({ up: true, bootNumber: 2 })
      })
    })

    describe('looking', () => {
      it('does not show an instance before its time', async () => {
        const own = await start({ listDelayMs: 2_000 })
        const ids = await launched(own, 1)
        expect(await own.fleet.list('table-1')).toEqual([])
        expect((await own.fleet.terminate(ids)).notFound).toEqual(ids)
        own.pass(2_000)
        expect(await own.fleet.list('table-1')).toHaveLength(1)
      })

      it('throws when a list is not whole', async () => {
        const own = await start()
        await launched(own, 1)
        own.world.setFaults({ throttleRate: 1 })
        await expect(own.fleet.list('table-1')).rejects.toThrow('FleetFailed')
        await expect(own.fleet.describe([UNKNOWN_ID])).rejects.toThrow('FleetFailed')
        await expect(own.fleet.impaired([UNKNOWN_ID])).rejects.toThrow('FleetFailed')
      })

      it('names the impaired among those asked for', async () => {
        const own = await start()
        const [sick = '', well = ''] = await launched(own, 2)
        own.pass(10_000)
        own.world.impair(sick)
        expect(await own.fleet.impaired([UNKNOWN_ID, well, sick])).toEqual([sick])
        own.world.impair(sick, false)
        expect(await own.fleet.impaired([well, sick])).toEqual([])
      })
    })
  })
}
