/**
 * The ledger: no stop that it binds takes a workload below its floor, and every stop has a reason
 * that holds.
 *
 * Judged by what the pass read: what was available in its scan, less every stop that it has
 * ordered. A drain is replacement first: a ready replica is *Moved* only when the workload has its
 * full count without it. A roll-out, and a drain at a pool's limit, may go down to the floor. Stops
 * at a deadline, of a deleted workload and of replicas scaled in are charged and not bound.
 */
import type { BoundReplica } from '#shared/model/assignment.ts'
import { isGang } from '#shared/model/gang.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { WorkloadItem } from '#shared/model/spec-item.ts'
import { keys } from '#shared/store/keys.ts'
import type { Caller, SeenOf } from '../traffic.ts'
import {
  allowedIn,
  availableIn,
  desiredOf,
  floorOf,
  reliableFloorOf,
  runningIn,
} from './available.ts'
import { bodyChange, isBody } from './body-changes.ts'
import type { OpenPass } from './passes.ts'
import { quotasIn } from './quotas-in-use.ts'
import { CLOCK_SLACK_MS, firstOf, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Scan } from './scan.ts'

const RULE = '3 ledger'

/** Stops that are charged and not bound. */
const FORCED: ReadonlySet<string> = new Set([
  'Deadline',
  'ScaledIn',
  'WorkloadDeleted',
  'Reclaimed',
  // A gang runs whole or not at all: whether it was right to stop it is for other rules to say.
  'GangRestart',
  'GangDeadline',
])

/** A pass's stops of one workload, by replica: the reason's code. */
type Stops = Map<string, string>

export function makeLedger({ books, passes }: Knowledge): Rule {
  /** By the pass's label, then by the workload's uid. */
  const ordered = new Map<string, Map<string, { workload: string; stops: Stops }>>()

  const takeStop = (by: Caller, bound: BoundReplica): void => {
    const ofPass = ordered.get(by.label) ?? new Map<string, { workload: string; stops: Stops }>()
    ordered.set(by.label, ofPass)
    const own = ofPass.get(bound.uid) ?? { workload: bound.workload, stops: new Map() }
    ofPass.set(bound.uid, own)
    own.stops.set(bound.id, bound.stopReason?.code ?? '')
  }
  const judgePass = (by: Caller, uids?: ReadonlySet<string>): Breach | undefined => {
    const pass = passes.of(by)
    const { scan } = pass ?? {}
    if (pass === undefined || scan === undefined) return undefined
    return firstOf(ordered.get(by.label) ?? [], ([uid, { workload, stops }]) => {
      if (uids !== undefined && !uids.has(uid)) return undefined
      const text = wrongStops(scan, pass, { uid, workload, stops })
      if (text === undefined) return undefined
      return { rule: RULE, text: `${by.label}, workload ${workload}: ${text}` }
    })
  }
  const judgeReason = (
    node: string,
    bound: BoundReplica,
    { atMs, by }: SeenOf<'write'>,
  ): string | undefined => {
    const code = bound.stopReason?.code
    if (code === undefined) return `${bound.id} on ${node} was told to stop without a reason`
    if (code === 'Deadline') return wrongDeadline(bound, books.nodes.get(node), atMs)
    const scan = passes.of(by)?.scan
    if (code !== 'WorkloadDeleted' || scan === undefined) return undefined
    const item = scan.get(keys.spec('workload', bound.workload))
    const isGone = item?.['uid'] !== bound.uid || typeof item['deletedAtMs'] === 'number'
    return isGone ? undefined : `${bound.id} was told to stop, and its workload is not deleted`
  }
  return {
    see: {
      write: (seen) => {
        if (seen.by.role !== 'reconcile') return undefined
        const uids = new Set<string>()
        let wrong: Breach | undefined
        for (const change of seen.changes) {
          if (!isBody(change)) continue
          const { after, stopped } = bodyChange(change)
          for (const bound of stopped) {
            takeStop(seen.by, bound)
            uids.add(bound.uid)
            const text = judgeReason(after?.node ?? '', bound, seen)
            if (text !== undefined) wrong ??= { rule: RULE, text: `${seen.by.label}: ${text}` }
          }
        }
        if (uids.size === 0) return undefined
        return wrong ?? judgePass(seen.by, uids)
      },
      over: ({ by }) => {
        const found = judgePass(by)
        ordered.delete(by.label)
        return found
      },
    },
  }
}

