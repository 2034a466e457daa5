/**
 * What every fleet must do that can be seen through the port alone: whatever cloud stands behind
 * it, AWS's own included. What takes a hand on the cloud itself (its capacity, its faults, its
 * clock) stands in fleet-in-world.ts.
 */
import { afterEach, describe, expect } from 'vitest'
import type { Fleet, LaunchOutcome } from '#shared/cloud/fleet.ts'
import type { LaunchRequest } from '#shared/model/launch.ts'
import { aRequest, ZONES } from '#test/cloud/world-kit.ts'
import { itMinding, type KnownDifference } from './known-differences.ts'

export type Overrides = LaunchRequest['overrides']

export type FleetUnderTest = {
  readonly fleet: Fleet
  /** What to launch, by a template that this cloud has. */
  overridesOf(types: readonly string[], zones?: readonly string[]): Overrides
  /** An image and a subnet that this cloud has. */
  readonly imageId: string
  subnetOf(zone: string): string
  nowMs(): number
  /** Lets the cloud go on by so much; nothing to do where it does all things at once. */
  pass(ms: number): void
  close(): Promise<void>
}

type OpenFleet = () => Promise<FleetUnderTest>

export const UNKNOWN_ID = 'i-0123456789abcdef0'
/** A type that exists, though not in the zones of the tests. */
const UNSOLD_TYPE = 'hpc7a.12xlarge'

export function answered(outcome: LaunchOutcome): Extract<LaunchOutcome, { outcome: 'answered' }> {
  if (outcome.outcome !== 'answered') throw new Error(JSON.stringify(outcome))
  return outcome
}

let tables = 0

