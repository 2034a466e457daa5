/**
 * Groups that are under way, as the marks on their nodes tell of them.
 *
 * A group first waits for its machines, and nothing else is put on those; then its old machines are
 * drained, and the new ones are like any. It ends when the old ones are gone. It is given up when a
 * node of it goes another way, or time is up: then the marks go, drains end, and whichever side
 * carries nothing is retired as any empty node is. So nothing that goes wrong leaves anything
 * behind.
 */
import { LIMITS } from '../../model/limits.ts'
import type { DrainReason, Node } from '../../model/node.ts'
import type { RepackMark, RepackReason } from '../../model/repack.ts'
import type { PoolStatus, Reason, RepackFailure } from '../../model/status.ts'
import type { Action } from '../actions.ts'
import { poolsByName } from '../facts.ts'
import type { Draft } from '../fold.ts'
import { isLeaving } from '../replicas.ts'
import type { Snapshot } from '../snapshot.ts'
import { isForMoney } from './herd.ts'

export type LiveGroup = {
  readonly mark: RepackMark
  /** Nodes that are there, of those it bought and of those it empties. */
  readonly launch: readonly Node[]
  readonly retire: readonly Node[]
  /** Nodes that stay, and off which some replicas move aside first. */
  readonly shift: readonly Node[]
  /** Its machines are there, and the old ones are being emptied. */
  readonly isMoving: boolean
}

export const DRAIN_FOR = {
  Cheaper: 'Repacked',
  Underused: 'Repacked',
  Expired: 'Expired',
  Drifted: 'Drifted',
} as const satisfies Record<RepackReason, DrainReason>

const OWN_DRAINS: ReadonlySet<DrainReason> = new Set([
  ...Object.values(DRAIN_FOR),
  'CertificateAge',
])

/** True for a drain that drover began of its own accord: no deadline forces it. */
export function isVoluntary(node: Pick<Node, 'drain'>): boolean {
  return node.drain !== undefined && OWN_DRAINS.has(node.drain.reason)
}

/** In order of id. */
export function liveGroups({ nodes }: Draft): readonly LiveGroup[] {
  const marks = new Map<string, RepackMark>()
  for (const { repack, phase } of nodes.values()) {
    if (repack !== undefined && phase !== 'terminating') marks.set(repack.group, repack)
  }
  const there = (names: readonly string[]): readonly Node[] =>
    names.flatMap((name) => nodes.get(name) ?? [])
  return [...marks.keys()].sort().flatMap((id) => {
    const mark = marks.get(id)
    if (mark === undefined) return []
    const retire = there(mark.retire)
    const isMoving = retire.some((own) => own.repack?.group === id && isVoluntary(own))
    const shift = there([...new Set(mark.shift.map((own) => own.node))])
    return { mark, launch: there(mark.launch), retire, shift, isMoving }
  })
}

/** A group that came to nothing. */
export type Failed = Pick<RepackFailure, 'retire' | 'offerings'> & {
  /** The pool that remembers it. */
  readonly pool: string
  readonly reason: Reason
}

export function failureOf({ mark, retire }: LiveGroup, reason: Reason): Failed {
  const pool = retire[0]?.pool ?? ''
  return { pool, retire: mark.retire, offerings: mark.offerings, reason }
}

export type Settled = { readonly actions: readonly Action[]; readonly failed: readonly Failed[] }

/** Ends groups that cannot come to anything any more. */
export function settleGroups(snapshot: Snapshot, draft: Draft): Settled {
  const failed: Failed[] = []
  const actions = liveGroups(draft).flatMap((group) => {
    const reason = group.isMoving ? whyNotMove(group, snapshot.nowMs) : whyNotWait(group, snapshot)
    if (reason === undefined) return []
    if (isFailure(reason)) failed.push(failureOf(group, reason))
    return giveUp(group, draft, reason)
  })
  return { actions, failed }
}

