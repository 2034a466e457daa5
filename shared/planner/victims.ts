/**
 * Who could give way, and the fewest on one node who would have to.
 *
 * Of what a workload runs beyond its right any replica may go, whoever needs the room by right. Of
 * the rest it goes only for work of the same team that is more important or cannot borrow, down to
 * the floor of what is guaranteed to it beside that. A replica is only taken where it frees what is
 * short.
 */
import { byKey, descending, groupBy, inOrder } from '../base/order.ts'
import { templateKey } from '../model/assignment.ts'
import { LIMITS } from '../model/limits.ts'
import type { WorkloadSpec } from '../model/workload.ts'
import type { Resources } from '../model/quantities.ts'
import type { Slot } from './board.ts'
import { deviceFit, withoutShares } from './devices.ts'
import type { Want } from './fill.ts'
import type { Draft } from './fold.ts'
import { floorOf, openLedger } from './ledger.ts'
import {
  isAvailable,
  isRunning,
  NO_REPLICAS,
  replicasByUid,
  runningOf,
  type Replica,
} from './replicas.ts'
import { weightOf } from './revision.ts'
import { slotSuits } from './slot-suits.ts'
import type { Snapshot } from './snapshot.ts'
import type { Target } from './target.ts'

type Candidate = {
  readonly replica: Replica
  readonly target: Target
  readonly need: Resources
  readonly isAvailable: boolean
}

/** `Reclaimed`: it ran on borrowed room. `Preempted`: its team has more important work. */
export type Victim = Candidate & { readonly because: 'Reclaimed' | 'Preempted' }

export type VictimBook = {
  /** No work in the herd may be preempted. */
  readonly isEmpty: boolean
  /**
   * The fewest on the slot's node whose end makes room for one more replica of the want, those to
   * go first first; undefined when all together would not.
   */
  choose(slot: Slot, want: Want): readonly Victim[] | undefined
  take(victims: readonly Victim[]): void
  letLive(victim: Victim): void
}

export type VictimContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly targets: readonly Target[]
}

export function openVictims(context: VictimContext): VictimBook {
  const { candidates, left } = candidatesOf(context)
  const byNode = groupBy(candidates, (own) => own.replica.node.name)
  const taken = new Set<Replica>()
  const change = ({ target, because, isAvailable: isCounted }: Victim, by: 1 | -1): void => {
    const own = left.get(target.workload.uid)
    if (own === undefined) return
    if (because === 'Reclaimed') own.borrowed += by
    else if (isCounted) own.guaranteed += by
  }
  const why = (
    { target, isAvailable: isCounted }: Candidate,
    want: Want,
  ): Victim['because'] | undefined => {
    const { workload } = want.demand.target
    const own = left.get(target.workload.uid)
    if (own === undefined || target.workload.uid === workload.uid) return undefined
    if (own.borrowed > 0) return 'Reclaimed'
    if (!outranks(workload.spec, target.workload.spec)) return undefined
    return isCounted && own.guaranteed <= 0 ? undefined : 'Preempted'
  }
  const take = (victim: Victim): void => {
    taken.add(victim.replica)
    change(victim, -1)
  }
  const letLive = (victim: Victim): void => {
    taken.delete(victim.replica)
    change(victim, 1)
  }
  return {
    isEmpty: candidates.length === 0,
    take: (victims) => victims.forEach(take),
    letLive,
    choose: (slot, want) => {
      const chosen: Victim[] = []
      let cleared = slot
      for (const candidate of byNode.get(slot.node) ?? []) {
        if (slotSuits(cleared, want)) break
        const because = taken.has(candidate.replica) ? undefined : why(candidate, want)
        if (because === undefined || !helps(candidate, cleared, want)) continue
        const victim = { ...candidate, because }
        take(victim)
        chosen.push(victim)
        cleared = without(cleared, victim)
      }
      chosen.forEach(letLive)
      return slotSuits(cleared, want) ? needed(chosen, cleared, want) : undefined
    },
  }
}

/** Inside one team: the more important, and of equals what can run by right alone. */
function outranks(spec: WorkloadSpec, other: WorkloadSpec): boolean {
  if (spec.team !== other.team) return false
  if (spec.priority !== other.priority) return spec.priority > other.priority
  return !spec.preemptible && other.preemptible
}

