/**
 * The fleet port on EC2 itself.
 *
 * Lists go by one tag filter, `tag:drover:table`: it is exact from the moment of launch, needs no
 * state of ours, and keeps an account's other machines out. (Several tag filters at once are known
 * to take EC2 half a minute; one does not.) Single instances are found by the `instance-id` filter
 * and not by the id parameter, which fails a whole call for one unknown id and cannot be paged.
 */
import {
  CreateFleetCommand,
  DescribeInstancesCommand,
  DescribeInstanceStatusCommand,
  RebootInstancesCommand,
  TerminateInstancesCommand,
  type DescribeInstancesCommandOutput,
  type Filter,
  type Instance as Ec2Instance,
  type Reservation,
} from '@aws-sdk/client-ec2'
import { describeError } from '../../base/errors.ts'
import { instanceArn } from '../../model/arn.ts'
import { LIMITS } from '../../model/limits.ts'
import { TAGS, type LaunchRequest } from '../../model/launch.ts'
import { FleetError } from '../fleet-error.ts'
import { launchFailure } from '../fleet-outcome.ts'
import type { Fleet, Instance, InstanceState, LaunchOutcome } from '../fleet.ts'
import { callInBatches, refusalOf, type BatchCall, type BatchResult } from '../split-batches.ts'
import {
  failureOf,
  makeEc2Clients,
  within,
  type Ec2ClientOptions,
  type Ec2Clients,
} from './ec2-client.ts'
import { createFleetInput, launchOutcome } from './ec2-launch.ts'

export type Ec2FleetOptions = Ec2ClientOptions & {
  /** How long one launch may take (default 20 s) and one page or batch of anything else (6 s). */
  readonly launchTimeoutMs?: number
  readonly callTimeoutMs?: number
  readonly pageItems?: number
}

type Setup = {
  readonly clients: Ec2Clients
  readonly region: string
  readonly launchTimeoutMs: number
  readonly callTimeoutMs: number
  readonly pageItems: number
}

export function makeEc2Fleet(options: Ec2FleetOptions): Fleet {
  const setup: Setup = {
    clients: makeEc2Clients({ attemptTimeoutMs: LIMITS.ec2AttemptTimeoutMs, ...options }),
    region: options.region,
    launchTimeoutMs: options.launchTimeoutMs ?? LIMITS.fleetTimeoutMs,
    callTimeoutMs: options.callTimeoutMs ?? LIMITS.ec2CallTimeoutMs,
    pageItems: options.pageItems ?? LIMITS.describePageItems,
  }
  return {
    launch: (request) => launch(setup, request),
    terminate: (ids) => callInBatches(ids, LIMITS.terminatePerCall, terminateCall(setup)),
    reboot: (ids) => callInBatches(ids, LIMITS.terminatePerCall, rebootCall(setup)),
    list: (tableUid) => listAll(setup, { Name: `tag:${TAGS.table}`, Values: [tableUid] }),
    describe: (ids) => describe(setup, ids),
    impaired: (ids) => impaired(setup, ids),
  }
}

async function launch(setup: Setup, request: LaunchRequest): Promise<LaunchOutcome> {
  const command = new CreateFleetCommand(createFleetInput(request))
  try {
    return launchOutcome(await setup.clients.once.send(command, within(setup.launchTimeoutMs)))
  } catch (error) {
    return launchFailure(failureOf(error))
  }
}

async function batch(call: () => Promise<unknown>): Promise<BatchResult> {
  try {
    await call()
    return { result: 'done' }
  } catch (error) {
    const { code, text } = failureOf(error)
    return refusalOf(code, text)
  }
}

function terminateCall({ clients, callTimeoutMs }: Setup): BatchCall {
  return (ids) => {
    const command = new TerminateInstancesCommand({ InstanceIds: [...ids] })
    return batch(() => clients.retrying.send(command, within(callTimeoutMs)))
  }
}

/** Not repeated by the SDK: a second reboot would take down what the first brought up. */
function rebootCall({ clients, callTimeoutMs }: Setup): BatchCall {
  return (ids) => {
    const command = new RebootInstancesCommand({ InstanceIds: [...ids] })
    return batch(() => clients.once.send(command, within(callTimeoutMs)))
  }
}

