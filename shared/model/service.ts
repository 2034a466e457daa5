/**
 * Service: the AWS load balancer that a workload's replicas stand behind.
 *
 * Drover makes no load balancer. It registers replicas with a target group that somebody made, each
 * as its instance and the port that it listens on, and takes from there who is healthy.
 */
import { z } from 'zod'

const TARGET_GROUP = new RegExp(
  '^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\\d{12}:' +
    'targetgroup/[a-zA-Z0-9-]{1,32}/[a-z0-9]+$',
)

export const serviceSchema = z.strictObject({
  targetGroupArn: z
    .string()
    .regex(TARGET_GROUP, {
      error: 'must be the ARN of a target group, with targets of type instance',
    })
    .describe('its replicas are registered there, and are ready when they are healthy there'),
  port: z.string().optional().describe('the name of one of the ports; without it, the first'),
})
export type Service = z.infer<typeof serviceSchema>

type Listening = {
  readonly service?: Service | undefined
  readonly ports: readonly { readonly name: string }[]
}

/** The name of the port that a load balancer sends to; without a word of it, the first. */
export const servicePort = ({ service, ports }: Listening): string | undefined =>
  service?.port ?? ports[0]?.name

/** What a bound replica is to a load balancer; reconcile's stamps. */
export const balancedSchema = z.object({
  targetGroupArn: z.string(),
  /** Where it listens on its node. */
  port: z.int().min(1).max(65_535),
  sinceMs: z.int(),
  /** It was ready before, and is not since then. */
  unreadySinceMs: z.int().optional(),
  /** To be deregistered since then: told to stop or not, it serves on until that is done. */
  leavingSinceMs: z.int().optional(),
})
export type Balanced = z.infer<typeof balancedSchema>

/** A replica as a target group knows it. */
export type Target = { readonly instanceId: string; readonly port: number }

export type TargetState =
  /** Registered; its first checks are under way. */
  | 'initial'
  /** Gets requests. */
  | 'healthy'
  | 'unhealthy'
  /** Deregistered; gets nothing new and finishes what it has. */
  | 'draining'
  /** Registered in vain: its instance does not run, or no load balancer uses the group there. */
  | 'unused'
  /** The group is not checked, so nobody knows. */
  | 'unavailable'

export type TargetHealth = Target & {
  readonly state: TargetState
  /** ELB's code, such as `Target.FailedHealthChecks`; absent of what is healthy. */
  readonly reason?: string
}

/** Equal for equal targets, and good to print. */
export const targetKey = ({ instanceId, port }: Target): string => `${instanceId}:${String(port)}`
