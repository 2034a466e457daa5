/** The emulated EC2 itself: what no fleet port shows. */
import { describe, expect, it } from 'vitest'
import { isoSeconds } from '#shared/cloud/memory-ec2/events.ts'
import type {
  Ec2Answer,
  Ec2Event,
  Ec2Instance,
  Ec2Options,
  FleetRequest,
} from '#shared/cloud/memory-ec2/types.ts'
import { makeMemoryPrices } from '#shared/cloud/memory-prices.ts'
import { parseEc2Event } from '#shared/protocol/ec2-events.ts'
import {
  overridesOf,
  START_MS,
  testOfferings,
  testWorld,
  ZONES,
  type TestWorld,
} from './world-kit.ts'

function request(change: Partial<FleetRequest> = {}): FleetRequest {
  const capacityType = change.capacityType ?? 'spot'
  return {
    capacityType,
    strategy: capacityType === 'spot' ? 'price-capacity-optimized' : 'lowest-price',
    count: 1,
    overrides: overridesOf(['m7a.large'], ZONES),
    tags: { 'drover:table': 'table-1' },
    ...change,
  }
}

function done<T>(answer: Ec2Answer<T>): T {
  if (answer.answer !== 'done') throw new Error(JSON.stringify(answer))
  return answer.value
}

function launch({ world }: TestWorld, change: Partial<FleetRequest> = {}): string[] {
  return done(world.createFleet(request(change))).instances.map(({ instanceId }) => instanceId)
}

const zonesOf = ({ world }: TestWorld, ids: readonly string[]): string[] =>
  ids.map((id) => world.instance(id)?.zone ?? '')

describe('allocation', () => {
  it('gives on-demand in the order of price, and fills a place before the next', () => {
    const own = testWorld({ offerings: testOfferings(2) })
    own.world.setOffering({
      instanceType: 'm7a.large',
      zone: 'us-east-1b',
      capacityType: 'on-demand',
      priceUsdPerHour: 0.1,
    })
    const answer = done(own.world.createFleet(request({ capacityType: 'on-demand', count: 3 })))
    const zones = answer.instances.map(({ override }) => override.zone)
    expect(zones).toEqual(['us-east-1b', 'us-east-1b', 'us-east-1a'])
    expect(answer.errors.map(({ override }) => override.zone)).toEqual(['us-east-1b'])
  })

  it('gives spot where it is cheap among the places that are deep', () => {
    const own = testWorld()
    // The cheapest zone is nearly sold out: deep ones come first.
    own.world.setOffering({
      instanceType: 'm7a.large',
      zone: 'us-east-1a',
      capacityType: 'spot',
      capacity: 2,
    })
    expect(zonesOf(own, launch(own, { count: 4 }))).toEqual(Array(4).fill('us-east-1b'))
  })

  it('spreads spot as places drain, and takes the last slot before it says no', () => {
    const own = testWorld({ offerings: testOfferings(4) })
    const answer = done(own.world.createFleet(request({ count: 13 })))
    expect(answer.instances).toHaveLength(12)
    expect(answer.errors).toHaveLength(3)
    expect(own.world.capacityLeft({ ...testOfferings()[1]! })).toBe(0)
  })

  it('gives a slot back once its instance is terminated', () => {
    const own = testWorld({ offerings: testOfferings(1) })
    const overrides = overridesOf(['m7a.large'])
    const [id = ''] = launch(own, { overrides })
    expect(launch(own, { overrides })).toEqual([])
    done(own.world.terminateInstances([id]))
    expect(launch(own, { overrides })).toEqual([])
    own.pass(2_000)
    expect(launch(own, { overrides })).toHaveLength(1)
  })

  it('ends nothing when capacity falls below what runs', () => {
    const own = testWorld()
    const ids = launch(own, { count: 3 })
    const place = { instanceType: 'm7a.large', zone: 'us-east-1a', capacityType: 'spot' } as const
    own.world.setOffering({ ...place, capacity: 0 })
    own.pass(60_000)
    expect(ids.map((id) => own.world.instance(id)?.state)).toEqual(Array(3).fill('running'))
    expect(launch(own, { overrides: overridesOf(['m7a.large']) })).toEqual([])
  })

  it('knows quotas, by ways to buy', () => {
    const own = testWorld({ quotaVcpu: { spot: 4, onDemand: 2 } })
    const spot = done(own.world.createFleet(request({ count: 3 })))
    expect(spot.instances).toHaveLength(2)
    expect(spot.errors.map(({ code }) => code)).toContain('MaxSpotInstanceCountExceeded')
    const onDemand = request({ count: 2, capacityType: 'on-demand' })
    expect(done(own.world.createFleet(onDemand)).errors[0]?.code).toBe('VcpuLimitExceeded')
  })

  it('refuses what EC2 refuses', () => {
    const { world } = testWorld()
    const codeOf = (change: Partial<FleetRequest>): string => {
      const answer = world.createFleet(request(change))
      return answer.answer === 'refused' ? answer.code : answer.answer
    }
    expect(codeOf({ count: 0 })).toBe('InvalidParameterValue')
    expect(codeOf({ overrides: [] })).toBe('MissingParameter')
    expect(codeOf({ strategy: 'diversified' })).toBe('InvalidParameterCombination')
    expect(codeOf({ token: 'x'.repeat(65) })).toBe('InvalidParameterValue')
  })
})

