/** The wire's own manners, and instance metadata. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startEc2Server, type Ec2Server } from '#local/ec2/server.ts'
import { overridesOf, testWorld, type TestWorld } from '#test/cloud/world-kit.ts'

let server: Ec2Server
let own: TestWorld

beforeEach(async () => {
  own = testWorld()
  server = await startEc2Server({ world: own.world, clock: own.clock })
})
afterEach(() => server.close())

function launch(): string {
  const answer = own.world.createFleet({
    capacityType: 'spot',
    strategy: 'price-capacity-optimized',
    count: 1,
    overrides: overridesOf(['g5.xlarge']),
    tags: {},
  })
  if (answer.answer !== 'done') throw new Error(answer.answer)
  return answer.value.instances[0]?.instanceId ?? ''
}

async function post(parameters: Record<string, string>): Promise<{ status: number; text: string }> {
  const response = await fetch(server.url, {
    method: 'POST',
    body: new URLSearchParams({ Version: '2016-11-15', ...parameters }),
  })
  return { status: response.status, text: await response.text() }
}

describe('the Query protocol', () => {
  it('answers errors as EC2 does', async () => {
    const { status, text } = await post({
      Action: 'TerminateInstances',
      'InstanceId.1': 'i-12345678',
    })
    expect(status).toBe(400)
    const message = 'The instance ID &apos;i-12345678&apos; does not exist'
    const error = `<Code>InvalidInstanceID.NotFound</Code><Message>${message}</Message>`
    expect(text).toContain(`<Response><Errors><Error>${error}</Error></Errors><RequestID>`)
  })

  it('answers throttling with 503', async () => {
    own.world.setFaults({ throttleRate: 1 })
    const { status, text } = await post({ Action: 'DescribeInstances' })
    expect([status, text.includes('<Code>RequestLimitExceeded</Code>')]).toEqual([503, true])
  })

  it('does the work and closes the socket when the answer is lost', async () => {
    const id = launch()
    own.world.setFaults({ loseResponsesRate: 1 })
    await expect(post({ Action: 'TerminateInstances', 'InstanceId.1': id })).rejects.toThrow()
    expect(own.world.instance(id)?.state).toBe('shutting-down')
  })

  it('refuses actions, parameters and filters that it does not emulate', async () => {
    const codeOf = async (parameters: Record<string, string>): Promise<string | undefined> =>
      /<Code>(.*?)<\/Code>/.exec((await post(parameters)).text)?.[1]
    expect(await codeOf({ Action: 'StopInstances' })).toBe('InvalidAction')
    expect(await codeOf({ Action: 'DescribeInstances', 'Filters.1.Name': 'x' })).toBe(
      'UnknownParameter',
    )
    const filter = { 'Filter.1.Name': 'hypervisor', 'Filter.1.Value.1': 'nitro' }
    expect(await codeOf({ Action: 'DescribeInstanceTypes', ...filter })).toBe(
      'InvalidParameterValue',
    )
    expect(await codeOf({ Action: 'CreateFleet', Type: 'maintain' })).toBe('InvalidParameterValue')
  })

  it('refuses a price list request it cannot read', async () => {
    const headers = { 'x-amz-target': 'AWSPriceListService.GetProducts' }
    const response = await fetch(server.url, { method: 'POST', headers, body: '{' })
    expect(response.status).toBe(400)
  })

  it('refuses what is too large by hanging up', async () => {
    const body = 'x'.repeat(1_500_000)
    await expect(fetch(server.url, { method: 'POST', body })).rejects.toThrow()
  })
})

describe('instance metadata', () => {
  const ttl = 'x-aws-ec2-metadata-token-ttl-seconds'
  const tokenFor = async (id: string, seconds = '60'): Promise<string> => {
    const url = `${server.metadataUrl(id)}/latest/api/token`
    const response = await fetch(url, { method: 'PUT', headers: { [ttl]: seconds } })
    if (!response.ok) throw new Error(String(response.status))
    return await response.text()
  }
  const get = async (id: string, path: string, token = ''): Promise<[number, string]> => {
    const headers = { 'x-aws-ec2-metadata-token': token }
    const response = await fetch(`${server.metadataUrl(id)}/latest${path}`, { headers })
    return [response.status, await response.text()]
  }
  const running = (): string => {
    const id = launch()
    own.pass(10_000)
    return id
  }

  it('tells an instance who it is', async () => {
    const id = running()
    const token = await tokenFor(id)
    const value = async (path: string): Promise<string> => (await get(id, path, token))[1]
    const document: unknown = JSON.parse(await value('/dynamic/instance-identity/document'))
    expect(document).toMatchObject({
      accountId: '123456789012',
      architecture: 'x86_64',
      availabilityZone: 'us-east-1a',
      instanceId: id,
      instanceType: 'g5.xlarge',
      pendingTime: '2026-11-22T10:00:00Z',
      region: 'us-east-1',
      version: '2017-09-30',
    })
    expect(await value('/meta-data/instance-id')).toBe(id)
    expect(await value('/meta-data/instance-type')).toBe('g5.xlarge')
    expect(await value('/meta-data/placement/availability-zone')).toBe('us-east-1a')
    expect((await get(id, '/meta-data/nothing', token))[0]).toBe(404)
  })

  it('says nothing without a token, with another instance’s, or with an old one', async () => {
    const [id, other] = [launch(), launch()]
    own.pass(10_000)
    const path = '/meta-data/instance-id'
    expect((await get(id, path))[0]).toBe(401)
    expect((await get(id, path, await tokenFor(other)))[0]).toBe(401)
    const token = await tokenFor(id, '5')
    expect((await get(id, path, token))[0]).toBe(200)
    own.pass(5_000)
    expect((await get(id, path, token))[0]).toBe(401)
    await expect(tokenFor(id, '0')).rejects.toThrow('400')
    await expect(tokenFor(id, '21601')).rejects.toThrow('400')
  })

  it('has a notice when there is one', async () => {
    const id = running()
    const token = await tokenFor(id, '21600')
    const action = '/meta-data/spot/instance-action'
    const rebalance = '/meta-data/events/recommendations/rebalance'
    expect((await get(id, action, token))[0]).toBe(404)
    expect((await get(id, rebalance, token))[0]).toBe(404)
    own.world.rebalance(id)
    own.world.interrupt(id)
    expect(await get(id, action, token)).toEqual([
      200,
      '{"action":"terminate","time":"2026-11-22T10:02:10Z"}',
    ])
    expect(await get(id, rebalance, token)).toEqual([200, '{"noticeTime":"2026-11-22T10:00:10Z"}'])
  })

  it('is not there for a machine that is not up', async () => {
    const id = launch()
    await expect(tokenFor(id)).rejects.toThrow('404')
    own.pass(10_000)
    const token = await tokenFor(id)
    own.world.kill(id)
    expect((await get(id, '/meta-data/instance-id', token))[0]).toBe(404)
    await expect(tokenFor('i-0')).rejects.toThrow('404')
  })
})
