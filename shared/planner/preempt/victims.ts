/**
 * Who could give way, and the fewest on one node who would have to.
 *
 * Of what a workload runs beyond its right any replica may go, whoever needs the room by right. Of
 * the rest it goes only for work of the same team that is more important or cannot borrow, down to
 * the floor of what is guaranteed to it beside that. A replica is only taken where it frees what is
 * short.
 */
import { byKey, descending, groupBy, inOrder } from '../../base/order.ts'
import { isGang } from '../../model/gang.ts'
import { LIMITS } from '../../model/limits.ts'
import type { WorkloadItem } from '../../model/spec-item.ts'
import type { WorkloadSpec } from '../../model/workload.ts'
import type { Resources } from '../../model/quantities.ts'
import type { Slot } from '../place/board.ts'
import { deviceFit, withoutShares } from '../place/devices.ts'
import type { Want } from '../place/fill.ts'
import type { Draft } from '../fold.ts'
import { floorOf, openLedger, spareReliable } from '../ledger.ts'
import { DIMENSIONS, type Dimension } from '../quota/policy.ts'
import {
  isAvailable,
  isRunning,
  isReliable,
  minAvailableOf,
  needOfBound,
  NO_REPLICAS,
  replicasByUid,
  runningOf,
  type Replica,
} from '../replicas.ts'
import { slotSuits } from '../place/slot-suits.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Target } from '../target.ts'
import { NO_USE, openTeamUse } from './team-use.ts'

type Candidate = {
  readonly replica: Replica
  readonly target: Target
  readonly need: Resources
  readonly isAvailable: boolean
  /** How often its workload has given way lately: whoever did is spared where another will do. */
  readonly gaveWay: number
  /** Replicas that go with it, itself among them: of a gang all. */
  readonly size: number
}

/** `Reclaimed`: it ran on borrowed room. `Preempted`: its team has more important work. */
export type Victim = Candidate & {
  readonly because: 'Reclaimed' | 'Preempted'
  /** What is short and was borrowed. */
  readonly onLoan: readonly Dimension[]
}

export type VictimBook = {
  /** No work in the herd may be preempted. */
  readonly isEmpty: boolean
  /** When the first of those may go that have just begun; undefined where none has. */
  readonly nextAtMs: number | undefined
  /**
   * The fewest on the slot's node whose end makes room for one more replica of the want, those to
   * go first first; undefined when all together would not.
   */
  choose(slot: Slot, want: Want): readonly Victim[] | undefined
  /** All that run on the slot's node, where each of them has what is lacked on loan. */
  chooseAll(slot: Slot, lack: Lack): readonly Victim[] | undefined
  take(victims: readonly Victim[]): void
  /** Of gangs of which some are taken, those that are not, who go with them. */
  matesOf(victims: readonly Victim[]): readonly Victim[]
  letLive(victim: Victim): void
}

export type Lack = { readonly want: Want; readonly lacked: readonly Dimension[] }

export type VictimContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly targets: readonly Target[]
}

