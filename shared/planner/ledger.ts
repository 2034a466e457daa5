/**
 * The ledger of disruption: the one place where taking a ready replica away is granted.
 *
 * Room = available − floor. The floor is what the workload must keep: `minAvailable`, or what
 * `maxUnavailable` leaves of the desired count, whichever is more. A grant is spent at once, so a
 * drain and a roll-out of the same pass cannot both use the same room.
 */
import { isGang } from '../model/gang.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import type { WorkloadSpec } from '../model/workload.ts'
import { availableOf, minAvailableOf, rollRoom, type Running } from './replicas.ts'
import type { Target } from './target.ts'

/** Ready replicas that voluntary disruption must leave. */
export function floorOf(spec: WorkloadSpec, desired: number): number {
  const least = minAvailableOf(spec, desired)
  return Math.min(desired, Math.max(least, desired - rollRoom(spec, desired).gap))
}

/** So many ready replicas make it available: `minAvailable` where it is said, all of a gang. */
export function enoughOf(workload: WorkloadItem, allowed: number): number {
  if (isGang(workload)) return allowed
  const { spec } = workload
  const isSaid = spec.availability.minAvailable !== undefined
  return isSaid ? minAvailableOf(spec, allowed) : floorOf(spec, allowed)
}

export type Ledger = {
  /** Ready replicas now, less what was granted. */
  available(): number
  readonly desired: number
  readonly floor: number
  /** Spends one replica if `keep` ready ones remain (the floor by default); false when not. */
  grant(keep?: number): boolean
  /** Charges one that goes whatever the ledger says. */
  charge(): void
}

/** A workload's ledger for one pass; what quotas keep from it, it need not keep. */
export function openLedger(
  { workload, allowed: desired }: Pick<Target, 'workload' | 'allowed'>,
  running: Running,
  nowMs: number,
): Ledger {
  const floor = floorOf(workload.spec, desired)
  let left = availableOf(running, workload.spec, nowMs)
  return {
    desired,
    floor,
    available: () => left,
    grant: (keep = floor) => {
      if (left <= keep) return false
      left -= 1
      return true
    },
    charge: () => {
      left -= 1
    },
  }
}
