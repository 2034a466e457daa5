/**
 * Whose turn it is to look for room: gangs stand among the others by right and priority, and among
 * themselves the oldest is first.
 */
import { byKey, groupBy, inOrder } from '../../base/order.ts'
import { byRight, type Demand } from '../demand.ts'
import { isForming, type Gang } from './gang.ts'

/** A gang, and all that it lacks. */
export type Asking = { readonly gang: Gang; readonly demands: readonly Demand[] }

export type Asked = {
  readonly forming: readonly Asking[]
  readonly waiting: readonly Asking[]
  /** Of all that are no gangs. */
  readonly loose: readonly Demand[]
}

export function askedOf(demands: readonly Demand[], gangs: readonly Gang[]): Asked {
  if (gangs.length === 0) return { forming: [], waiting: [], loose: demands }
  const byUid = groupBy(demands, (own) => own.target.workload.uid)
  const asking = gangs
    .flatMap((gang): readonly Asking[] => {
      const own = byUid.get(gang.target.workload.uid)
      return own === undefined ? [] : [{ gang, demands: own }]
    })
    .sort(byTurn)
  const uids = new Set(gangs.map((own) => own.target.workload.uid))
  return {
    forming: asking.filter((own) => isForming(own.gang)),
    waiting: asking.filter((own) => !isForming(own.gang)),
    loose: demands.filter((own) => !uids.has(own.target.workload.uid)),
  }
}

const byTurn = inOrder<Asking>(
  (a, b) => firstBy(a.demands, b.demands),
  byKey(({ gang }) => gang.target.workload.createdAtMs),
  byKey(({ gang }) => gang.target.workload.name),
)

function firstBy([a]: readonly Demand[], [b]: readonly Demand[]): number {
  return a === undefined || b === undefined ? 0 : byRight(a, b)
}

/** A gang, or as many of the others as come before the next gang. */
export type Turn = { readonly gang?: Gang; readonly demands: readonly Demand[] }

/** Of equals the others come first: a gang that looks after them sees what they leave. */
export function turnsOf(loose: readonly Demand[], waiting: readonly Asking[]): readonly Turn[] {
  const turns: Turn[] = []
  let from = 0
  for (const asking of waiting) {
    let to = from
    while (to < loose.length && firstBy(loose.slice(to, to + 1), asking.demands) <= 0) to += 1
    if (to > from) turns.push({ demands: loose.slice(from, to) })
    turns.push(asking)
    from = to
  }
  return from < loose.length ? [...turns, { demands: loose.slice(from) }] : turns
}