export function openVictims(context: VictimContext): VictimBook {
  const { candidates, left, nextAtMs } = candidatesOf(context)
  const byNode = groupBy(candidates, (own) => own.replica.node.name)
  // Where nobody runs on loan nobody needs to know what teams use.
  const hasLoans = candidates.some((own) => own.target.reclaimable > 0)
  const use = hasLoans ? openTeamUse(context) : NO_USE
  const taken = new Set<Replica>()
  const change = (victim: Victim, by: 1 | -1): void => {
    const { target, because } = victim
    const own = left.get(target.workload.uid)
    if (own === undefined) return
    use.change(target.workload.spec.team, victim.need, by)
    if (because === 'Reclaimed') own.borrowed += by
    else if (victim.isAvailable) changeRight(own, victim, by)
  }
  const victimOf = (candidate: Candidate, { want, lacked }: Lack): Victim | undefined => {
    const { target, need } = candidate
    const own = left.get(target.workload.uid)
    if (own === undefined || taken.has(candidate.replica) || !frees(candidate, lacked)) {
      return undefined
    }
    const { spec } = target.workload
    const onLoan = own.borrowed > 0 ? use.onLoan(spec.team, need, lacked) : []
    if (onLoan.length > 0) return { ...candidate, onLoan, because: 'Reclaimed' }
    if (!outranks(want.demand.target.workload.spec, spec)) return undefined
    const isProtected = candidate.isAvailable || isGang(target.workload)
    if (isProtected && isLast(own, candidate)) return undefined
    return { ...candidate, onLoan, because: 'Preempted' }
  }
  const take = (victim: Victim): void => {
    taken.add(victim.replica)
    change(victim, -1)
  }
  const letLive = (victim: Victim): void => {
    taken.delete(victim.replica)
    change(victim, 1)
  }
  const chooseFrom = makeChooser({ victimOf, take, letLive })
  return {
    ...{ isEmpty: candidates.length === 0, nextAtMs, letLive },
    take: (victims) => victims.forEach(take),
    matesOf: (victims) => matesIn(candidates, { victims, taken }),
    choose: (slot, want) => {
      const own = byNode.get(slot.node) ?? []
      // What is borrowed is a number of replicas, and the newest may be the smaller ones.
      return chooseFrom(own, slot, want) ?? chooseFrom(largestFirst(own, slot, want), slot, want)
    },
    chooseAll: ({ node, replicas }, lack) => {
      const chosen: Victim[] = []
      for (const candidate of byNode.get(node) ?? []) {
        const victim = victimOf(candidate, lack)
        if (victim?.because !== 'Reclaimed') break
        take(victim)
        chosen.push(victim)
      }
      chosen.forEach(letLive)
      return chosen.length === replicas ? chosen : undefined
    },
  }
}

type Hands = Pick<VictimBook, 'letLive'> & {
  readonly victimOf: (candidate: Candidate, lack: Lack) => Victim | undefined
  readonly take: (victim: Victim) => void
}

/** In the order given, as many as it takes, and of those the ones that are needed. */
function makeChooser({ victimOf, take, letLive }: Hands) {
  return (order: readonly Candidate[], slot: Slot, want: Want): readonly Victim[] | undefined => {
    const { uid } = want.demand.target.workload
    const chosen: Victim[] = []
    let cleared = slot
    for (const candidate of order) {
      if (slotSuits(cleared, want)) break
      if (candidate.target.workload.uid === uid) continue
      const victim = victimOf(candidate, { want, lacked: lackedOn(cleared, want) })
      if (victim === undefined) continue
      take(victim)
      chosen.push(victim)
      cleared = without(cleared, victim)
    }
    chosen.forEach(letLive)
    return slotSuits(cleared, want) ? needed(chosen, cleared, want) : undefined
  }
}

type Going = { readonly victims: readonly Victim[]; readonly taken: ReadonlySet<Replica> }

function matesIn(candidates: readonly Candidate[], { victims, taken }: Going): readonly Victim[] {
  const byUid = new Map(victims.map((own) => [own.target.workload.uid, own]))
  return candidates.flatMap((own): readonly Victim[] => {
    const first = byUid.get(own.target.workload.uid)
    if (first === undefined || !isGang(own.target.workload) || taken.has(own.replica)) return []
    return [{ ...own, because: first.because, onLoan: first.onLoan }]
  })
}

/** Inside one team: the more important, and of equals what can run by right alone. */
function outranks(spec: WorkloadSpec, other: WorkloadSpec): boolean {
  if (spec.team !== other.team || !mayBePreempted(other)) return false
  if (spec.priority !== other.priority) return spec.priority > other.priority
  return !spec.preemptible && other.preemptible
}

function mayBePreempted(spec: WorkloadSpec): boolean {
  return spec.preemptible
}

/** What a workload may still lose: of what it borrows, and of what is guaranteed to it. */
type Left = {
  borrowed: number
  guaranteed: number
  /** Of the latter, on on-demand nodes. */
  reliable: number
}

function changeRight(left: Left, { replica }: Candidate, by: 1 | -1): void {
  left.guaranteed += by
  if (isReliable(replica)) left.reliable += by
}

/** Without it the workload would have less than is guaranteed to it, or less that is reliable. */
const isLast = (left: Left, { replica }: Candidate): boolean =>
  left.guaranteed <= 0 || (isReliable(replica) && left.reliable <= 0)

type Candidates = {
  /** Those to go first first: the borrowers', the least important, the newest. */
  readonly candidates: readonly Candidate[]
  /** By workload uid. */
  readonly left: ReadonlyMap<string, Left>
  readonly nextAtMs: number | undefined
}

