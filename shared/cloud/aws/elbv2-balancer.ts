/**
 * The balancer port on Elastic Load Balancing v2, for target groups of type `instance`.
 *
 * All of a group's targets come with one call, which knows no pages. Registering goes in batches,
 * and one instance that does not run fails a whole batch; so a batch that is refused for a bad
 * target is halved until the bad ones stand alone (split-batches.ts). All three calls may be
 * repeated, by the SDK as by the caller, for each states what shall be and not what to change.
 */
import {
  DeregisterTargetsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  ElasticLoadBalancingV2ServiceException,
  RegisterTargetsCommand,
  type DescribeTargetHealthCommandOutput,
  type TargetDescription,
  type TargetHealthDescription,
} from '@aws-sdk/client-elastic-load-balancing-v2'
import { LIMITS } from '../../model/limits.ts'
import { BalancerError, type BalancerErrorCode } from '../balancer-error.ts'
import type { Balancer } from '../balancer.ts'
import { targetKey, type Target, type TargetHealth, type TargetState } from '../../model/service.ts'
import type { CallFailure } from '../fleet-outcome.ts'
import { callInBatches, type BatchResult } from '../split-batches.ts'
import { boundedBy } from './bounded-attempts.ts'
import { failureOf, within } from './ec2-client.ts'

export type Elbv2BalancerOptions = {
  readonly region: string
  /** Set where an emulated service speaks the same protocol. */
  readonly endpoint?: string | undefined
  /** From the environment where left out. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** 3 by default. */
  readonly attempts?: number
  /** How long one call may take, retries included; 4 s by default. */
  readonly callTimeoutMs?: number
}

const ATTEMPTS = 3

type Setup = {
  readonly client: ElasticLoadBalancingV2Client
  readonly callTimeoutMs: number
}

export function makeElbv2Balancer(options: Elbv2BalancerOptions): Balancer {
  const { region, endpoint, credentials, attempts = ATTEMPTS } = options
  const setup: Setup = {
    client: new ElasticLoadBalancingV2Client({
      region,
      maxAttempts: attempts,
      requestHandler: boundedBy(LIMITS.balancerAttemptTimeoutMs),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
    }),
    callTimeoutMs: options.callTimeoutMs ?? LIMITS.balancerCallTimeoutMs,
  }
  return {
    health: (arn) => health(setup, arn),
    register: (arn, targets) => register(setup, arn, targets),
    deregister: (arn, targets) => deregister(setup, arn, targets),
  }
}

async function health(setup: Setup, arn: string): Promise<readonly TargetHealth[]> {
  const command = new DescribeTargetHealthCommand({ TargetGroupArn: arn })
  let output: DescribeTargetHealthCommandOutput
  try {
    output = await setup.client.send(command, within(setup.callTimeoutMs))
  } catch (cause) {
    throw errorOf('the health of its targets was not told', { arn, cause })
  }
  return (output.TargetHealthDescriptions ?? []).flatMap(healthOf)
}

const STATES: readonly string[] = [
  'initial',
  'healthy',
  'unhealthy',
  'draining',
  'unused',
  'unavailable',
] satisfies TargetState[]

const isState = (name: string): name is TargetState => STATES.includes(name)

/** A target without a port is a Lambda function, and none of drover's. */
function healthOf({ Target, TargetHealth: told }: TargetHealthDescription): TargetHealth[] {
  if (Target?.Id === undefined || Target.Port === undefined) return []
  const name = told?.State ?? ''
  const reason = told?.Reason ?? (isState(name) ? undefined : name)
  return [
    {
      ...{ instanceId: Target.Id, port: Target.Port, state: stateOf(name) },
      ...(reason === undefined ? {} : { reason }),
    },
  ]
}

/** `unhealthy.draining` is a Network Load Balancer's word for what it sends nothing new. */
function stateOf(name: string): TargetState {
  if (isState(name)) return name
  return name.startsWith('unhealthy') ? 'unhealthy' : 'unavailable'
}

