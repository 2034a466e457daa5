/** The adapter's error paths, and what exactly it sends. */
import {
  DeregisterTargetsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  ElasticLoadBalancingV2ServiceException,
  RegisterTargetsCommand,
  type RegisterTargetsCommandInput,
  type TargetHealthDescription,
} from '@aws-sdk/client-elastic-load-balancing-v2'
import { mockClient } from 'aws-sdk-client-mock'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { makeElbv2Balancer } from '#shared/cloud/aws/elbv2-balancer.ts'
import { BalancerError } from '#shared/cloud/balancer-error.ts'
import type { Target } from '#shared/model/service.ts'
import { LIMITS } from '#shared/model/limits.ts'

const ARN = 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef'
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }

const targetsOf = (count: number): Target[] =>
  Array.from({ length: count }, (_, i) => ({ instanceId: `i-${String(i)}`, port: 8080 }))

async function failureOf(call: Promise<unknown>): Promise<BalancerError> {
  const failure = await call.catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(BalancerError)
  return failure as BalancerError
}

describe('with a mocked client', () => {
  const elb = mockClient(ElasticLoadBalancingV2Client)
  const balancer = makeElbv2Balancer({ region: 'eu-west-1', credentials })
  afterEach(() => {
    elb.reset()
  })
  afterAll(() => {
    elb.restore()
  })

  const serviceError = (
    name: string,
    httpStatusCode: number,
  ): ElasticLoadBalancingV2ServiceException =>
    new ElasticLoadBalancingV2ServiceException({
      ...{ name, message: 'no', $metadata: { httpStatusCode } },
      $fault: httpStatusCode < 500 ? 'client' : 'server',
    })

  it.each([
    ['TargetGroupNotFoundException', 400, 'TargetGroupNotFound'],
    ['TargetGroupNotFound', 400, 'TargetGroupNotFound'],
    ['ThrottlingException', 400, 'Throttled'],
    ['Throttling', 400, 'Throttled'],
    ['RequestLimitExceeded', 503, 'Throttled'],
    ['TooManyTargetsException', 400, 'TooManyTargets'],
    ['TooManyRegistrationsForTargetIdException', 400, 'TooManyTargets'],
    ['ServiceUnavailable', 503, 'Unreachable'],
    ['ValidationError', 400, 'BalancerFailed'],
    ['AccessDenied', 403, 'BalancerFailed'],
  ])('tells %s (%i) as %s, whichever call it befalls', async (name, status, code) => {
    elb.rejects(serviceError(name, status))
    for (const call of [
      () => balancer.health(ARN),
      () => balancer.register(ARN, targetsOf(1)),
      () => balancer.deregister(ARN, targetsOf(1)),
    ]) {
      const failure = await failureOf(call())
      expect(failure.code).toBe(code)
      expect(failure.seen).toBe(ARN)
      expect(failure.message).toContain(name)
      expect(failure.next).not.toBe('')
    }
  })

  it('tells a broken connection as unreachable', async () => {
    elb.rejects(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
    expect((await failureOf(balancer.health(ARN))).code).toBe('Unreachable')
  })

  it('sends nothing for no targets', async () => {
    await balancer.register(ARN, [])
    await balancer.deregister(ARN, [])
    expect(elb.calls()).toEqual([])
  })

  it('sends each target with its port, in batches', async () => {
    elb.resolves({})
    const targets = targetsOf(LIMITS.targetsPerCall + 1)
    await balancer.register(ARN, targets)
    await balancer.deregister(ARN, targets)
    const sent = [
      ...elb.commandCalls(RegisterTargetsCommand),
      ...elb.commandCalls(DeregisterTargetsCommand),
    ].map(({ args: [{ input }] }) => input)
    expect(sent.map(({ Targets }) => Targets?.length)).toEqual([100, 1, 100, 1])
    expect(sent[1]).toEqual({ TargetGroupArn: ARN, Targets: [{ Id: 'i-100', Port: 8080 }] })
  })

  /** Refuses whole every call that names one of these. */
  const refuseWith = (bad: readonly string[]) => (input: RegisterTargetsCommandInput) => {
    const refused = input.Targets?.some(({ Id = '' }) => bad.includes(Id)) ?? false
    if (refused) throw serviceError('InvalidTargetException', 400)
    return {}
  }

  it('gets the others registered when some are refused, and names those', async () => {
    elb.on(RegisterTargetsCommand).callsFake(refuseWith(['i-3', 'i-40']))
    const failure = await failureOf(balancer.register(ARN, targetsOf(50)))
    expect(failure.code).toBe('InvalidTarget')
    expect(failure.targets.map(({ instanceId }) => instanceId)).toEqual(['i-3', 'i-40'])
    const calls = elb.commandCalls(RegisterTargetsCommand)
    const registered = await Promise.all(
      calls.map(async ({ args: [{ input }], returnValue }) => {
        const isTaken = await Promise.resolve(returnValue as unknown).then(
          () => true,
          () => false,
        )
        return isTaken ? (input.Targets ?? []).map(({ Id }) => Id) : []
      }),
    )
    expect(registered.flat()).toHaveLength(48)
  })

  it('takes what cannot be deregistered for gone', async () => {
    elb.on(DeregisterTargetsCommand).callsFake(refuseWith(['i-3']))
    await balancer.deregister(ARN, targetsOf(8))
  })

  it('goes on with the next batch when one is refused for another reason', async () => {
    const seen: number[] = []
    elb.on(RegisterTargetsCommand).callsFake((input: RegisterTargetsCommandInput) => {
      seen.push(input.Targets?.length ?? 0)
      if (seen.length === 1) throw serviceError('Throttling', 400)
      return {}
    })
    const failure = await failureOf(balancer.register(ARN, targetsOf(150)))
    expect(failure.code).toBe('Throttled')
    expect(seen).toEqual([100, 50])
  })

  it('reads every state, those that are newer than it included', async () => {
    const one = (State: string, Reason?: string): TargetHealthDescription =>
      ({
        Target: { Id: 'i-1', Port: 80 },
        TargetHealth: { State, ...(Reason === undefined ? {} : { Reason }) },
      }) as TargetHealthDescription
    elb.on(DescribeTargetHealthCommand).resolves({
      TargetHealthDescriptions: [
        one('healthy'),
        one('draining', 'Target.DeregistrationInProgress'),
        one('unhealthy.draining', 'Target.HealthCheckDisabled'),
        one('resting'),
        { Target: { Id: 'arn:aws:lambda:eu-west-1:1:function:f' } },
      ],
    })
    const target = { instanceId: 'i-1', port: 80 }
    expect(await balancer.health(ARN)).toEqual([
      { ...target, state: 'healthy' },
      { ...target, state: 'draining', reason: 'Target.DeregistrationInProgress' },
      { ...target, state: 'unhealthy', reason: 'Target.HealthCheckDisabled' },
      { ...target, state: 'unavailable', reason: 'resting' },
    ])
  })
})

describe('on the wire', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })

  async function serve(
    answer: (response: ServerResponse, count: number) => void,
    callTimeoutMs = 1_000,
  ) {
    let count = 0
    const server = createServer((request, response) => {
      count += 1
      request.resume()
      answer(response, count)
    })
    servers.push(server)
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const { port } = server.address() as AddressInfo
    const endpoint = `http://127.0.0.1:${String(port)}`
    const options = { region: 'eu-west-1', endpoint, credentials, callTimeoutMs }
    return { balancer: makeElbv2Balancer(options), count: () => count }
  }

  const problem = (response: ServerResponse, status: number, code: string): void => {
    response.writeHead(status, { 'content-type': 'text/xml' })
    response.end(`<ErrorResponse><Error><Code>${code}</Code></Error></ErrorResponse>`)
  }
  const EMPTY =
    '<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions/>' +
    '</DescribeTargetHealthResult></DescribeTargetHealthResponse>'

  it('tries again what was throttled', async () => {
    const { balancer, count } = await serve((response, n) => {
      if (n < 2) problem(response, 400, 'Throttling')
      else response.writeHead(200, { 'content-type': 'text/xml' }).end(EMPTY)
    }, 10_000)
    expect(await balancer.health(ARN)).toEqual([])
    expect(count()).toBe(2)
  })

  it('reads the code of a group that does not exist, and does not ask again', async () => {
    const { balancer, count } = await serve((response) => {
      problem(response, 400, 'TargetGroupNotFound')
    })
    expect((await failureOf(balancer.register(ARN, targetsOf(1)))).code).toBe('TargetGroupNotFound')
    expect(count()).toBe(1)
  })

  it('gives up on what does not answer, in the time of one call', async () => {
    const { balancer } = await serve(() => undefined)
    const startMs = performance.now()
    expect((await failureOf(balancer.health(ARN))).code).toBe('Unreachable')
    const tookMs = performance.now() - startMs
    expect(tookMs).toBeGreaterThan(900)
    expect(tookMs).toBeLessThan(3_000)
  })

  it('tells an answer that cannot be read as unreachable', async () => {
    const { balancer } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/xml' }).end('<Describe')
    })
    expect((await failureOf(balancer.health(ARN))).code).toBe('Unreachable')
  })
})