describe('client tokens', () => {
  it('remember for a day, and then mean a new launch', () => {
    const own = testWorld()
    const [first] = launch(own, { token: 't' })
    own.pass(23 * 3_600_000)
    expect(launch(own, { token: 't' })).toEqual([first])
    own.pass(2 * 3_600_000)
    expect(launch(own, { token: 't' })).not.toEqual([first])
  })

  it('do not care in which order a request is written', () => {
    const own = testWorld()
    const tags = { a: '1', b: '2' }
    const [first] = launch(own, { token: 't', tags })
    expect(launch(own, { token: 't', tags: { b: '2', a: '1' } })).toEqual([first])
  })

  it('are not used up by a call that was refused or throttled', () => {
    const own = testWorld()
    own.world.setFaults({ throttleRate: 1 })
    expect(own.world.createFleet(request({ token: 't' })).answer).toBe('refused')
    own.world.setFaults({ throttleRate: 0 })
    expect(launch(own, { token: 't', count: 2 })).toHaveLength(2)
  })
})

describe('life', () => {
  const told = (): { seen: string[]; own: TestWorld; events: Ec2Event[] } => {
    const seen: string[] = []
    const events: Ec2Event[] = []
    const own = testWorld(
      {},
      {
        onStart: ({ bootNumber }) => seen.push(`start ${String(bootNumber)}`),
        onEnd: ({ state }) => seen.push(`end ${state}`),
        onEvent: (event) => {
          events.push(event)
          seen.push(event.detail['state'] ?? event['detail-type'])
        },
        onChange: () => seen.push('·'),
      },
    )
    return { seen, own, events }
  }

  it('goes from pending to forgotten', () => {
    const own = testWorld()
    const [id = ''] = launch(own)
    const state = (): string | undefined => own.world.instance(id)?.state
    expect([state(), own.world.instance(id)?.up]).toEqual(['pending', false])
    own.pass(10_000)
    expect([state(), own.world.instance(id)?.up]).toEqual(['running', true])
    done(own.world.terminateInstances([id]))
    expect([state(), own.world.instance(id)?.up]).toEqual(['shutting-down', false])
    own.pass(2_000)
    expect(state()).toBe('terminated')
    own.pass(3_600_000)
    expect(state()).toBeUndefined()
    expect(own.world.nextDueMs()).toBeUndefined()
  })

  it('journals before it tells, and tells in order', () => {
    const { seen, own } = told()
    const [id = ''] = launch(own)
    own.pass(10_000)
    own.world.kill(id)
    expect(seen).toEqual([
      ...['·', 'pending'],
      ...['·', 'running', 'start 1'],
      ...['·', 'end terminated', 'shutting-down', 'terminated'],
    ])
  })

  it('gives spot two minutes, by event and in its own state, and then ends it', () => {
    const { own, events } = told()
    const [id = ''] = launch(own)
    own.pass(10_000)
    expect(own.world.interrupt(id)).toEqual({ done: true })
    expect(events.at(-1)).toEqual({
      version: '0',
      id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      'detail-type': 'EC2 Spot Instance Interruption Warning',
      source: 'aws.ec2',
      account: '123456789012',
      time: isoSeconds(START_MS + 10_000),
      region: 'us-east-1',
      resources: [`arn:aws:ec2:us-east-1a:instance/${id}`],
      detail: { 'instance-id': id, 'instance-action': 'terminate' },
    })
    own.pass(119_999)
    expect(own.world.instance(id)?.state).toBe('running')
    own.pass(1)
    expect(own.world.instance(id)?.state).toBe('shutting-down')
    expect(events.at(-1)?.detail).toEqual({ 'instance-id': id, state: 'shutting-down' })
    expect(events.at(-1)?.resources).toEqual([`arn:aws:ec2:us-east-1:123456789012:instance/${id}`])
  })

  it('never moves a deadline back', () => {
    const own = testWorld()
    const [id = ''] = launch(own)
    own.world.interrupt(id, 30)
    own.world.interrupt(id, 300)
    own.pass(30_000)
    expect(own.world.instance(id)?.state).toBe('shutting-down')
  })

  it('tells in words that drover understands', () => {
    const { own, events } = told()
    const [id = ''] = launch(own)
    own.world.rebalance(id)
    own.world.interrupt(id, 1)
    own.pass(3_000)
    const facts = events.flatMap((event) => {
      const parsed = parseEc2Event(JSON.parse(JSON.stringify(event)))
      return parsed.kind === 'notices' ? parsed.notices : []
    })
    expect(new Set(facts.map(({ instanceId }) => instanceId))).toEqual(new Set([id]))
    expect(facts.map(({ fact }) => fact.sort)).toEqual([
      ...['state', 'rebalance', 'interruption'],
      ...['state', 'state'],
    ])
  })

  it('recommends rebalancing and ends nothing', () => {
    const { own, events } = told()
    const [id = ''] = launch(own)
    expect(own.world.rebalance(id)).toEqual({ done: true })
    expect(events.at(-1)).toMatchObject({
      'detail-type': 'EC2 Instance Rebalance Recommendation',
      detail: { 'instance-id': id },
    })
    own.pass(3_600_000)
    expect(own.world.instance(id)?.state).toBe('running')
  })

  it('says why a lever cannot be pulled', () => {
    const own = testWorld()
    const [id = ''] = launch(own, { capacityType: 'on-demand' })
    expect(own.world.interrupt(id)).toMatchObject({ done: false, code: 'WrongState' })
    expect(own.world.kill('i-0')).toMatchObject({ done: false, code: 'NotFound' })
    own.world.kill(id)
    expect(own.world.kill(id)).toMatchObject({ done: false, code: 'WrongState' })
    const place = { instanceType: 'x1.big', zone: 'us-east-1a', capacityType: 'spot' } as const
    expect(own.world.setOffering({ ...place, capacity: 3 })).toMatchObject({ code: 'NotFound' })
  })

  it('has instances that never boot', () => {
    const { seen, own } = told()
    own.world.setFaults({ neverBootsRate: 1 })
    const [id = ''] = launch(own)
    own.pass(3_600_000)
    expect(own.world.instance(id)).toMatchObject({ state: 'running', up: false })
    expect(seen).not.toContain('start 1')
    const page = done(own.world.describeInstanceStatus({ instanceIds: [id] }))
    expect(page.items.map(({ status }) => status)).toEqual(['initializing'])
  })

  it('takes spot back by itself, at the rate asked for', () => {
    const own = testWorld({
      offerings: testOfferings(1_000),
      faults: {
        throttleRate: 0,
        loseResponsesRate: 0,
        neverBootsRate: 0,
        spotInterruptionsPerHour: 1,
        secondHand: true,
      },
    })
    const ids = launch(own, { count: 300 })
    own.pass(3_600_000)
    const gone = ids.filter((id) => own.world.instance(id)?.interruption !== undefined).length
    // 1 − 1/e of them, about 190, within five standard deviations.
    expect(gone).toBeGreaterThan(148)
    expect(gone).toBeLessThan(232)
  })

  it('fails the whole call for one id it does not know', () => {
    const own = testWorld()
    const [id = ''] = launch(own)
    const answer = own.world.terminateInstances([id, 'i-0123456789abcdef0'])
    expect(answer).toMatchObject({ code: 'InvalidInstanceID.NotFound' })
    expect(own.world.instance(id)?.state).toBe('pending')
    const malformed = own.world.terminateInstances([id, 'x'])
    expect(malformed).toMatchObject({ code: 'InvalidInstanceID.Malformed' })
  })
})