async function describe(setup: Setup, ids: readonly string[]): Promise<readonly Instance[]> {
  const found: Instance[] = []
  for (let at = 0; at < ids.length; at += LIMITS.terminatePerCall) {
    const Values = ids.slice(at, at + LIMITS.terminatePerCall)
    found.push(...(await listAll(setup, { Name: 'instance-id', Values })))
  }
  return found
}

async function listAll(setup: Setup, filter: Filter): Promise<readonly Instance[]> {
  const found: Instance[] = []
  let token: string | undefined
  for (let page = 0; page < LIMITS.describePagesMax; page++) {
    const output = await onePage(setup, filter, token)
    const own = (output.Reservations ?? []).flatMap((reservation) =>
      (reservation.Instances ?? []).map((instance) => instanceOf(setup, reservation, instance)),
    )
    found.push(...own)
    token = output.NextToken
    if (token === undefined || token === '') return found
  }
  throw new FleetError({
    text: `the list has more than ${String(LIMITS.describePagesMax)} pages`,
    next: 'a herd that large needs a higher limit',
  })
}

async function onePage(
  { clients, callTimeoutMs, pageItems }: Setup,
  filter: Filter,
  token: string | undefined,
): Promise<DescribeInstancesCommandOutput> {
  const command = new DescribeInstancesCommand({
    Filters: [filter],
    MaxResults: pageItems,
    ...(token === undefined ? {} : { NextToken: token }),
  })
  try {
    return await clients.retrying.send(command, within(callTimeoutMs))
  } catch (cause) {
    throw new FleetError({
      text: `EC2 did not list its instances: ${describeError(cause)}`,
      next: 'ask again on the next pass',
      cause,
    })
  }
}

const STATES: readonly string[] = [
  'pending',
  'running',
  'shutting-down',
  'terminated',
  'stopping',
  'stopped',
] satisfies InstanceState[]

function isState(name: string | undefined): name is InstanceState {
  return name !== undefined && STATES.includes(name)
}

function instanceOf(setup: Setup, reservation: Reservation, seen: Ec2Instance): Instance {
  const { InstanceId, InstanceType, Placement, State, LaunchTime, ImageId } = seen
  const account = reservation.OwnerId
  const zone = Placement?.AvailabilityZone
  const state = State?.Name
  if (!InstanceId || !InstanceType || !zone || !account || !LaunchTime || !isState(state)) {
    throw new FleetError({
      text: 'EC2 listed an instance without its type, zone, owner, state or launch time',
      seen: InstanceId,
      next: 'ask again on the next pass',
    })
  }
  const tags = (seen.Tags ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? ''])
  return {
    instanceId: InstanceId,
    arn: instanceArn({ region: setup.region, account, instanceId: InstanceId }),
    instanceType: InstanceType,
    zone,
    capacityType: seen.InstanceLifecycle === 'spot' ? 'spot' : 'on-demand',
    state,
    launchedAtMs: LaunchTime.getTime(),
    tags: Object.fromEntries(tags) as Record<string, string>,
    ...(ImageId === undefined ? {} : { imageId: ImageId }),
  }
}

async function impaired(setup: Setup, ids: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  const outcome = await callInBatches(ids, LIMITS.terminatePerCall, (batchIds) => {
    const command = new DescribeInstanceStatusCommand({ InstanceIds: [...batchIds] })
    return batch(async () => {
      const output = await setup.clients.retrying.send(command, within(setup.callTimeoutMs))
      for (const { InstanceId, InstanceStatus, SystemStatus } of output.InstanceStatuses ?? []) {
        const bad = InstanceStatus?.Status === 'impaired' || SystemStatus?.Status === 'impaired'
        if (bad && InstanceId !== undefined) found.push(InstanceId)
      }
    })
  })
  const [failed] = outcome.failed
  if (failed === undefined) return found
  throw new FleetError({ text: failed.text, next: 'ask again on the next pass' })
}