function wrongDeadline(
  { id, graceSeconds, balanced }: BoundReplica,
  node: { name: string; drain?: { deadlineMs: number } | undefined } | undefined,
  atMs: number,
): string | undefined {
  const deadlineMs = node?.drain?.deadlineMs
  if (deadlineMs === undefined) return `${id} met a deadline, and its node is not drained`
  // Who leaves a load balancer first needs some time for that.
  const leadMs = balanced === undefined ? 0 : LIMITS.deregisterLeadMs
  const earlyMs = deadlineMs - graceSeconds * 1000 - leadMs - atMs
  if (earlyMs <= CLOCK_SLACK_MS) return undefined
  return `${id} on ${node?.name ?? ''} was stopped ${String(earlyMs)} ms before its deadline`
}

/** Not soaked yet by the pass's own clock: it may be taken for available, or not. */
function isSoaking(scan: Scan, { uid, spec }: WorkloadItem, id: string): boolean {
  const own = scan.replicasOf(uid).find(({ bound }) => bound.id === id)
  const readySinceMs = own?.bound.readySinceMs ?? -Infinity
  const soakMs = spec.rollout.minReadySeconds * 1000
  return soakMs > 0 && scan.atMs - readySinceMs < soakMs + CLOCK_SLACK_MS
}

type Told = { readonly uid: string; readonly workload: string; readonly stops: Stops }

function wrongStops(scan: Scan, pass: OpenPass, told: Told): string | undefined {
  const workload = scan.workload(told.workload)
  if (workload === undefined || workload.uid !== told.uid) return undefined
  const desired = desiredOf(workload)
  const available = availableIn(scan, pass, workload)
  let [forced, moved, others] = [0, 0, 0]
  let scaledIn = 0
  for (const [id, code] of told.stops) {
    if (code === 'ScaledIn') scaledIn += 1
    if (!available.has(id) || isSoaking(scan, workload, id)) continue
    if (FORCED.has(code)) forced += 1
    else if (code === 'Moved') moved += 1
    else others += 1
  }
  const seen = `${String(available.size)} of ${String(desired)} were available`
  const codes = [...told.stops].map(([id, code]) => `${id} ${code}`).join(', ')
  if (scaledIn > 0) {
    const running = runningIn(scan, pass, told.uid).length
    if (running - scaledIn < desired) {
      return `${String(running)} were told to run, ${String(desired)} are wanted; stopped: ${codes}`
    }
  }
  // What a quota keeps from it, a workload need not keep; how much that is others judge.
  if (!quotasIn(scan).isCovered(workload)) return undefined
  const afterMoves = available.size - forced - moved
  const allowed = allowedIn(scan, workload)
  if (moved > 0 && afterMoves < allowed) {
    return `${seen}, ${String(afterMoves)} are left before a replacement; stopped: ${codes}`
  }
  const isLoose = isGang(workload) && workload.spec.availability.minAvailable === undefined
  // A gang is one victim: what is not protected as a whole goes as a whole.
  const floor = isLoose ? 0 : floorOf(workload.spec, allowed)
  const left = afterMoves - others
  if (others > 0 && left < floor) {
    return `${seen}, ${String(left)} are left, the floor is ${String(floor)}; stopped: ${codes}`
  }
  return isGang(workload) ? undefined : unreliable(scan, { workload, allowed, available, told })
}

type Stopping = {
  readonly workload: WorkloadItem
  readonly allowed: number
  readonly available: ReadonlySet<string>
  readonly told: Told
}

/** What goes of its own accord leaves enough of those on on-demand nodes. */
function unreliable(
  scan: Scan,
  { workload, allowed, available, told }: Stopping,
): string | undefined {
  const floor = reliableFloorOf(workload.spec, allowed)
  const there = scan
    .replicasOf(told.uid)
    .flatMap(({ bound, node }) =>
      node.capacityType === 'on-demand' && available.has(bound.id) ? bound.id : [],
    )
  const codes = there.map((id) => (isSoaking(scan, workload, id) ? undefined : told.stops.get(id)))
  const gone = codes.filter((code) => code !== undefined)
  const left = there.length - gone.length
  if (gone.every((code) => FORCED.has(code)) || left >= floor) return undefined
  const seen = `${String(left)} of ${String(there.length)} available ones on on-demand nodes`
  return `${seen} are left, the floor is ${String(floor)}; stopped: ${gone.join(', ')}`
}
