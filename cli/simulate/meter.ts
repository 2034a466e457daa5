/**
 * What EC2 bills: each instance from `running` to `shutting-down`, spot at the price of the hour.
 *
 * Prices stand still within an hour, so the meter is read on every hour and whenever an instance
 * comes or goes, and never estimates.
 */
import type { MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import type { Ec2Event, Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import type { CapacityType } from '#shared/model/machine.ts'

export type Bill = Readonly<Record<CapacityType, number>>

export type Meter = {
  /** A state change of an instance. */
  take(event: Ec2Event): void
  /** USD until now; to be asked on every hour at least. */
  bill(): Bill
  /** USD an hour, just now. */
  rate(): Bill
}

const HOUR_MS = 3_600_000

export function makeMeter(ec2: () => MemoryEc2, now: () => number): Meter {
  const running = new Map<string, Ec2Instance>()
  const total = { spot: 0, 'on-demand': 0 }
  let readAtMs = now()
  const rate = (): Bill => {
    const sums = { spot: 0, 'on-demand': 0 }
    for (const own of running.values()) {
      sums[own.capacityType] += ec2().priceUsdPerHour(own) ?? own.priceUsdPerHour
    }
    return sums
  }
  const read = (): void => {
    const hours = (now() - readAtMs) / HOUR_MS
    readAtMs = now()
    if (hours === 0) return
    const { spot, 'on-demand': onDemand } = rate()
    total.spot += spot * hours
    total['on-demand'] += onDemand * hours
  }
  return {
    take: ({ detail }) => {
      const instanceId = detail['instance-id'] ?? ''
      const instance = ec2().instance(instanceId)
      if (detail['state'] === 'running' && instance !== undefined) {
        read()
        running.set(instanceId, instance)
      } else if (detail['state'] === 'shutting-down' && running.has(instanceId)) {
        read()
        running.delete(instanceId)
      }
    },
    bill: () => {
      read()
      return { ...total }
    },
    rate,
  }
}
