/**
 * What reconcile is told by its installation, and the ports it works through.
 */
import { z } from 'zod'
import type { Logger } from '../../base/log.ts'
import type { Balancer } from '../../cloud/balancer.ts'
import type { Bus } from '../../cloud/bus.ts'
import type { Clock } from '../../cloud/clock.ts'
import type { Fleet } from '../../cloud/fleet.ts'
import type { Metrics } from '../../cloud/metrics.ts'
import type { Queue } from '../../cloud/queue.ts'
import { LIMITS } from '../../model/limits.ts'
import { quotaPolicySchema } from '../../model/quota-policy.ts'
import type { Store } from '../../store/store.ts'
import { launchSettingsSchema } from '../launch-settings.ts'

export const reconcileSettingsSchema = z.strictObject({
  /** Names this installation in every instance's tags; the same after a restore. */
  cluster: z.string().min(1),
  region: z.string().min(1),
  account: z.string().min(1),
  launch: launchSettingsSchema,
  plan: z
    .strictObject({
      lostAfterMs: z.int().default(LIMITS.lostAfterMs),
      bootDeadlineMs: z.int().default(LIMITS.bootDeadlineMs),
      quotaPolicy: quotaPolicySchema,
    })
    .prefault({}),
})
export type ReconcileSettings = z.infer<typeof reconcileSettingsSchema>

export type ReconcilePorts = {
  readonly store: Store
  readonly history: Store
  readonly fleet: Fleet
  readonly balancer: Balancer
  readonly queue: Queue
  readonly bus: Bus
  readonly metrics: Metrics
  readonly clock: Clock
  readonly log: Logger
}
