/**
 * The events EC2 puts on EventBridge's default bus, in their full envelopes.
 *
 * `resources` has two forms on purpose, as on AWS: spot and rebalance events carry an ARN with the
 * zone and no account, state changes the real one. Whoever parses it instead of `detail` finds out
 * here. Source: EC2 user guide, "Automate with EventBridge".
 */
import type { Ec2Event, Ec2Instance } from './types.ts'
import { hexOf, type World } from './world.ts'

/** ISO 8601 with whole seconds, as EC2 writes moments. */
export function isoSeconds(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z')
}

type Facts = {
  readonly detailType: string
  readonly atMs: number
  readonly resource: string
  readonly detail: Readonly<Record<string, string>>
}

function emit(world: World, facts: Facts): void {
  const { onEvent } = world.hooks
  const event: Ec2Event = {
    version: '0',
    id: eventId(world),
    'detail-type': facts.detailType,
    source: 'aws.ec2',
    account: world.options.account,
    time: isoSeconds(facts.atMs),
    region: world.options.region,
    resources: [facts.resource],
    detail: facts.detail,
  }
  if (onEvent !== undefined) {
    world.outbox.push(() => {
      onEvent(event)
    })
  }
}

function eventId({ random }: World): string {
  const hex = hexOf(random, 32)
  const cuts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return [...cuts, hex.slice(20)].join('-')
}

const zonal = (instance: Ec2Instance): string =>
  `arn:aws:ec2:${instance.zone}:instance/${instance.instanceId}`

export function emitStateChange(world: World, instance: Ec2Instance, atMs: number): void {
  emit(world, {
    detailType: 'EC2 Instance State-change Notification',
    atMs,
    resource: instance.arn,
    detail: { 'instance-id': instance.instanceId, state: instance.state },
  })
}

export function emitSpotWarning(world: World, instance: Ec2Instance, atMs: number): void {
  emit(world, {
    detailType: 'EC2 Spot Instance Interruption Warning',
    atMs,
    resource: zonal(instance),
    detail: { 'instance-id': instance.instanceId, 'instance-action': 'terminate' },
  })
}

export function emitRebalance(world: World, instance: Ec2Instance, atMs: number): void {
  emit(world, {
    detailType: 'EC2 Instance Rebalance Recommendation',
    atMs,
    resource: zonal(instance),
    detail: { 'instance-id': instance.instanceId },
  })
}