function whyNotWait(group: LiveGroup, snapshot: Snapshot): Reason | undefined {
  const { mark, launch, retire, shift } = group
  if (retire.length < mark.retire.length || [...retire, ...shift].some(goesAnotherWay)) {
    return { code: 'NodeWent', text: 'a machine that was to be emptied goes another way' }
  }
  const hasRoom = shift.some((own) => own.repack?.side === 'shift')
  // Who moves aside may have found room elsewhere, and what was bought for that has ended as empty.
  if (!hasRoom && (launch.length < mark.launch.length || launch.some(isNoGood))) {
    return { code: 'LaunchFailed', text: 'a machine that was bought for it did not come up' }
  }
  if (snapshot.nowMs >= mark.untilMs) {
    return { code: 'NotInTime', text: 'its machines were not ready, or could not be used, in time' }
  }
  const pools = poolsByName(snapshot.pools)
  const isUnwanted = retire.some(
    (own) => isForMoney(mark.reason) && pools.get(own.pool)?.spec.repack.when !== 'cheaper',
  )
  if (!isUnwanted) return undefined
  return { code: 'RepackOff', text: 'a pool of it is not to be repacked any more' }
}

function whyNotMove({ mark, launch }: LiveGroup, nowMs: number): Reason | undefined {
  if (nowMs >= mark.untilMs) {
    return { code: 'NotInTime', text: 'the old machines could not be emptied in time' }
  }
  if (launch.length < mark.launch.length || launch.some(isNoGood)) {
    return { code: 'LaunchLost', text: 'a machine that was bought for it is going' }
  }
  return undefined
}

/** What says nothing against trying the same again. */
function isFailure({ code }: Reason): boolean {
  return code !== 'NodeWent' && code !== 'RepackOff'
}

function goesAnotherWay(node: Node): boolean {
  return isLeaving(node) || node.cordoned || node.interruption !== undefined
}

function isNoGood(node: Node): boolean {
  return isLeaving(node) || node.phase === 'quarantined' || node.interruption !== undefined
}

/** Takes the marks off, and ends the drains of those that still have something to run. */
export function giveUp(group: LiveGroup, draft: Draft, why: Reason): readonly Action[] {
  const { mark, launch, retire, shift } = group
  const members = [...launch, ...retire, ...shift].filter(
    (own) => own.repack?.group === mark.group && own.phase !== 'terminating',
  )
  return members.flatMap((node): Action[] => {
    const reason = { code: 'RepackGivenUp', text: why.text }
    const name = node.name
    const unmark: Action = { kind: 'note', node: name, changes: { repack: undefined }, reason }
    const replicas = draft.assignments.get(name)?.replicas ?? []
    const stays = isVoluntary(node) && replicas.some((own) => own.order === 'run')
    return stays ? [{ kind: 'undrain', node: name, reason }, unmark] : [unmark]
  })
}

/** Claims or places as `<instance type> <capacity type>`. */
export function offeringsOf(
  launch: readonly { readonly places: readonly string[]; readonly capacityType: string }[],
): string[] {
  const all = launch.flatMap(({ places, capacityType }) =>
    places.map((own) => `${own.split('/')[0] ?? own} ${capacityType}`),
  )
  return [...new Set(all)].sort()
}

/** The failures that a pool remembers, with these on top: longer each time for the like of them. */
export function rememberFailures(
  status: PoolStatus | undefined,
  failed: readonly Failed[],
  nowMs: number,
): readonly RepackFailure[] {
  let known = status?.repackFailures ?? []
  for (const { retire, offerings, reason } of failed) {
    const like = known.filter((own) => isLike(own, { retire, offerings }))
    const count = 1 + Math.max(0, ...like.map((own) => own.count))
    const waitMs = LIMITS.repackBackOffFirstMs * 2 ** (count - 1)
    const untilMs = nowMs + Math.min(waitMs, LIMITS.repackBackOffMaxMs)
    const others = known.filter((own) => !like.includes(own))
    known = [{ retire, offerings, count, untilMs, reason: { ...reason } }, ...others]
  }
  return known.slice(0, LIMITS.repackFailuresKept)
}

type Likeness = Pick<RepackFailure, 'retire' | 'offerings'>

/** Groups are alike that would empty a node in common, for something bought in common. */
export function isLike(a: Likeness, b: Likeness): boolean {
  const shares = (x: readonly string[], y: readonly string[]): boolean =>
    x.some((own) => y.includes(own))
  const isDelete = a.offerings.length === 0 && b.offerings.length === 0
  return shares(a.retire, b.retire) && (isDelete || shares(a.offerings, b.offerings))
}
