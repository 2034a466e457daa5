/**
 * The laptop's load balancer: the balancer port in this process, with a small proxy for each target
 * group.
 *
 * Every well-formed ARN names a group, made when something is first registered there: nobody on a
 * laptop makes target groups beforehand. What is registered is kept in memory alone; after a
 * restart reconcile registers again what it finds missing.
 */
import { BalancerError } from '#shared/cloud/balancer-error.ts'
import type { Balancer } from '#shared/cloud/balancer.ts'
import { openTargetGroup, type Service, type TargetGroup } from './target-group.ts'
import type { TargetRules } from './target.ts'

export type LocalBalancerOptions = {
  /** Where an instance's ports are; undefined for one that does not run. */
  readonly hostOf: (instanceId: string) => string | undefined
  /** A path that must answer 200; without one a port that takes connections is healthy. */
  readonly healthPathOf?: (targetGroupArn: string) => string | undefined
  readonly checkEveryMs?: number
  /** ELB's own default is 300 s. */
  readonly deregistrationDelayMs?: number
}

export type LocalBalancer = Balancer & {
  /** The groups that something was registered in, for `GET /local/services`. */
  services(): readonly Service[]
  /** Closes every proxy and what is open on it. Idempotent. */
  close(): Promise<void>
}

const CHECK_EVERY_MS = 1_000
const DEREGISTRATION_DELAY_MS = 300_000
const ARN = /^arn:[^:]+:elasticloadbalancing:[^:]*:[^:]*:targetgroup\/[^/]+\/[^/]+$/

export function makeLocalBalancer(options: LocalBalancerOptions): LocalBalancer {
  const { hostOf } = options
  /** Those whose proxy is open, and those that are being opened. */
  const groups = new Map<string, TargetGroup>()
  const opening = new Map<string, Promise<TargetGroup>>()

  const rulesOf = (arn: string): TargetRules => ({
    hostOf,
    healthPath: options.healthPathOf?.(arn),
    checkEveryMs: options.checkEveryMs ?? CHECK_EVERY_MS,
    deregistrationDelayMs: options.deregistrationDelayMs ?? DEREGISTRATION_DELAY_MS,
  })
  const openNow = async (arn: string): Promise<TargetGroup> => {
    try {
      const group = await openTargetGroup(arn, rulesOf(arn))
      groups.set(arn, group)
      return group
    } finally {
      opening.delete(arn)
    }
  }
  const groupOf = (arn: string): TargetGroup | Promise<TargetGroup> => {
    const known = groups.get(arn) ?? opening.get(arn)
    if (known !== undefined) return known
    const coming = openNow(arn)
    opening.set(arn, coming)
    return coming
  }
  /** Those two never wait for a proxy: what was never registered has none. */
  const existing = (arn: string): TargetGroup | undefined => {
    if (!ARN.test(arn)) throw noGroup(arn)
    return groups.get(arn)
  }

  return {
    health: async (arn) => {
      await opening.get(arn)
      return existing(arn)?.health() ?? []
    },
    register: async (arn, targets) => {
      if (!ARN.test(arn)) throw noGroup(arn)
      const refused = targets.filter(({ instanceId }) => hostOf(instanceId) === undefined)
      const group = await groupOf(arn)
      group.register(targets.filter((own) => !refused.includes(own)))
      if (refused.length === 0) return
      throw new BalancerError({
        code: 'InvalidTarget',
        text: 'instances that do not run cannot be registered',
        targets: refused,
        next: 'leave them out: what ended needs no requests',
      })
    },
    deregister: async (arn, targets) => {
      await opening.get(arn)
      existing(arn)?.deregister(targets)
    },
    services: () => [...groups.values()].map((own) => own.service()),
    close: async () => {
      await Promise.allSettled(opening.values())
      const open = [...groups.values()]
      groups.clear()
      await Promise.all(open.map((own) => own.close()))
    },
  }
}

function noGroup(arn: string): BalancerError {
  return new BalancerError({
    code: 'TargetGroupNotFound',
    text: 'that is no ARN of a target group',
    seen: arn,
    next: 'write it like arn:aws:elasticloadbalancing:local:000000000000:targetgroup/web/8080',
  })
}
