/**
 * The prices port: what EC2 sells, where, and for how much. `market` reads it on a schedule.
 */
import type { InstanceType } from '../model/machine.ts'

export type ZonePrices = {
  zone: string
  /** USD an hour by instance type; a missing price means that it is not sold there. */
  prices: Readonly<Record<string, { onDemand?: number; spot?: number }>>
}

export type Prices = {
  /** Shapes of current instance types as EC2 tells them. */
  instanceTypes(): Promise<readonly InstanceType[]>
  zones(): Promise<readonly ZonePrices[]>
}