describe('throttling', () => {
  it('lets a burst through, then what is refilled', () => {
    const own = testWorld({ offerings: testOfferings(1_000) })
    const call = (): string => own.world.createFleet(request()).answer
    const burst = Array.from({ length: 60 }, call)
    expect(burst.filter((answer) => answer === 'done')).toHaveLength(50)
    own.pass(1_000)
    expect(Array.from({ length: 6 }, call).filter((answer) => answer === 'done')).toHaveLength(5)
  })

  it('counts the instances of a termination too', () => {
    const own = testWorld({
      buckets: {
        ...testWorld().world.options.buckets,
        terminatedInstances: { size: 3, refillPerSecond: 1 },
      },
    })
    const ids = launch(own, { count: 4 })
    expect(own.world.terminateInstances(ids)).toMatchObject({
      code: 'RequestLimitExceeded',
      httpStatus: 503,
    })
    expect(own.world.terminateInstances(ids.slice(1)).answer).toBe('done')
  })
})

describe('prices', () => {
  const place = { instanceType: 'm7a.large', zone: 'us-east-1a', capacityType: 'spot' } as const
  const walk = { spread: 0.2, stepMs: 3_600_000 }

  it('walk by the hour, within reach of the middle and never above on-demand', () => {
    const own = testWorld({ priceWalk: walk })
    const seen: number[] = []
    for (let hour = 0; hour < 500; hour++) {
      seen.push(own.world.priceUsdPerHour(place) ?? 0)
      own.pass(3_600_000)
    }
    expect(new Set(seen).size).toBeGreaterThan(100)
    expect(Math.max(...seen)).toBeLessThanOrEqual(0.116)
    const mean = seen.reduce((a, b) => a + b) / seen.length
    expect(Math.abs(mean / 0.0464 - 1)).toBeLessThan(0.15)
  })

  it('stand still where they were set by hand', () => {
    const own = testWorld({ priceWalk: walk })
    own.world.setOffering({ ...place, priceUsdPerHour: 0.05 })
    own.pass(36_000_000)
    expect(own.world.priceUsdPerHour(place)).toBe(0.05)
  })

  it('are told as a history, newest first', () => {
    const own = testWorld({ priceWalk: walk })
    own.pass(7_200_000)
    const query = { startMs: START_MS, instanceTypes: ['m7a.large'] }
    const page = done(own.world.describeSpotPriceHistory(query))
    const here = page.items.filter(({ zone }) => zone === 'us-east-1a')
    expect(here.map(({ atMs }) => atMs)).toEqual([
      START_MS + 7_200_000,
      START_MS + 3_600_000,
      START_MS,
    ])
    expect(here[0]?.priceUsdPerHour).toBe(own.world.priceUsdPerHour(place))
  })

  it('are what the prices port tells', async () => {
    const { world } = testWorld()
    const prices = makeMemoryPrices(world)
    const zones = await prices.zones()
    expect(zones.map(({ zone }) => zone)).toEqual(ZONES)
    expect(zones[0]?.prices['m7a.large']).toEqual({ onDemand: 0.116, spot: 0.0464 })
    expect((await prices.instanceTypes()).map(({ name }) => name)).toContain('g5.xlarge')
  })
})

