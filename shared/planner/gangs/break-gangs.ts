/**
 * Stops gangs that must not run on: what is left of one that has lost a replica, one of an older
 * version or size, and one that was not ready in time.
 *
 * No ledger binds this: a gang without one of its replicas does no work. A replica on a node that
 * must go keeps running until its time is up, because replacement first would make two of it. So a
 * drain that a person ordered restarts the gang at its deadline and no sooner, and one that drover
 * only wishes for never does.
 */
import { restartsWhole } from '../../model/gang.ts'
import type { Reason } from '../../model/status.ts'
import type { Action } from '../actions.ts'
import { stopAtMs } from '../drain.ts'
import type { Draft } from '../fold.ts'
import { isLeaving, type Replica } from '../replicas.ts'
import {
  gangsOf,
  isCurrent,
  isForming,
  isOverdue,
  isWholeNow,
  type Gang,
  type GangContext,
} from './gang.ts'

type Facts = {
  readonly gang: Gang
  readonly draft: Draft
  readonly nowMs: number
  /** Those whose time is up. */
  readonly due: readonly Replica[]
}

export function breakGangs(context: GangContext): readonly Action[] {
  const { draft, snapshot } = context
  const { nowMs } = snapshot
  return gangsOf(context).flatMap((gang) => {
    const due = gang.running.filter((own) => isLeaving(own.node) && nowMs >= stopAtMs(own))
    const why = causes.find(({ when }) => when({ gang, draft, nowMs, due }))?.why(gang)
    const going = why === undefined ? due : gang.running
    return going.map((own) => stop(own, due.includes(own) || why === undefined ? UP : why))
  })
}

const UP: Reason = { code: 'Deadline', text: 'its node must go, and its time is up' }

function stop({ bound, node }: Replica, reason: Reason): Action {
  const text = reason === UP ? `${node.drain?.text ?? UP.text}, and its time is up` : reason.text
  return { kind: 'stop', node: node.name, replica: bound.id, reason: { ...reason, text } }
}

type Cause = { readonly when: (facts: Facts) => boolean; readonly why: (gang: Gang) => Reason }

const restart = (text: string): Reason => ({ code: 'GangRestart', text })

/** The first that holds stops all of the gang. */
const causes: readonly Cause[] = [
  {
    when: ({ gang, nowMs }) =>
      gang.part.formed === undefined && isOverdue(gang, nowMs) && !isWholeNow(gang),
    why: () => ({ code: 'GangDeadline', text: 'the gang was not all ready in time' }),
  },
  {
    when: ({ gang }) => gang.target.stuck === 0 && gang.running.some(isOlderThan(gang)),
    why: ({ target }) => restart(`version ${target.version} takes the place of the whole gang`),
  },
  {
    when: ({ gang, due }) => isWhole(gang) && due.length > 0,
    why: () => restart('a node of its gang must go, and the gang restarts as one'),
  },
  {
    when: (facts) => isWhole(facts.gang) && hasLost(facts),
    why: () => restart('its gang has lost a replica and restarts as one'),
  },
  {
    when: ({ gang }) => isWhole(gang) && hasOtherSize(gang),
    why: ({ target: { desired } }) => restart(`its gang restarts with ${String(desired)} replicas`),
  },
]

const isOlderThan =
  ({ target }: Gang) =>
  (own: Replica): boolean =>
    !isCurrent(own, target)

function isWhole({ target }: Gang): boolean {
  return restartsWhole(target.workload.spec)
}

/** Fewer run than were whole, or than are to start, and it is not that a pass died in between. */
function hasLost({ gang, draft }: Facts): boolean {
  const { running, part, target } = gang
  if (running.length === 0) return false
  if (part.formed !== undefined) return running.length < part.formed
  return running.length < target.desired && !canBeCompleted(gang, draft)
}

/** Another number is wanted than runs, and quotas allow it. */
function hasOtherSize({ running, target, part }: Gang): boolean {
  if (running.length >= target.desired) return running.length > target.desired
  return running.length === part.formed && target.allowed >= target.desired
}

/** The rest has its room on nodes that are ready: the pass that bound some was cut short. */
function canBeCompleted(gang: Gang, draft: Draft): boolean {
  if (!isForming(gang)) return false
  const missing = gang.target.desired - gang.running.length
  return missing <= openOf(gang, draft)
}

function openOf({ status, running }: Gang, { nodes }: Draft): number {
  let open = 0
  for (const { node, count } of status?.reservations ?? []) {
    const there = nodes.get(node)
    if (there?.phase !== 'ready' || isLeaving(there)) continue
    open += Math.max(0, count - running.filter((own) => own.node.name === node).length)
  }
  return open
}
