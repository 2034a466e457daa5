/**
 * EC2's request throttling: a token bucket for each action, and one for the instances terminated.
 *
 * Source: Amazon EC2 developer guide, "Request throttling". A refused call takes no tokens.
 */
import type { Bucket, Refusal } from './types.ts'
import { refuse, type World } from './world.ts'

export type Action =
  | 'CreateFleet'
  | 'TerminateInstances'
  | 'RebootInstances'
  | 'DescribeInstances'
  | 'DescribeInstanceStatus'
  | 'DescribeInstanceTypes'
  | 'DescribeInstanceTypeOfferings'
  | 'DescribeSpotPriceHistory'

type Draw = { readonly name: string; readonly bucket: Bucket; readonly tokens: number }

function drawsOf(
  { options: { buckets } }: World,
  action: Action,
  cost: { instances?: number; everything?: boolean },
): readonly Draw[] {
  const one = (name: string, bucket: Bucket): Draw => ({ name, bucket, tokens: 1 })
  if (action === 'TerminateInstances') {
    const tokens = cost.instances ?? 1
    const resource = { name: 'terminated instances', bucket: buckets.terminatedInstances, tokens }
    return [one(action, buckets.terminate), resource]
  }
  if (action === 'CreateFleet' || action === 'RebootInstances') {
    return [one(action, buckets.mutating)]
  }
  return cost.everything === true
    ? [one(`${action} of everything`, buckets.describeEverything)]
    : [one(action, buckets.describe)]
}

function levelOf(world: World, { name, bucket }: Draw, nowMs: number): number {
  const last = world.buckets.get(name)
  if (last === undefined) return bucket.size
  const refilled = last.tokens + (Math.max(0, nowMs - last.atMs) / 1_000) * bucket.refillPerSecond
  return Math.min(bucket.size, refilled)
}

/** Takes the call's tokens, or says why there are not enough. */
export function throttle(
  world: World,
  action: Action,
  cost: { instances?: number; everything?: boolean } = {},
): Refusal | undefined {
  const nowMs = world.clock()
  const draws = drawsOf(world, action, cost)
  const short = draws.some((draw) => levelOf(world, draw, nowMs) < draw.tokens)
  if (short || world.random.chance(world.faults.throttleRate)) {
    return refuse('RequestLimitExceeded', 'Request limit exceeded.', 503)
  }
  for (const draw of draws) {
    const tokens = levelOf(world, draw, nowMs) - draw.tokens
    world.buckets.set(draw.name, { tokens, atMs: nowMs })
  }
  return undefined
}
