/**
 * What every balancer must do, told once and asked of each implementation.
 *
 * A harness gives the suite what the port leaves out: a group, machines behind it, and a way to let
 * time pass, by telling a virtual clock or by really waiting.
 */
import { describe, expect } from 'vitest'
import { BalancerError } from '#shared/cloud/balancer-error.ts'
import type { Balancer } from '#shared/cloud/balancer.ts'
import { targetKey, type Target, type TargetHealth } from '#shared/model/service.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { itMinding, type KnownDifference } from './known-differences.ts'

export type BalancerHarness = {
  readonly balancer: Balancer
  /** A group without targets. */
  readonly targetGroupArn: string
  /** Of a group that does not exist. */
  readonly unknownArn: string
  /** Instances that run, and a port of each that answers. */
  targets(count: number): Promise<readonly Target[]>
  /** Another port of the same instance, that answers too. */
  beside(target: Target): Promise<Target>
  /** A port of an instance that was ended. */
  ended(): Promise<Target>
  /** From now on the target answers nobody. */
  fail(target: Target): Promise<void>
  /** Lets the checks come to a result. */
  check(): Promise<void>
  /** Lets open requests end. */
  drain(): Promise<void>
  close(): Promise<void>
}

/** More than one call takes. */
const MANY = LIMITS.targetsPerCall + 20

const keysOf = (targets: readonly Target[]): string[] => targets.map(targetKey).sort()
/** `i-1:80 healthy`, in the order of the targets. */
const told = (targets: readonly TargetHealth[]): string[] =>
  targets.map((own) => `${targetKey(own)} ${own.state}`).sort()
const receiving = (targets: readonly TargetHealth[]): TargetHealth[] =>
  targets.filter(({ state }) => state !== 'draining' && state !== 'unused')

async function failureOf(call: Promise<unknown>): Promise<BalancerError> {
  const failure = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(BalancerError)
  return failure as BalancerError
}

export function describeBalancer(
  name: string,
  open: () => Promise<BalancerHarness>,
  known: readonly KnownDifference[] = [],
): void {
  describe(`the ${name} balancer`, () => {
    const it = itMinding(known)
    const test = (title: string, run: (own: BalancerHarness) => Promise<void>): void => {
      it(title, async () => {
        const own = await open()
        try {
          await run(own)
        } finally {
          await own.close()
        }
      })
    }

    describeRegistering(test)
    describeLeaving(test)

    test('says of a group that does not exist that it does not', async (own) => {
      const { balancer, unknownArn } = own
      const targets = await own.targets(1)
      for (const call of [
        () => balancer.health(unknownArn),
        () => balancer.register(unknownArn, targets),
        () => balancer.deregister(unknownArn, targets),
      ]) {
        expect((await failureOf(call())).code).toBe('TargetGroupNotFound')
      }
    })
  })
}

type Told = (title: string, run: (own: BalancerHarness) => Promise<void>) => void

