/**
 * Takes replicas away where that is due: off nodes that must go, and old versions of a roll-out.
 *
 * Replacement first: a ready replica on a leaving node is stopped only once the workload has its
 * full count without it, or the deadline is near, or its pool is at its limit and the order must
 * turn. Drains are served before roll-outs, from the same ledger.
 */
import { byKey, inOrder } from '../base/order.ts'
import { isGang } from '../model/gang.ts'
import { LIMITS } from '../model/limits.ts'
import type { Reason } from '../model/status.ts'
import type { Action } from './actions.ts'
import type { Draft } from './fold.ts'
import { openLedger, type Ledger } from './ledger.ts'
import { isVoluntary } from './repack/groups.ts'
import {
  isAvailable,
  isLeaving,
  isMovingOff,
  isRunning,
  NO_REPLICAS,
  replicasByUid,
  runningOf,
  type Replica,
} from './replicas.ts'
import { rollStops } from './rollout/stops.ts'
import { stoppingIn, type Target } from './target.ts'

export type DrainContext = {
  readonly draft: Draft
  readonly targets: readonly Target[]
  /** Uids of workloads that wait because a pool is at its limit. */
  readonly atLimit: ReadonlySet<string>
  readonly nowMs: number
}

export function drain(context: DrainContext): readonly Action[] {
  const replicas = replicasByUid(context.draft)
  const known = new Set(context.targets.map((target) => target.workload.uid))
  const unread = [...replicas].flatMap(([uid, group]) => (known.has(uid) ? [] : group))
  const moves = context.targets.flatMap((target) => {
    const running = runningOf(replicas.get(target.workload.uid) ?? NO_REPLICAS)
    const { all: mine, staying } = running
    if (staying.length === mine.length && !target.rolling) return []
    // Replacement first would make two of one, and the ledger cannot grant a part of a gang.
    if (isGang(target.workload)) return []
    const ledger = openLedger(target, running, context.nowMs)
    return [
      ...moveOff(mine, { target, ledger, context }),
      ...roll(mine, { target, ledger, context }),
    ]
  })
  return [...moves, ...unread.flatMap((own) => endUnread(own, context.nowMs))]
}

/** A spec that cannot be read has no replacements to wait for; its replicas stay to the last. */
function endUnread(own: Replica, nowMs: number): readonly Action[] {
  if (!isRunning(own) || !isLeaving(own.node) || nowMs < stopAtMs(own)) return []
  return stop(own, { code: 'Deadline', text: `${why(own)}, and its time is up` })
}

type Work = {
  readonly target: Target
  readonly ledger: Ledger
  readonly context: DrainContext
}

function moveOff(mine: readonly Replica[], { target, ledger, context }: Work): readonly Action[] {
  const { nowMs, atLimit } = context
  const leaving = mine.filter(isMovingOff).sort(
    inOrder(
      byKey(stopAtMs),
      byKey((own) => own.bound.id),
    ),
  )
  return leaving.flatMap((own) => {
    const ready = own.bound.readySinceMs !== undefined
    if (nowMs >= stopAtMs(own)) {
      if (ready) ledger.charge(own)
      return stop(own, { code: 'Deadline', text: `${why(own)}, and its time is up` })
    }
    if (!ready) return stop(own, { code: 'Moved', text: `${why(own)}; it was not ready yet` })
    if (ledger.grant(own, ledger.desired)) {
      return stop(own, { code: 'Moved', text: `${why(own)}; its replacement is ready` })
    }
    if (atLimit.has(target.workload.uid) && isForced(own) && ledger.grant(own)) {
      const text = `${why(own)}; its pool is at its limit, so it makes room first`
      return stop(own, { code: 'PoolLimit', text })
    }
    return []
  })
}

/** Its node must go, whatever drover would rather have. */
const isForced = ({ node }: Replica): boolean => isLeaving(node) && !isVoluntary(node)

/**
 * When a replica on a leaving node must begin to stop so that its grace time ends by the deadline,
 * and before that its time to leave a load balancer; never where drover wants it to move of its own
 * accord.
 */
export function stopAtMs({ bound, node }: Replica): number {
  if (isVoluntary(node)) return Infinity
  const leadMs = bound.balanced === undefined ? 0 : LIMITS.deregisterLeadMs
  return (node.drain?.deadlineMs ?? Infinity) - bound.graceSeconds * 1000 - leadMs
}

function why({ node }: Replica): string {
  const isStaying = node.repack?.side === 'shift'
  return node.drain?.text ?? (isStaying ? 'it makes room for others' : 'its node must go')
}

/** What the roll-out would rather not have any more, as far as it may go now. */
function roll(mine: readonly Replica[], { target, ledger, context }: Work): readonly Action[] {
  const { course, workload, allowed, proven, stuck } = target
  const isForward = target.version === course.active.version
  const counts = {
    ...{ allowed, proven },
    staying: mine.filter((own) => !isMovingOff(own)),
    stopping: stoppingIn(replicasByUid(context.draft).get(workload.uid) ?? NO_REPLICAS),
    isAvailable: (own: Replica) => isAvailable(own, workload.spec, context.nowMs),
  }
  return rollStops(course, { counts, ledger, stuck, isForward }).flatMap((own) =>
    stop(own.replica, own.reason),
  )
}

function stop({ bound, node }: Replica, reason: Reason): readonly Action[] {
  return [{ kind: 'stop', node: node.name, replica: bound.id, reason }]
}