async function register(setup: Setup, arn: string, targets: readonly Target[]): Promise<void> {
  const refused = await inBatches(targets, {
    what: 'its targets were not all registered',
    arn,
    send: async (Targets) => {
      const command = new RegisterTargetsCommand({ TargetGroupArn: arn, Targets })
      await setup.client.send(command, within(setup.callTimeoutMs))
    },
  })
  if (refused.length === 0) return
  throw new BalancerError({
    code: 'InvalidTarget',
    text: `${String(refused.length)} targets were refused: no instances that run, or unfit ones`,
    targets: refused,
    next: 'leave out what ended; the others must be in the VPC of the target group',
  })
}

/**
 * What is refused as no target is not registered either, so nothing is left to do about it; ELB
 * itself mostly answers 200 there.
 */
async function deregister(setup: Setup, arn: string, targets: readonly Target[]): Promise<void> {
  await inBatches(targets, {
    what: 'its targets were not all deregistered',
    arn,
    send: async (Targets) => {
      const command = new DeregisterTargetsCommand({ TargetGroupArn: arn, Targets })
      await setup.client.send(command, within(setup.callTimeoutMs))
    },
  })
}

type Batches = {
  readonly what: string
  readonly arn: string
  readonly send: (targets: TargetDescription[]) => Promise<void>
}

/** The targets that were refused one by one; throws after the last batch if another failed. */
async function inBatches(
  targets: readonly Target[],
  { what, arn, send }: Batches,
): Promise<readonly Target[]> {
  const byKey = new Map(targets.map((own) => [targetKey(own), own]))
  let failure: unknown
  const call = async (keys: readonly string[]): Promise<BatchResult> => {
    const batch = keys.flatMap((key) => byKey.get(key) ?? [])
    try {
      await send(batch.map(({ instanceId, port }) => ({ Id: instanceId, Port: port })))
      return { result: 'done' }
    } catch (error) {
      if (codeOf(error) === 'InvalidTarget') return { result: 'bad-id' }
      failure ??= error
      return { result: 'failed', text: failureHere(error).text }
    }
  }
  const outcome = await callInBatches([...byKey.keys()], LIMITS.targetsPerCall, call)
  if (failure !== undefined) throw errorOf(what, { arn, cause: failure })
  return outcome.notFound.flatMap((key) => byKey.get(key) ?? [])
}

/** ELB's and the SDK's words for "too often". */
const THROTTLED: ReadonlySet<string> = new Set([
  'Throttling',
  'Throttled',
  'ThrottledException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'TooManyRequests',
])
const SERVER_ERROR = 500

/** As `failureOf` reads EC2's failures, of this service. */
function failureHere(error: unknown): CallFailure {
  if (!(error instanceof ElasticLoadBalancingV2ServiceException)) return failureOf(error)
  const { name, message, $metadata } = error
  const httpStatus = $metadata.httpStatusCode
  return { code: name, text: message, ...(httpStatus === undefined ? {} : { httpStatus }) }
}

/** The first rule that holds. */
function codeOf(error: unknown): BalancerErrorCode {
  const { code, httpStatus } = failureHere(error)
  // The service says `InvalidTarget`; the SDK's classes are called `InvalidTargetException`.
  const name = code.replace(/Exception$/, '')
  if (name === 'TargetGroupNotFound' || name === 'InvalidTarget') return name
  if (name === 'TooManyTargets' || name === 'TooManyRegistrationsForTargetId') {
    return 'TooManyTargets'
  }
  if (THROTTLED.has(name)) return 'Throttled'
  // Without a status there was no answer at all, or none that could be read.
  if (httpStatus === undefined || httpStatus >= SERVER_ERROR) return 'Unreachable'
  return 'BalancerFailed'
}

const NEXT: Readonly<Record<BalancerErrorCode, string>> = {
  TargetGroupNotFound: 'make the group, or name another in the service of the workload',
  InvalidTarget: 'leave out what ended; the others must be in the VPC of the target group',
  TooManyTargets: 'ask for a higher quota, or put the workload behind several target groups',
  Throttled: 'ask again on the next pass',
  Unreachable: 'ask again on the next pass',
  BalancerFailed: "look at the cause; the group's ARN and reconcile's role are the usual ones",
}

function errorOf(
  what: string,
  { arn, cause }: { readonly arn: string; readonly cause: unknown },
): BalancerError {
  const code = codeOf(cause)
  const { code: theirs, text } = failureHere(cause)
  return new BalancerError({
    ...{ code, text: `${what}: ${theirs}: ${text}`, seen: arn, next: NEXT[code], cause },
  })
}