/** Every test keeps a herd of its own, so one account serves them all. */
export function fleetConformance(
  name: string,
  open: OpenFleet,
  known: readonly KnownDifference[] = [],
): void {
  describe(`fleet: ${name}`, () => {
    const it = itMinding(known)
    const opened: FleetUnderTest[] = []
    afterEach(async () => {
      for (const own of opened.splice(0)) await own.close()
    })

    /** A fleet, a request of one table's, and what that table's herd is. */
    const start = async () => {
      const own = await open()
      opened.push(own)
      tables += 1
      const table = `table-of-${String(tables)}`
      const requestFor = (change: Partial<LaunchRequest> = {}): LaunchRequest => {
        const overrides = own.overridesOf(['m7a.large'], ZONES)
        const tags = { 'drover:launch': '1-1/1', 'drover:table': table, 'drover:pool': 'general' }
        return aRequest({ overrides, tags, ...change })
      }
      const launched = async (count: number): Promise<string[]> => {
        const { instances } = answered(await own.fleet.launch(requestFor({ count })))
        return instances.map(({ instanceId }) => instanceId)
      }
      return { ...own, table, requestFor, launched }
    }

    describe('launching', () => {
      it('answers with instances of the types and zones asked for', async () => {
        const { fleet, pass, table, requestFor } = await start()
        const { instances, errors } = answered(await fleet.launch(requestFor({ count: 3 })))
        expect(errors).toEqual([])
        expect(instances).toHaveLength(3)
        for (const { instanceId, instanceType, zone } of instances) {
          expect(instanceId).toMatch(/^i-[0-9a-f]{17}$/)
          expect(instanceType).toBe('m7a.large')
          expect(ZONES).toContain(zone)
        }
        pass(10_000)
        const listed = (await fleet.list(table)).map((own) => ({
          instanceId: own.instanceId,
          instanceType: own.instanceType,
          zone: own.zone,
          capacityType: own.capacityType,
        }))
        expect(listed).toHaveLength(3)
        for (const own of instances) expect(listed).toContainEqual({ ...own, capacityType: 'spot' })
      })

      it('lists what it launched with tags, image, price class and ARN', async () => {
        const { fleet, overridesOf, imageId, subnetOf, nowMs, pass, table, requestFor } =
          await start()
        const overrides = overridesOf(['c7a.large']).map((own) => {
          return { ...own, imageId, subnetId: subnetOf(own.zone) }
        })
        const tags = { 'drover:table': table, 'drover:launch': '7-1/1', odd: `<&"' ü>` }
        const request = requestFor({ capacityType: 'on-demand', overrides, tags })
        // EC2 tells launch times in whole seconds.
        const earliestMs = Math.floor(nowMs() / 1_000) * 1_000
        const [one] = answered(await fleet.launch(request)).instances
        const latestMs = nowMs()
        pass(10_000)
        const [listed, ...more] = await fleet.list(table)
        expect(more).toEqual([])
        expect(listed).toMatchObject({
          instanceId: one?.instanceId,
          arn: `arn:aws:ec2:us-east-1:123456789012:instance/${one?.instanceId ?? ''}`,
          instanceType: 'c7a.large',
          zone: 'us-east-1a',
          capacityType: 'on-demand',
          state: 'running',
          imageId,
        })
        expect(listed?.launchedAtMs).toBeGreaterThanOrEqual(earliestMs)
        expect(listed?.launchedAtMs).toBeLessThanOrEqual(latestMs)
        expect(listed?.tags).toMatchObject(tags)
        expect(await fleet.list(`${table}-other`)).toEqual([])
      })

      it('names a type that a zone does not sell', async () => {
        const { fleet, overridesOf, requestFor } = await start()
        const overrides = overridesOf([UNSOLD_TYPE])
        const { errors } = answered(await fleet.launch(requestFor({ overrides })))
        expect(errors).toMatchObject([{ instanceType: UNSOLD_TYPE, code: 'Unsupported' }])
      })

      it('launches once for one token', async () => {
        const { fleet, pass, table, requestFor } = await start()
        const request = requestFor({ count: 2 })
        const first = answered(await fleet.launch(request))
        expect(answered(await fleet.launch(request))).toEqual(first)
        pass(10_000)
        expect(await fleet.list(table)).toHaveLength(2)
      })

      it('does not know what became of a token used for something else', async () => {
        const { fleet, requestFor } = await start()
        const request = requestFor()
        answered(await fleet.launch(request))
        const outcome = await fleet.launch({ ...request, count: 2 })
        expect(outcome).toMatchObject({ outcome: 'unknown' })
        expect(JSON.stringify(outcome)).toContain('IdempotentParameterMismatch')
      })
    })

    describe('ending', () => {
      it('terminates, and again without complaint', async () => {
        const { fleet, pass, launched } = await start()
        const ids = await launched(3)
        pass(10_000)
        const outcome = await fleet.terminate(ids)
        expect(outcome).toEqual({ terminating: ids, notFound: [], failed: [] })
        expect((await fleet.terminate(ids)).terminating).toEqual(ids)
        pass(5_000)
        expect((await fleet.describe(ids)).map(({ state }) => state)).toEqual(
          ids.map(() => 'terminated'),
        )
      })

      it('splits off ids that EC2 does not know', async () => {
        const { fleet, pass, launched } = await start()
        const ids = await launched(4)
        pass(10_000)
        const mixed = [...ids.slice(0, 2), UNKNOWN_ID, ...ids.slice(2), 'i-00000000000000000']
        const outcome = await fleet.terminate(mixed)
        expect(outcome.terminating.toSorted()).toEqual(ids.toSorted())
        expect(outcome.notFound.toSorted()).toEqual(['i-00000000000000000', UNKNOWN_ID])
        expect(outcome.failed).toEqual([])
      })

      it('reboots in place', async () => {
        const { fleet, pass, launched } = await start()
        const ids = await launched(2)
        pass(10_000)
        const outcome = await fleet.reboot([...ids, UNKNOWN_ID])
        expect(outcome.terminating.toSorted()).toEqual(ids.toSorted())
        expect(outcome.notFound).toEqual([UNKNOWN_ID])
        expect(outcome.failed).toEqual([])
        const states = (await fleet.describe(ids)).map(({ state }) => state)
        expect(states).toEqual(['running', 'running'])
      })
    })

    describe('looking', () => {
      it('turns every page', async () => {
        const { fleet, pass, table, launched } = await start()
        for (let call = 0; call < 3; call++) await launched(7)
        pass(10_000)
        const listed = await fleet.list(table)
        expect(new Set(listed.map(({ instanceId }) => instanceId)).size).toBe(21)
      })

      it('describes those it knows and is silent about the rest', async () => {
        const { fleet, launched } = await start()
        const ids = await launched(2)
        const found = await fleet.describe([UNKNOWN_ID, ...ids])
        expect(found.map(({ instanceId }) => instanceId).toSorted()).toEqual(ids.toSorted())
      })

      it('calls nobody impaired who is well, gone or unknown', async () => {
        const { fleet, pass, launched } = await start()
        const [well = '', gone = ''] = await launched(2)
        pass(10_000)
        await fleet.terminate([gone])
        expect(await fleet.impaired([UNKNOWN_ID, well, gone])).toEqual([])
      })
    })
  })
}