function candidatesOf({ snapshot, draft, targets }: VictimContext): Candidates {
  const { nowMs } = snapshot
  const replicas = replicasByUid(draft)
  const reclaims = new Map(snapshot.workloadStatuses.map((own) => [own.uid, own.reclaims ?? []]))
  const left = new Map<string, Left>()
  let nextMs = Infinity
  const candidates = targets
    .filter((own) => mayBePreempted(own.workload.spec) || own.reclaimable > 0)
    .flatMap((target): readonly Candidate[] => {
      const { workload, reclaimable } = target
      const group = replicas.get(workload.uid) ?? NO_REPLICAS
      const counts = (reclaims.get(workload.uid) ?? []).map((own) => own.count)
      const gaveWay = Math.max(0, ...counts)
      const allowed = target.allowed - reclaimable
      const running = runningOf(group)
      const ledger = openLedger({ workload, allowed }, running, nowMs)
      const reliable = spareReliable(workload.spec, { running, desired: allowed, nowMs })
      // Protected is what is left to it by right once the more important work has its own.
      const floor = protectedOf(workload, Math.min(allowed, target.guaranteed))
      const guaranteed = Math.min(ledger.available(), allowed) - floor
      left.set(workload.uid, { borrowed: reclaimable, guaranteed, reliable })
      const size = isGang(workload) ? running.all.length : 1
      return group.filter(isRunning).flatMap((own): readonly Candidate[] => {
        const fromMs = own.bound.assignedAtMs + LIMITS.reclaimMinRuntimeMs
        if (nowMs < fromMs) {
          nextMs = Math.min(nextMs, fromMs)
          return []
        }
        const need = needOfBound(own, draft)
        const isCounted = isAvailable(own, workload.spec, nowMs)
        return [{ replica: own, target, need, isAvailable: isCounted, gaveWay, size }]
      })
    })
    .sort(
      inOrder(
        byKey((own) => (own.target.reclaimable > 0 ? 0 : 1)),
        byKey((own) => own.target.workload.spec.priority),
        byKey((own) => own.gaveWay),
        descending(byKey((own) => own.replica.bound.assignedAtMs)),
        byKey((own) => own.replica.bound.id),
      ),
    )
  return { candidates, left, nextAtMs: nextMs === Infinity ? undefined : nextMs }
}

/** Ready replicas that it keeps; a gang all of them, where it says so, or else none. */
function protectedOf(workload: WorkloadItem, desired: number): number {
  const { spec } = workload
  return isGang(workload) ? minAvailableOf(spec, desired) : floorOf(spec, desired)
}

/** Those that free most of what is scarcest there; nobody where all are of one size. */
function largestFirst(
  candidates: readonly Candidate[],
  slot: Slot,
  want: Want,
): readonly Candidate[] {
  const [first] = candidates
  if (first === undefined || candidates.every((own) => isAsLarge(own, first))) return []
  const { need } = want.demand
  const lacked = lackedOn(slot, want)
  const freed = (own: Candidate): number =>
    Math.min(...lacked.map((one) => own.need[one] / Math.max(1, need[one])))
  return candidates.toSorted(descending(byKey(freed)))
}

const isAsLarge = (a: Candidate, b: Candidate): boolean =>
  DIMENSIONS.every((own) => a.need[own] === b.need[own])

/** Where it has no place left for one more, all that anybody takes. */
function lackedOn(slot: Slot, { demand: { need } }: Want): Lack['lacked'] {
  if (slot.replicas >= LIMITS.replicasPerNodeMax) return DIMENSIONS
  const isShort = {
    cpuMilli: slot.freeCpuMilli < need.cpuMilli,
    memoryMib: slot.freeMemoryMib < need.memoryMib,
    gpuMilli: deviceFit(slot.freeDevices, need.gpuMilli) === 0,
  }
  return DIMENSIONS.filter((own) => isShort[own])
}

/** True when the candidate's end frees something of what is lacked. */
const frees = ({ need }: Candidate, lacked: Lack['lacked']): boolean =>
  lacked.some((own) => need[own] > 0)

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
    freeDiskMib: slot.freeDiskMib - by * need.diskMib,
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
