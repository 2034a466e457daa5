/**
 * What runs for each workload in the world at this moment, whatever anybody believes.
 */
import type { Truth, TrueProcess } from '../traffic.ts'

export type RunningNow = TrueProcess & {
  readonly instanceId: string
  readonly instanceType: string
  readonly zone: string
  readonly capacityType: 'spot' | 'on-demand'
}

/** By workload name; processes on machines that are ending are left out. */
export function runningNow(truth: Truth): ReadonlyMap<string, readonly RunningNow[]> {
  const found = new Map<string, RunningNow[]>()
  for (const { instanceId, state, instanceType, zone, capacityType } of truth.instances()) {
    if (state !== 'running') continue
    for (const process of truth.processes(instanceId)) {
      const own = { ...process, instanceId, instanceType, zone, capacityType }
      const group = found.get(process.workload)
      if (group === undefined) found.set(process.workload, [own])
      else group.push(own)
    }
  }
  return found
}

/** Healthy, of one of these versions, and not told to stop. */
export function isGood(own: RunningNow, versions: readonly string[]): boolean {
  return versions.includes(own.version) && own.healthy && !own.stopping
}
