/**
 * A spot storm: EC2 takes back a share of the spot machines, place by place, and sells nothing
 * there for a while.
 */
import { byKey, groupBy } from '#shared/base/order.ts'
import { hashOf } from '#shared/base/random.ts'
import type { MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import type { Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import type { Agenda } from './agenda.ts'

export type Storm = {
  readonly atMs: number
  /** Of the spot machines, from 0 to 1. */
  readonly share: number
}

const DRY_MS = 3_600_000

/** Machines that were taken back. */
export function strike(
  { ec2, agenda, seed }: { ec2: MemoryEc2; agenda: Agenda; seed: number },
  { share }: Pick<Storm, 'share'>,
): number {
  const spot = ec2
    .instances()
    .filter((own) => own.capacityType === 'spot' && own.state === 'running')
  const places = [...groupBy(spot, placeOf).entries()].toSorted(
    byKey(([place]) => hashOf(seed, `${place} ${String(agenda.now())}`)),
  )
  let left = Math.round(spot.length * share)
  const struck = left
  for (const [, instances] of places) {
    if (left === 0) break
    const taken = instances.slice(0, left)
    left -= taken.length
    for (const { instanceId } of taken) ec2.interrupt(instanceId)
    dryUp(ec2, agenda, taken)
  }
  return struck
}

const placeOf = ({ instanceType, zone }: Ec2Instance): string => `${instanceType}/${zone}`

function dryUp(ec2: MemoryEc2, agenda: Agenda, [first]: readonly Ec2Instance[]): void {
  if (first === undefined) return
  const { instanceType, zone } = first
  const place = { instanceType, zone, capacityType: 'spot' } as const
  const capacity = ec2.offerings().find((own) => isAt(own, place))?.capacity ?? 0
  ec2.setOffering({ ...place, capacity: 0 })
  agenda.at(agenda.now() + DRY_MS, () => {
    ec2.setOffering({ ...place, capacity })
  })
}

type Where = Pick<Ec2Instance, 'instanceType' | 'zone' | 'capacityType'>

const isAt = (own: Where, place: Where): boolean =>
  own.instanceType === place.instanceType &&
  own.zone === place.zone &&
  own.capacityType === place.capacityType