/** A busy day, told as text. */
function story(options: Partial<Ec2Options>, settleEveryMs: number): string[] {
  const lines: string[] = []
  const own = testWorld(options, { onEvent: (event) => lines.push(JSON.stringify(event)) })
  const alive: string[] = []
  for (let round = 0; round < 12; round++) {
    const answer = own.world.createFleet(request({ token: `t${String(round)}`, count: 2 }))
    lines.push(JSON.stringify(answer))
    if (answer.answer === 'done') alive.push(...answer.value.instances.map((one) => one.instanceId))
    for (let ms = 0; ms < 600_000; ms += settleEveryMs) own.pass(settleEveryMs)
    const [id] = alive.splice(0, 1)
    if (id !== undefined) lines.push(JSON.stringify(own.world.interrupt(id, 60)))
  }
  return lines
}

describe('determinism', () => {
  const faults = {
    throttleRate: 0.1,
    loseResponsesRate: 0.1,
    neverBootsRate: 0.1,
    spotInterruptionsPerHour: 1,
    secondHand: true,
  }

  it('tells the same story for the same seed, and another for another', () => {
    const first = story({ seed: 42, faults }, 1_000)
    expect(story({ seed: 42, faults }, 1_000)).toEqual(first)
    expect(story({ seed: 43, faults }, 1_000)).not.toEqual(first)
  })

  it('does not depend on how often anybody looks', () => {
    expect(story({ seed: 42, faults }, 600_000)).toEqual(story({ seed: 42, faults }, 500))
  })

  it('goes on from a dump as if nothing had happened', () => {
    const own = testWorld({ seed: 9, faults })
    for (let call = 0; call < 5; call++)
      own.world.createFleet(request({ token: `t${String(call)}` }))
    own.pass(30_000)
    own.world.setOffering({ ...testOfferings()[1]!, capacity: 1 })
    const dump = own.world.dump()
    expect(JSON.parse(JSON.stringify(dump))).toEqual(dump)
    const other = testWorld({ seed: 1 })
    other.pass(30_000)
    other.world.restore(JSON.parse(JSON.stringify(dump)))
    const rest = (one: TestWorld): unknown[] => {
      const answers: unknown[] = [one.world.nextDueMs()]
      for (let call = 3; call < 9; call++) {
        answers.push(one.world.createFleet(request({ token: `t${String(call)}` })))
        one.pass(60_000)
      }
      return [...answers, one.world.dump()]
    }
    expect(rest(other)).toEqual(rest(own))
  })

  it('hands out a dump that later life does not touch', () => {
    const own = testWorld()
    launch(own)
    const dump = own.world.dump()
    own.pass(60_000)
    expect(dump.instances.map(({ state }: Ec2Instance) => state)).toEqual(['pending'])
  })
})

describe('describing', () => {
  it('refuses filters and page tokens it does not know', () => {
    const { world } = testWorld()
    const filters = [{ name: 'tag-kye', values: ['x'] }]
    expect(world.describeInstances({ filters })).toMatchObject({ code: 'InvalidParameterValue' })
    expect(world.describeInstances({ nextToken: 'x' })).toMatchObject({ code: 'InvalidNextToken' })
    const both = { instanceIds: ['i-0123456789abcdef0'], maxResults: 5 }
    expect(world.describeInstances(both)).toMatchObject({ code: 'InvalidParameterCombination' })
  })

  it('filters by state', () => {
    const own = testWorld()
    const [first = ''] = launch(own, { count: 2 })
    own.pass(10_000)
    own.world.kill(first)
    const filters = [{ name: 'instance-state-name', values: ['running', 'pending'] }]
    expect(done(own.world.describeInstances({ filters })).items).toHaveLength(1)
  })
})
