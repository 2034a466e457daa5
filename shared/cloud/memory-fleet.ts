/**
 * The fleet port straight on the emulated EC2, with no wire between: what simulations and tests
 * use.
 *
 * It asks the world just what the AWS adapter asks of EC2, and reads the answers by the same rules
 * (fleet-outcome.ts, split-batches.ts), so that only the wire format is left for the adapter to get
 * wrong.
 */
import { LIMITS } from '../model/limits.ts'
import { TAGS, type LaunchRequest } from '../model/launch.ts'
import { FleetError } from './fleet-error.ts'
import { launchAnswer, launchFailure } from './fleet-outcome.ts'
import type { Fleet, Instance, LaunchOutcome } from './fleet.ts'
import type { MemoryEc2 } from './memory-ec2.ts'
import type { Ec2Answer, Ec2Instance, Filter, Page, PageRequest } from './memory-ec2/types.ts'
import { callInBatches, refusalOf, type BatchResult } from './split-batches.ts'

export type MemoryFleetOptions = {
  /** Small pages make tests turn them. */
  readonly pageSize?: number
}

export function makeMemoryFleet(world: MemoryEc2, options: MemoryFleetOptions = {}): Fleet {
  const maxResults = options.pageSize ?? LIMITS.describePageItems
  const listed = (filter: Filter): readonly Instance[] =>
    allPages((page) => world.describeInstances({ ...page, filters: [filter] }), maxResults).map(
      instanceOf,
    )
  const inBatches = (
    instanceIds: readonly string[],
    call: (ids: readonly string[]) => Ec2Answer<unknown>,
  ) =>
    callInBatches(instanceIds, LIMITS.terminatePerCall, (ids) =>
      Promise.resolve(resultOf(call(ids))),
    )
  return {
    launch: (request) => Promise.resolve(launch(world, request)),
    terminate: (ids) => inBatches(ids, (batch) => world.terminateInstances(batch)),
    reboot: (ids) => inBatches(ids, (batch) => world.rebootInstances(batch)),
    list: async (tableUid) => {
      await Promise.resolve()
      return listed({ name: `tag:${TAGS.table}`, values: [tableUid] })
    },
    describe: async (instanceIds) => {
      await Promise.resolve()
      if (instanceIds.length === 0) return []
      return listed({ name: 'instance-id', values: instanceIds })
    },
    impaired: (instanceIds) => impaired(world, instanceIds),
  }
}

/** DescribeInstanceStatus knows no filter by id: unknown ids are split off, as in `terminate`. */
async function impaired(
  world: MemoryEc2,
  instanceIds: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = []
  const outcome = await callInBatches(instanceIds, LIMITS.terminatePerCall, (ids) => {
    const answer = world.describeInstanceStatus({ instanceIds: ids })
    if (answer.answer === 'done') {
      const bad = answer.value.items.filter(({ status }) => status === 'impaired')
      found.push(...bad.map(({ instance }) => instance.instanceId))
    }
    return Promise.resolve(resultOf(answer))
  })
  const [failed] = outcome.failed
  if (failed !== undefined) {
    throw new FleetError({ text: failed.text, next: 'ask again on the next pass' })
  }
  return found
}

function launch(world: MemoryEc2, request: LaunchRequest): LaunchOutcome {
  const strategy = request.capacityType === 'spot' ? 'price-capacity-optimized' : 'lowest-price'
  const answer = world.createFleet({ ...request, strategy })
  if (answer.answer === 'lost') return { outcome: 'unknown', text: 'the answer was lost' }
  if (answer.answer === 'refused') return launchFailure(answer)
  const { instances, errors } = answer.value
  return launchAnswer({
    instances: instances.map(({ instanceId, override: { instanceType, zone } }) => ({
      instanceId,
      instanceType,
      zone,
    })),
    errors: errors.map(({ override: { instanceType, zone }, code, text }) => ({
      instanceType,
      zone,
      code,
      text,
    })),
  })
}

function resultOf(answer: Ec2Answer<unknown>): BatchResult {
  if (answer.answer === 'done') return { result: 'done' }
  if (answer.answer === 'lost') return { result: 'failed', text: 'the answer was lost' }
  return refusalOf(answer.code, answer.text)
}

/** Every page, or FleetError: half a list is no list. */
export function allPages<T>(
  call: (page: PageRequest) => Ec2Answer<Page<T>>,
  maxResults: number,
): readonly T[] {
  const items: T[] = []
  let nextToken: string | undefined
  do {
    const page = pageOf(call({ maxResults, ...(nextToken === undefined ? {} : { nextToken }) }))
    items.push(...page.items)
    nextToken = page.next
  } while (nextToken !== undefined)
  return items
}

function pageOf<T>(answer: Ec2Answer<Page<T>>): Page<T> {
  if (answer.answer === 'done') return answer.value
  const text = answer.answer === 'lost' ? 'the answer was lost' : `${answer.code}: ${answer.text}`
  throw new FleetError({ text, next: 'ask again on the next pass' })
}

function instanceOf(instance: Ec2Instance): Instance {
  const { instanceId, arn, instanceType, zone, capacityType, state, launchedAtMs } = instance
  const { tags, imageId } = instance
  return { instanceId, arn, instanceType, zone, capacityType, state, launchedAtMs, tags, imageId }
}
