/**
 * A load balancer in memory, whose targets' states follow from the time and from what is told of
 * them: no timer runs, and whoever owns the clock owns all of it.
 *
 * It keeps when each target came and when it was told to go, and reads off everything else at the
 * moment of the question. Whether a target answers, and whether its instance runs, it asks of
 * whoever made it; so it does of what is to go wrong with a call, which makes a simulator's chance
 * the only chance there is.
 */
import { BalancerError } from './balancer-error.ts'
import type { Balancer } from './balancer.ts'
import { targetKey, type Target, type TargetHealth } from '../model/service.ts'
import type { Clock } from './clock.ts'

export type BalancerCall = 'health' | 'register' | 'deregister'

export type BalancerFault =
  /** Refused, and nothing was done. */
  | 'throttled'
  | 'unreachable'
  /** Carried out, and the answer lost. */
  | 'lost-answer'
  /** `health` answers what it last answered of that group; the other calls are not touched. */
  | 'stale'

export type MemoryBalancerOptions = {
  readonly clock: Pick<Clock, 'now'>
  /** ARNs of the groups that exist. */
  readonly targetGroups?: readonly string[]
  /** From registration to the end of the first checks. */
  readonly checksMs?: number
  /** How long open requests of a target that is told to go take to end. */
  readonly openRequestsMs?: number
  /** They are cut off after this; ELB's default is 300 s. */
  readonly deregistrationDelayMs?: number
  readonly isHealthy?: (target: Target) => boolean
  /** An instance that does not run cannot be registered, and one that ended is `unused`. */
  readonly isRunning?: (instanceId: string) => boolean
  /** Asked once for each call. */
  readonly fault?: (call: BalancerCall, targetGroupArn: string) => BalancerFault | undefined
}

export type MemoryBalancer = Balancer & {
  /** How it stands, whatever is to go wrong with calls; empty where there is no such group. */
  peek(targetGroupArn: string): readonly TargetHealth[]
  addTargetGroup(targetGroupArn: string): void
  removeTargetGroup(targetGroupArn: string): void
}

const CHECKS_MS = 10_000
const OPEN_REQUESTS_MS = 5_000
const DEREGISTRATION_DELAY_MS = 300_000

type Entry = {
  readonly target: Target
  readonly registeredAtMs: number
  readonly deregisteredAtMs?: number
}
type Group = {
  /** In the order in which they were registered. */
  readonly entries: Map<string, Entry>
  lastAnswer: readonly TargetHealth[]
}

type Rules = Required<Omit<MemoryBalancerOptions, 'targetGroups' | 'clock'>>

export function makeMemoryBalancer(options: MemoryBalancerOptions): MemoryBalancer {
  const { clock } = options
  const rules: Rules = {
    checksMs: options.checksMs ?? CHECKS_MS,
    openRequestsMs: options.openRequestsMs ?? OPEN_REQUESTS_MS,
    deregistrationDelayMs: options.deregistrationDelayMs ?? DEREGISTRATION_DELAY_MS,
    isHealthy: options.isHealthy ?? (() => true),
    isRunning: options.isRunning ?? (() => true),
    fault: options.fault ?? (() => undefined),
  }
  const groups = new Map<string, Group>()
  const addTargetGroup = (arn: string): void => {
    if (!groups.has(arn)) groups.set(arn, { entries: new Map(), lastAnswer: [] })
  }
  for (const arn of options.targetGroups ?? []) addTargetGroup(arn)

  /** Throws what the fault says, before the work or after it. */
  const call = <T>(name: BalancerCall, arn: string, work: (own: Group) => T): Promise<T> => {
    const fault = rules.fault(name, arn)
    if (fault === 'throttled' || fault === 'unreachable') return Promise.reject(faulty(fault))
    const group = groups.get(arn)
    if (group === undefined) return Promise.reject(noGroup(arn))
    if (name === 'health' && fault === 'stale') return Promise.resolve(group.lastAnswer as T)
    return new Promise((resolve, reject) => {
      forgetDrained(group, rules, clock.now())
      const result = work(group)
      if (fault === 'lost-answer') reject(faulty('unreachable'))
      else resolve(result)
    })
  }

  const stand = (group: Group): readonly TargetHealth[] => {
    const nowMs = clock.now()
    forgetDrained(group, rules, nowMs)
    return [...group.entries.values()].map((own) => healthOf(own, rules, nowMs))
  }

  return {
    addTargetGroup,
    peek: (arn) => {
      const group = groups.get(arn)
      return group === undefined ? [] : stand(group)
    },
    removeTargetGroup: (arn) => {
      groups.delete(arn)
    },
    health: (arn) =>
      call('health', arn, (group) => {
        group.lastAnswer = stand(group)
        return group.lastAnswer
      }),
    register: (arn, targets) =>
      call('register', arn, ({ entries }) => {
        const refused = targets.filter(({ instanceId }) => !rules.isRunning(instanceId))
        for (const target of targets) {
          const known = entries.get(targetKey(target))
          const isThere = known !== undefined && known.deregisteredAtMs === undefined
          if (isThere || refused.includes(target)) continue
          entries.delete(targetKey(target))
          entries.set(targetKey(target), { target: plain(target), registeredAtMs: clock.now() })
        }
        if (refused.length > 0) throw notRunning(refused)
      }),
    deregister: (arn, targets) =>
      call('deregister', arn, ({ entries }) => {
        for (const target of targets) {
          const known = entries.get(targetKey(target))
          if (known === undefined || known.deregisteredAtMs !== undefined) continue
          entries.set(targetKey(target), { ...known, deregisteredAtMs: clock.now() })
        }
      }),
  }
}

const plain = ({ instanceId, port }: Target): Target => ({ instanceId, port })

function forgetDrained({ entries }: Group, rules: Rules, nowMs: number): void {
  const drainMs = Math.min(rules.openRequestsMs, rules.deregistrationDelayMs)
  for (const [key, { deregisteredAtMs }] of entries) {
    if (deregisteredAtMs !== undefined && nowMs - deregisteredAtMs >= drainMs) entries.delete(key)
  }
}

/** The first rule that holds. */
function healthOf({ target, ...entry }: Entry, rules: Rules, nowMs: number): TargetHealth {
  if (entry.deregisteredAtMs !== undefined) {
    return { ...target, state: 'draining', reason: 'Target.DeregistrationInProgress' }
  }
  if (!rules.isRunning(target.instanceId)) {
    return { ...target, state: 'unused', reason: 'Target.InvalidState' }
  }
  if (nowMs - entry.registeredAtMs < rules.checksMs) {
    return { ...target, state: 'initial', reason: 'Elb.InitialHealthChecking' }
  }
  if (rules.isHealthy(target)) return { ...target, state: 'healthy' }
  return { ...target, state: 'unhealthy', reason: 'Target.FailedHealthChecks' }
}

function faulty(fault: 'throttled' | 'unreachable'): BalancerError {
  const next = 'ask again on the next pass'
  return fault === 'throttled'
    ? new BalancerError({ code: 'Throttled', text: 'rate exceeded', next })
    : new BalancerError({ code: 'Unreachable', text: 'the load balancer does not answer', next })
}

function noGroup(arn: string): BalancerError {
  return new BalancerError({
    code: 'TargetGroupNotFound',
    text: 'there is no such target group',
    seen: arn,
    next: 'make the group, or name another in the service of the workload',
  })
}

function notRunning(targets: readonly Target[]): BalancerError {
  return new BalancerError({
    code: 'InvalidTarget',
    text: 'instances that do not run cannot be registered',
    targets,
    next: 'leave them out: what ended needs no requests',
  })
}
