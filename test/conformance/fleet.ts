/**
 * What every fleet must do: the memory fleet, and the AWS adapter over the wire.
 *
 * Each test gets a fleet and the world behind it, whatever stands between the two.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { Fleet, LaunchOutcome } from '#shared/cloud/fleet.ts'
import type { MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import type { Ec2Options } from '#shared/cloud/memory-ec2/types.ts'
import { aRequest, overridesOf, testOfferings, ZONES } from '#test/cloud/world-kit.ts'

export type FleetUnderTest = {
  readonly fleet: Fleet
  readonly world: MemoryEc2
  pass(ms: number): void
  close(): Promise<void>
}

export type OpenFleet = (options?: Partial<Ec2Options>) => Promise<FleetUnderTest>

const UNKNOWN_ID = 'i-0123456789abcdef0'

function answered(outcome: LaunchOutcome): Extract<LaunchOutcome, { outcome: 'answered' }> {
  if (outcome.outcome !== 'answered') throw new Error(JSON.stringify(outcome))
  return outcome
}

export function fleetConformance(name: string, open: OpenFleet): void {
  describe(`fleet: ${name}`, () => {
    const opened: FleetUnderTest[] = []
    const start: OpenFleet = async (options) => {
      const own = await open(options)
      opened.push(own)
      return own
    }
    const launched = async (own: FleetUnderTest, count: number): Promise<string[]> => {
      const { instances } = answered(await own.fleet.launch(aRequest({ count })))
      return instances.map(({ instanceId }) => instanceId)
    }
    afterEach(async () => {
      for (const own of opened.splice(0)) await own.close()
    })

    describe('launching', () => {
      it('answers with instances of the types and zones asked for', async () => {
        const { fleet, pass } = await start()
        const { instances, errors } = answered(await fleet.launch(aRequest({ count: 3 })))
        expect(errors).toEqual([])
        expect(instances).toHaveLength(3)
        for (const { instanceId, instanceType, zone } of instances) {
          expect(instanceId).toMatch(/^i-[0-9a-f]{17}$/)
          expect(instanceType).toBe('m7a.large')
          expect(ZONES).toContain(zone)
        }
        pass(10_000)
        const listed = await fleet.list('table-1')
        expect(listed.map((own) => own.instanceId).toSorted()).toEqual(
          instances.map((own) => own.instanceId).toSorted(),
        )
      })

      it('lists what it launched with tags, image, price class and ARN', async () => {
        const { fleet, pass } = await start()
        const overrides = overridesOf(['c7a.large']).map((own) => ({
          ...own,
          imageId: 'ami-0feedc0de0feedc0d',
          subnetId: 'subnet-1',
        }))
        const tags = { 'drover:table': 'table-2', 'drover:launch': '7-1/1', odd: `<&"' ü>` }
        const request = aRequest({ capacityType: 'on-demand', overrides, tags })
        const [one] = answered(await fleet.launch(request)).instances
        pass(10_000)
        const [listed, ...more] = await fleet.list('table-2')
        expect(more).toEqual([])
        expect(listed).toMatchObject({
          instanceId: one?.instanceId,
          arn: `arn:aws:ec2:us-east-1:123456789012:instance/${one?.instanceId ?? ''}`,
          instanceType: 'c7a.large',
          zone: 'us-east-1a',
          capacityType: 'on-demand',
          state: 'running',
          launchedAtMs: Date.parse('2026-11-22T10:00:00Z'),
          imageId: 'ami-0feedc0de0feedc0d',
          tags,
        })
        expect(await fleet.list('table-1')).toEqual([])
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

      it('names a type that a zone does not sell', async () => {
        const { fleet } = await start()
        const overrides = overridesOf(['x9z.large'])
        const { errors } = answered(await fleet.launch(aRequest({ overrides })))
        expect(errors).toMatchObject([{ instanceType: 'x9z.large', code: 'Unsupported' }])
      })

      it('launches once for one token', async () => {
        const own = await start()
        const request = aRequest({ count: 2 })
        const first = answered(await own.fleet.launch(request))
        expect(answered(await own.fleet.launch(request))).toEqual(first)
        own.pass(10_000)
        expect(await own.fleet.list('table-1')).toHaveLength(2)
      })

      it('does not know what became of a token used for something else', async () => {
        const { fleet } = await start()
        const request = aRequest()
        answered(await fleet.launch(request))
        const outcome = await fleet.launch({ ...request, count: 2 })
        expect(outcome).toMatchObject({ outcome: 'unknown' })
        expect(JSON.stringify(outcome)).toContain('IdempotentParameterMismatch')
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
      it('terminates, and again without complaint', async () => {
        const own = await start()
        const ids = await launched(own, 3)
        own.pass(10_000)
        const outcome = await own.fleet.terminate(ids)
        expect(outcome).toEqual({ terminating: ids, notFound: [], failed: [] })
        const states = (await own.fleet.describe(ids)).map(({ state }) => state)
        expect(states).toEqual(['shutting-down', 'shutting-down', 'shutting-down'])
        expect((await own.fleet.terminate(ids)).terminating).toEqual(ids)
        own.pass(5_000)
        expect((await own.fleet.describe(ids)).map(({ state }) => state)).toEqual(
          ids.map(() => 'terminated'),
        )
      })

      it('splits off ids that EC2 does not know', async () => {
        const own = await start()
        const ids = await launched(own, 4)
        own.pass(10_000)
        const mixed = [...ids.slice(0, 2), UNKNOWN_ID, ...ids.slice(2), 'i-00000000000000000']
        const outcome = await own.fleet.terminate(mixed)
        expect(outcome.terminating.toSorted()).toEqual(ids.toSorted())
        expect(outcome.notFound.toSorted()).toEqual(['i-00000000000000000', UNKNOWN_ID])
        expect(outcome.failed).toEqual([])
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

      it('reboots in place', async () => {
        const own = await start()
        const ids = await launched(own, 2)
        own.pass(10_000)
        const outcome = await own.fleet.reboot([...ids, UNKNOWN_ID])
        expect(outcome.terminating.toSorted()).toEqual(ids.toSorted())
        expect(outcome.notFound).toEqual([UNKNOWN_ID])
        expect(own.world.instance(ids[0] ?? '')).toMatchObject({ up: false, state: 'running' })
        own.pass(10_000)
        expect(own.world.instance(ids[0] ?? '')).toMatchObject({ up: true, bootNumber: 2 })
      })
    })

    describe('looking', () => {
      it('turns every page', async () => {
        const own = await start()
        for (let call = 0; call < 3; call++) await launched(own, 7)
        own.pass(10_000)
        const listed = await own.fleet.list('table-1')
        expect(new Set(listed.map(({ instanceId }) => instanceId)).size).toBe(21)
      })

      it('does not show an instance before its time', async () => {
        const own = await start({ listDelayMs: 2_000 })
        const ids = await launched(own, 1)
        expect(await own.fleet.list('table-1')).toEqual([])
        expect((await own.fleet.terminate(ids)).notFound).toEqual(ids)
        own.pass(2_000)
        expect(await own.fleet.list('table-1')).toHaveLength(1)
      })

      it('describes those it knows and is silent about the rest', async () => {
        const own = await start()
        const ids = await launched(own, 2)
        const found = await own.fleet.describe([UNKNOWN_ID, ...ids])
        expect(found.map(({ instanceId }) => instanceId).toSorted()).toEqual(ids.toSorted())
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
