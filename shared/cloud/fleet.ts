/**
 * The fleet port: the few things drover ever asks of EC2.
 *
 * Launching is where money and machines can leak, so its answer keeps three cases apart.
 * *Answered*: EC2's answer was parsed; it may hold instances and errors at once, and nothing more
 * will come of this token. *Refused*: EC2 said no before doing anything (throttled, unauthorised):
 * the same request may be sent again. *Unknown*: the answer was lost; machines may or may not be
 * starting.
 */
import type { CapacityType } from '../model/machine.ts'
import type { LaunchRequest } from '../model/launch.ts'

export type LaunchedInstance = {
  instanceId: string
  instanceType: string
  zone: string
}

/** One place that could not give what was asked: a fact about it, whatever else was launched. */
export type LaunchError = {
  /** Undefined when the error names no override. */
  instanceType?: string
  zone?: string
  /** EC2's code: `InsufficientInstanceCapacity`, `MaxSpotInstanceCountExceeded`, … */
  code: string
  text: string
}

export type LaunchOutcome =
  | { outcome: 'answered'; instances: readonly LaunchedInstance[]; errors: readonly LaunchError[] }
  | { outcome: 'refused'; code: string; text: string; retryable: boolean }
  | { outcome: 'unknown'; text: string }

export type InstanceState =
  'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped'

export type Instance = {
  instanceId: string
  /** `arn:aws:ec2:REGION:ACCOUNT:instance/i-…` */
  arn: string
  instanceType: string
  zone: string
  capacityType: CapacityType
  state: InstanceState
  launchedAtMs: number
  tags: Readonly<Record<string, string>>
  imageId?: string
}

export type TerminateOutcome = {
  /** On their way out, or gone already. */
  terminating: readonly string[]
  /** EC2 does not know them (any more). */
  notFound: readonly string[]
  /** Not done, for the reason given: try again. */
  failed: readonly { instanceId: string; text: string }[]
}

export type Fleet = {
  /** One CreateFleet of type `instant`. Timeout 20 s, no retries: the caller owns both. */
  launch(request: LaunchRequest): Promise<LaunchOutcome>
  /** Idempotent. Splits a batch that one bad id spoils. */
  terminate(instanceIds: readonly string[]): Promise<TerminateOutcome>
  /** Reboots in place; issue order matters to nobody. Same splitting as `terminate`. */
  reboot(instanceIds: readonly string[]): Promise<TerminateOutcome>
  /**
   * Every instance tagged with this table's uid, in any state EC2 still shows, all pages. Throws
   * FleetError when the listing is not whole: *not listed* must never be read from half a list.
   */
  list(tableUid: string): Promise<readonly Instance[]>
  /** Those of the ids that EC2 knows, in any state it still shows. */
  describe(instanceIds: readonly string[]): Promise<readonly Instance[]>
  /** Ids of those instances that EC2's own status checks call impaired. */
  impaired(instanceIds: readonly string[]): Promise<readonly string[]>
}
