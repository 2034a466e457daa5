import { describe, expect, it } from 'vitest'
import { BalancerError } from '#shared/cloud/balancer-error.ts'
import { targetKey, type Target } from '#shared/model/service.ts'
import {
  makeMemoryBalancer,
  type BalancerFault,
  type MemoryBalancer,
  type MemoryBalancerOptions,
} from '#shared/cloud/memory-balancer.ts'
import { makeVirtualClock, type VirtualClock } from '#shared/cloud/virtual-clock.ts'
import { describeBalancer, type BalancerHarness } from '../conformance/balancer.ts'

const ARN = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/0123456789abcdef'
const CHECKS_MS = 10_000
const REQUESTS_MS = 5_000

type World = { clock: VirtualClock; balancer: MemoryBalancer }

function makeWorld(options: Partial<MemoryBalancerOptions> = {}): World {
  const clock = makeVirtualClock(1_000_000)
  const balancer = makeMemoryBalancer({
    ...{ clock, targetGroups: [ARN], checksMs: CHECKS_MS, openRequestsMs: REQUESTS_MS },
    ...options,
  })
  return { clock, balancer }
}

describeBalancer('memory', () => {
  const ill = new Set<string>()
  const { clock, balancer } = makeWorld({
    isRunning: (instanceId) => instanceId !== 'i-ended',
    isHealthy: (target) => !ill.has(targetKey(target)),
  })
  const harness: BalancerHarness = {
    balancer,
    targetGroupArn: ARN,
    unknownArn: ARN.replace('web', 'none'),
    targets: (count) =>
      Promise.resolve(
        Array.from({ length: count }, (_, i) => ({ instanceId: `i-${String(i)}`, port: 8080 })),
      ),
    beside: ({ instanceId }) => Promise.resolve({ instanceId, port: 8081 }),
    ended: () => Promise.resolve({ instanceId: 'i-ended', port: 8080 }),
    fail: (target) => {
      ill.add(targetKey(target))
      return Promise.resolve()
    },
    check: () => clock.advance(CHECKS_MS),
    drain: () => clock.advance(REQUESTS_MS),
    close: () => Promise.resolve(),
  }
  return Promise.resolve(harness)
})

describe('the memory balancer', () => {
  const target: Target = { instanceId: 'i-1', port: 8080 }
  const failing = async (call: Promise<unknown>): Promise<string> => {
    const failure = await call.catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(BalancerError)
    return (failure as BalancerError).code
  }

  it('cuts open requests off after the deregistration delay', async () => {
    const { clock, balancer } = makeWorld({ openRequestsMs: 60_000, deregistrationDelayMs: 30_000 })
    await balancer.register(ARN, [target])
    await balancer.deregister(ARN, [target])
    await clock.advance(29_999)
    expect(await balancer.health(ARN)).toEqual([
      { ...target, state: 'draining', reason: 'Target.DeregistrationInProgress' },
    ])
    await clock.advance(1)
    expect(await balancer.health(ARN)).toEqual([])
  })

  it('counts from the first of several deregistrations', async () => {
    const { clock, balancer } = makeWorld()
    await balancer.register(ARN, [target])
    await balancer.deregister(ARN, [target])
    await clock.advance(REQUESTS_MS - 1)
    await balancer.deregister(ARN, [target])
    await clock.advance(1)
    expect(await balancer.health(ARN)).toEqual([])
  })

  it('calls a target unused whose instance has ended', async () => {
    const running = new Set(['i-1'])
    const { clock, balancer } = makeWorld({ isRunning: (id) => running.has(id) })
    await balancer.register(ARN, [target])
    await clock.advance(CHECKS_MS)
    running.clear()
    expect(await balancer.health(ARN)).toMatchObject([{ state: 'unused' }])
  })

  it('does nothing of a call that is refused, and all of one whose answer is lost', async () => {
    let fault: BalancerFault | undefined
    const { balancer } = makeWorld({ fault: () => fault })
    fault = 'throttled'
    expect(await failing(balancer.register(ARN, [target]))).toBe('Throttled')
    fault = 'unreachable'
    expect(await failing(balancer.register(ARN, [target]))).toBe('Unreachable')
    fault = undefined
    expect(await balancer.health(ARN)).toEqual([])
    fault = 'lost-answer'
    expect(await failing(balancer.register(ARN, [target]))).toBe('Unreachable')
    fault = undefined
    expect(await balancer.health(ARN)).toMatchObject([target])
  })

  it('gives a stale answer as it last was given', async () => {
    let fault: BalancerFault | undefined
    const { clock, balancer } = makeWorld({
      fault: (call) => (call === 'health' ? fault : undefined),
    })
    await balancer.register(ARN, [target])
    await clock.advance(CHECKS_MS)
    await balancer.health(ARN)
    await balancer.deregister(ARN, [target])
    fault = 'stale'
    expect(await balancer.health(ARN)).toEqual([{ ...target, state: 'healthy' }])
    fault = undefined
    expect(await balancer.health(ARN)).toMatchObject([{ state: 'draining' }])
  })

  it('knows a group from when it is made until it is removed', async () => {
    const { balancer } = makeWorld({ targetGroups: [] })
    expect(await failing(balancer.health(ARN))).toBe('TargetGroupNotFound')
    balancer.addTargetGroup(ARN)
    await balancer.register(ARN, [target])
    balancer.addTargetGroup(ARN)
    expect(await balancer.health(ARN)).toMatchObject([target])
    balancer.removeTargetGroup(ARN)
    expect(await failing(balancer.health(ARN))).toBe('TargetGroupNotFound')
  })
})