function describeRegistering(test: Told): void {
  test('lists what was registered, and calls it healthy once it has answered', async (own) => {
    const { balancer, targetGroupArn } = own
    expect(await balancer.health(targetGroupArn)).toEqual([])
    const targets = await own.targets(2)
    await balancer.register(targetGroupArn, targets)
    expect(keysOf(await balancer.health(targetGroupArn))).toEqual(keysOf(targets))
    await own.check()
    const healthy = keysOf(targets).map((key) => `${key} healthy`)
    expect(told(await balancer.health(targetGroupArn))).toEqual(healthy)
  })

  test('does not call healthy what it has not yet checked', async (own) => {
    const { balancer, targetGroupArn } = own
    const [target] = await own.targets(1)
    await balancer.register(targetGroupArn, [target!])
    expect((await balancer.health(targetGroupArn)).map(({ state }) => state)).toEqual(['initial'])
  })

  test('takes a target once, however often it is registered', async (own) => {
    const { balancer, targetGroupArn } = own
    const targets = await own.targets(1)
    await balancer.register(targetGroupArn, [...targets, ...targets])
    await own.check()
    await balancer.register(targetGroupArn, targets)
    const [target, ...others] = await balancer.health(targetGroupArn)
    expect(target).toEqual({ ...targets[0], state: 'healthy' })
    expect(others).toEqual([])
  })

  test('takes two ports of one instance for two targets', async (own) => {
    const { balancer, targetGroupArn } = own
    const [first] = await own.targets(1)
    const second = await own.beside(first!)
    await balancer.register(targetGroupArn, [first!, second])
    expect(keysOf(await balancer.health(targetGroupArn))).toEqual(keysOf([first!, second]))
    await balancer.deregister(targetGroupArn, [first!])
    const left = receiving(await balancer.health(targetGroupArn))
    expect(keysOf(left)).toEqual([targetKey(second)])
  })

  test('takes none, one, and more than fit one call', async (own) => {
    const { balancer, targetGroupArn } = own
    const targets = await own.targets(MANY)
    await balancer.register(targetGroupArn, [])
    await balancer.register(targetGroupArn, targets)
    expect(keysOf(await balancer.health(targetGroupArn))).toEqual(keysOf(targets))
    await balancer.deregister(targetGroupArn, [])
    await balancer.deregister(targetGroupArn, targets)
    expect(receiving(await balancer.health(targetGroupArn))).toEqual([])
  })

  test('refuses an instance that has ended, and takes the others', async (own) => {
    const { balancer, targetGroupArn } = own
    const targets = await own.targets(4)
    const bad = await own.ended()
    const all = [...targets.slice(0, 2), bad, ...targets.slice(2)]
    const failure = await failureOf(balancer.register(targetGroupArn, all))
    expect({ code: failure.code, targets: failure.targets }).toEqual({
      code: 'InvalidTarget',
      targets: [bad],
    })
    expect(keysOf(await balancer.health(targetGroupArn))).toEqual(keysOf(targets))
  })

  test('no longer calls healthy what does not answer any more', async (own) => {
    const { balancer, targetGroupArn } = own
    const [good, bad] = await own.targets(2)
    await balancer.register(targetGroupArn, [good!, bad!])
    await own.check()
    await own.fail(bad!)
    await own.check()
    const found = await balancer.health(targetGroupArn)
    const stateOf = (target: Target) =>
      found.find((own) => targetKey(own) === targetKey(target))?.state
    expect(stateOf(bad!)).toBe('unhealthy')
    expect(stateOf(good!)).toBe('healthy')
  })
}

function describeLeaving(test: Told): void {
  test('lists what was deregistered as draining or not at all, then not at all', async (own) => {
    const { balancer, targetGroupArn } = own
    const [stays, goes] = await own.targets(2)
    await balancer.register(targetGroupArn, [stays!, goes!])
    await own.check()
    await balancer.deregister(targetGroupArn, [goes!])
    const left = receiving(await balancer.health(targetGroupArn))
    expect(told(left)).toEqual([`${targetKey(stays!)} healthy`])
    await own.drain()
    expect(keysOf(await balancer.health(targetGroupArn))).toEqual([targetKey(stays!)])
  })

  test('does nothing about what is not registered', async (own) => {
    const { balancer, targetGroupArn } = own
    const [stays, never] = await own.targets(2)
    await balancer.register(targetGroupArn, [stays!])
    await balancer.deregister(targetGroupArn, [never!, await own.ended()])
    expect(keysOf(await balancer.health(targetGroupArn))).toEqual([targetKey(stays!)])
  })

  test('takes in again what it was told to let go', async (own) => {
    const { balancer, targetGroupArn } = own
    const targets = await own.targets(1)
    await balancer.register(targetGroupArn, targets)
    await own.check()
    await balancer.deregister(targetGroupArn, targets)
    await balancer.register(targetGroupArn, targets)
    await own.check()
    expect(await balancer.health(targetGroupArn)).toEqual([{ ...targets[0], state: 'healthy' }])
  })
}
