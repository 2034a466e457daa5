/**
 * An installation that stands in memory alone: nobody looks its launch templates or subnets up.
 *
 * Simulations, replays and tests run reconcile with it on the emulated EC2.
 */
import { DEFAULT_ZONES, REGION } from '../../catalog/zones.ts'
import { reconcileSettingsSchema, type ReconcileSettings } from './settings.ts'

export const MEMORY_ACCOUNT = '000000000000'

/** With machines to be had in each of the default zones. */
export function memoryInstallation(cluster: string): ReconcileSettings {
  return reconcileSettingsSchema.parse({
    ...{ cluster, region: REGION, account: MEMORY_ACCOUNT },
    launch: {
      launchTemplates: {
        amd64: { id: 'lt-1', version: '1' },
        arm64: { id: 'lt-2', version: '1' },
        gpu: { id: 'lt-3', version: '1' },
      },
      subnets: Object.fromEntries(DEFAULT_ZONES.map((zone) => [zone, `subnet-${zone}`])),
    },
  })
}
