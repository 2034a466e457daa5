/**
 * The load balancers of a simulated world: drover's memory version, which asks the machines
 * themselves whether anybody answers; on a bad day they are throttled, out of reach, or unheard.
 *
 * A listing may lag, and by no more than drover allows for: it then is what it was before the
 * changes of the last moments.
 */
import type { Balancer } from '#shared/cloud/balancer.ts'
import { targetKey, type Target, type TargetHealth } from '#shared/model/service.ts'
import { makeMemoryBalancer, type BalancerFault } from '#shared/cloud/memory-balancer.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { Chance } from './chance.ts'
import type { Faults } from './faults.ts'
import { isHealthy, type Machine } from './machine.ts'
import type { Scheduler } from './scheduler.ts'
import { TARGET_GROUPS } from './serving.ts'
import type { TrueTarget } from './traffic.ts'

export type Balancers = Balancer & {
  /** Who is registered, whatever anybody hears of it. */
  targets(): readonly TrueTarget[]
  /** Whoever asks next says what is known of them. */
  forget(): void
  /** All targets of the groups that were asked are healthy, and as they were told. */
  areCalm(): boolean
}

type Setup = {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly faults: Faults
  readonly machines: ReadonlyMap<string, Machine>
}

/** A load balancer that is out of reach is so for a while. */
const OUT_MS = 120_000

export function makeBalancers({ scheduler, chance, faults, machines }: Setup): Balancers {
  let calls = 0
  /** Before each of the newest changes, by group. */
  const past = new Map<string, { atMs: number; listing: readonly TargetHealth[] }[]>()
  const told = new Map<string, string>()
  const fault = (call: string, arn: string): BalancerFault | undefined => {
    calls += 1
    const name = `${call} ${String(calls)}`
    const slot = Math.floor(scheduler.now() / OUT_MS)
    if (faults.strikes('targetsOut', `${arn.slice(-5)} ${String(slot)}`)) return 'unreachable'
    if (faults.strikes('targetsThrottled', name)) return 'throttled'
    return faults.strikes('targetsUnheard', name) ? 'lost-answer' : undefined
  }
  const memory = makeMemoryBalancer({
    clock: scheduler,
    targetGroups: TARGET_GROUPS,
    isHealthy: (target) => answers(machines, target, scheduler.now()),
    isRunning: (instanceId) => machines.has(instanceId),
    fault,
  })
  const remember = (arn: string): void => {
    const nowMs = scheduler.now()
    const newest = (past.get(arn) ?? []).filter((own) => nowMs - own.atMs < LIMITS.targetsLagMs)
    past.set(arn, [...newest, { atMs: nowMs, listing: memory.peek(arn) }])
  }
  const lagging = (arn: string): readonly TargetHealth[] | undefined => {
    const name = `health ${String(calls)}`
    if (!faults.strikes('targetsLag', name)) return undefined
    const lagMs = chance.int(`lag of ${name}`, { min: 1, max: LIMITS.targetsLagMs - 1 })
    return past.get(arn)?.find((own) => own.atMs > scheduler.now() - lagMs)?.listing
  }
  return {
    health: async (arn) => {
      told.set(arn, 'nothing')
      const listing = await memory.health(arn)
      const heard = lagging(arn) ?? listing
      told.set(arn, textOf(heard))
      return heard
    },
    register: (arn, targets) => {
      remember(arn)
      return memory.register(arn, targets)
    },
    deregister: (arn, targets) => {
      remember(arn)
      return memory.deregister(arn, targets)
    },
    targets: () =>
      TARGET_GROUPS.flatMap((targetGroupArn) =>
        memory.peek(targetGroupArn).map((own) => ({ targetGroupArn, ...own })),
      ),
    forget: () => {
      told.clear()
    },
    areCalm: () =>
      [...told].every(([arn, text]) => {
        const targets = memory.peek(arn)
        return text === textOf(targets) && targets.every(isSettled)
      }),
  }
}

/** What has ended with its machine stays as it is. */
const isSettled = ({ state }: TargetHealth): boolean => state === 'healthy' || state === 'unused'

const textOf = (targets: readonly TargetHealth[]): string =>
  targets.map((own) => `${targetKey(own)} ${own.state}`).join()

function answers(
  machines: ReadonlyMap<string, Machine>,
  { instanceId, port }: Target,
  nowMs: number,
): boolean {
  const processes = machines.get(instanceId)?.processes.values() ?? []
  return [...processes].some(
    (own) => Object.values(own.ports).includes(port) && isHealthy(own, nowMs),
  )
}
