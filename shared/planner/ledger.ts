/**
 * The ledger of disruption: the one place where taking a ready replica away is granted.
 *
 * Room = available − floor. The floor is what the workload must keep: `minAvailable`, or what
 * `maxUnavailable` leaves of the desired count, whichever is more. What runs on on-demand nodes has
 * a floor of its own below which nobody goes, `minReliable`. A grant is spent at once, so a drain
 * and a roll-out of the same pass cannot both use the same room.
 */
import { isGang } from '../model/gang.ts'
import type { WorkloadItem } from '../model/spec-item.ts'
import type { WorkloadSpec } from '../model/workload.ts'
import {
  availableOf,
  isAvailable,
  isReliable,
  minAvailableOf,
  minReliableOf,
  rollRoom,
  type Replica,
  type Running,
} from './replicas.ts'
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
  /** Spends the replica if `keep` ready ones remain (the floor by default); false when not. */
  grant(replica: Replica, keep?: number): boolean
  /** Charges one that goes whatever the ledger says. */
  charge(replica: Replica): void
}

/** A workload's ledger for one pass; what quotas keep from it, it need not keep. */
export function openLedger(
  { workload, allowed: desired }: Pick<Target, 'workload' | 'allowed'>,
  running: Running,
  nowMs: number,
): Ledger {
  const { spec } = workload
  const floor = floorOf(spec, desired)
  let left = availableOf(running, spec, nowMs)
  let spare = spareReliable(spec, { running, desired, nowMs })
  const charge = (replica: Replica): void => {
    left -= 1
    if (isReliable(replica)) spare -= 1
  }
  return {
    desired,
    floor,
    available: () => left,
    grant: (replica, keep = floor) => {
      if (left <= keep || (isReliable(replica) && spare <= 0)) return false
      charge(replica)
      return true
    },
    charge,
  }
}

type Count = { readonly running: Running; readonly desired: number; readonly nowMs: number }

/** Available replicas on on-demand nodes beyond `minReliable`; Infinity where that asks nothing. */
export function spareReliable(spec: WorkloadSpec, { running, desired, nowMs }: Count): number {
  const least = Math.min(desired, minReliableOf(spec, desired))
  if (least === 0) return Infinity
  const there = running.all.filter((own) => isReliable(own) && isAvailable(own, spec, nowMs))
  return there.length - least
}