/** What a workload may still lose: of what it borrows, and of what is guaranteed to it. */
type Left = { borrowed: number; guaranteed: number }

type Candidates = {
  /** Those to go first first: the borrowers', the least important, the newest. */
  readonly candidates: readonly Candidate[]
  /** By workload uid. */
  readonly left: ReadonlyMap<string, Left>
}

function candidatesOf({ snapshot: { nowMs }, draft, targets }: VictimContext): Candidates {
  const replicas = replicasByUid(draft)
  const left = new Map<string, Left>()
  const candidates = targets
    .filter((own) => own.workload.spec.preemptible)
    .flatMap((target): readonly Candidate[] => {
      const { workload, reclaimable } = target
      const group = replicas.get(workload.uid) ?? NO_REPLICAS
      const allowed = target.allowed - reclaimable
      const ledger = openLedger({ workload, allowed }, runningOf(group), nowMs)
      // Protected is what is left to it by right once the more important work has its own.
      const floor = floorOf(workload.spec, Math.min(allowed, target.guaranteed))
      const guaranteed = Math.min(ledger.available(), allowed) - floor
      left.set(workload.uid, { borrowed: reclaimable, guaranteed })
      return group
        .filter((own) => hasRun(own, nowMs))
        .flatMap((own) => {
          const template = draft.assignments.get(own.node.name)?.templates[templateKey(own.bound)]
          if (template === undefined) return []
          const { need } = weightOf(template)
          return { replica: own, target, need, isAvailable: isAvailable(own, workload.spec, nowMs) }
        })
    })
    .sort(
      inOrder(
        byKey((own) => (own.target.reclaimable > 0 ? 0 : 1)),
        byKey((own) => own.target.workload.spec.priority),
        descending(byKey((own) => own.replica.bound.assignedAtMs)),
        byKey((own) => own.replica.bound.id),
      ),
    )
  return { candidates, left }
}

function hasRun(replica: Replica, nowMs: number): boolean {
  return isRunning(replica) && nowMs - replica.bound.assignedAtMs >= LIMITS.reclaimMinRuntimeMs
}

/** True when the candidate's end frees something of which the slot has too little for the want. */
function helps({ need, replica }: Candidate, slot: Slot, { demand }: Want): boolean {
  return (
    (need.cpuMilli > 0 && slot.freeCpuMilli < demand.need.cpuMilli) ||
    (need.memoryMib > 0 && slot.freeMemoryMib < demand.need.memoryMib) ||
    (replica.bound.gpus.length > 0 && deviceFit(slot.freeDevices, demand.need.gpuMilli) === 0) ||
    slot.replicas >= LIMITS.replicasPerNodeMax
  )
}

/** What one replica takes of its node. */
type Taken = Pick<Candidate, 'need'> & { readonly replica: Pick<Replica, 'bound'> }

/** The slot once the replica has gone. */
export const without = (slot: Slot, taken: Taken): Slot => changed(slot, taken, -1)

/** The slot with the replica as before. */
export const withVictim = (slot: Slot, taken: Taken): Slot => changed(slot, taken, 1)

function changed(slot: Slot, { need, replica }: Taken, by: 1 | -1): Slot {
  const shares = replica.bound.gpus.map(({ index, milli }) => ({ index, milli: by * milli }))
  return {
    ...slot,
    freeCpuMilli: slot.freeCpuMilli - by * need.cpuMilli,
    freeMemoryMib: slot.freeMemoryMib - by * need.memoryMib,
    freeDevices: withoutShares(slot.freeDevices, shares),
    replicas: slot.replicas + by,
  }
}

/** The reverse pass: whoever would go last lives if there is room for all the same. */
function needed(chosen: readonly Victim[], cleared: Slot, want: Want): readonly Victim[] {
  let slot = cleared
  return chosen
    .toReversed()
    .filter((victim) => {
      const kept = withVictim(slot, victim)
      if (!slotSuits(kept, want)) return true
      slot = kept
      return false
    })
    .reverse()
}
