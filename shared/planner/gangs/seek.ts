/**
 * Finds room for gangs: for every replica of one, or for none.
 *
 * Who waits is tried out on the board and the books as they are; where something is missing, both
 * are put back as they were, so nothing of a gang that cannot start is placed, bought or charged.
 * Who forms keeps its room, and what it has lost of it is sought anew, before any other gang
 * begins: while it lacks something, none starts to form in the pools it could use. Two that held
 * half of a pool each would wait for each other until both have to give up.
 */
import { byText } from '../../base/order.ts'
import type { Reason, Reservation } from '../../model/status.ts'
import type { Action, Refusal } from '../actions.ts'
import { countsOn, markBoard } from '../place/board-mark.ts'
import type { ClaimDraft } from '../provision/claims.ts'
import { poolsFor, type Demand } from '../demand.ts'
import type { Want } from '../place/fill.ts'
import type { Draft } from '../fold.ts'
import type { Offer } from '../provision/offers.ts'
import { refusalOf } from '../provision/refusals.ts'
import { seekRounds, takeLeft, type Round, type RoundContext } from '../provision/rounds.ts'
import { wantsOf } from '../provision/wants.ts'
import { deadlineMs, type Gang } from './gang.ts'
import { bindAll, keepRoomOf, reservationsOf, type Kept } from './hold.ts'
import type { Asking } from './turns.ts'

/** What a pass has found for one gang. */
export type GangFound = {
  readonly reservations: readonly Reservation[]
  /** Replicas that wait, and for what; those of them that are refused apart. */
  readonly told: { readonly count: number; readonly reasons: readonly Reason[] }
  readonly refusal?: Refusal
  /** It could be bound at once, by the pass that finds its reservations written. */
  readonly isReady: boolean
  /** It gave its room up for another gang, and waits like one that holds nothing. */
  readonly yields?: boolean
}

export type GangDesk = {
  readonly context: RoundContext
  readonly draft: Draft
  readonly found: Map<string, GangFound>
  readonly actions: Action[]
  readonly rounds: Round[]
  readonly claims: ClaimDraft[]
  /** By pool: what those are told who stand behind a gang that lacks what the pool could give. */
  readonly lacking: Map<string, Reason>
  /** Those for whom others might give way: they found too little, and hold nothing. */
  readonly short: ShortOf[]
}

/** What a gang wants, why it has none of it, and what would do if it might be bought. */
export type ShortOf = {
  readonly gang: Gang
  readonly want: Want
  readonly refusal: Refusal
  readonly offers: readonly Offer[]
}

const NOBODY = { reservations: [], told: { count: 0, reasons: [] }, isReady: false }

/**
 * Those that form. Where two of them lack something that the same pool could give, the later one
 * gives its room up: each with a part of what there is, neither would ever start.
 */
export function resume(asking: readonly Asking[], desk: GangDesk): void {
  let open = asking
  for (;;) {
    const undo = markDesk(desk)
    const rivals = resumeAll(open, desk)
    const last = rivals.at(-1)
    if (last === undefined) return
    undo()
    const { uid } = last.gang.target.workload
    const refusal = refuse(last.gang, last.gang.target.start, [last.why])
    desk.found.set(uid, { ...NOBODY, refusal, yields: true })
    open = open.filter((own) => own.gang !== last.gang)
  }
}

/** One that lacks what another lacks that stands before it. */
type Rival = { readonly gang: Gang; readonly why: Reason }

/** All keep what they have before one of them looks for more. */
function resumeAll(asking: readonly Asking[], desk: GangDesk): readonly Rival[] {
  const kept = asking.map(({ gang, demands }) => {
    const wants = wantsOf(demands, desk.context).wants
    const rooms = keepRoomOf(gang, { board: desk.context.board, wants }, desk.draft)
    return { gang, rooms, left: wants.flatMap(takeLeft) }
  })
  return kept.flatMap((own) => complete(own, desk) ?? [])
}

/** Call what it returns to have the desk as it is now. */
function markDesk({ context, found, actions, rounds, claims, lacking }: GangDesk): () => void {
  const undo = [markBoard(context.board), context.limits.mark()]
  const lists = [actions, rounds, claims].map((list) => ({ list, length: list.length }))
  const before = [new Map(found), new Map(lacking)] as const
  return () => {
    for (const back of undo) back()
    for (const { list, length } of lists) list.length = length
    refill(found, before[0])
    refill(lacking, before[1])
  }
}

function refill<T>(map: Map<string, T>, from: ReadonlyMap<string, T>): void {
  map.clear()
  for (const [key, value] of from) map.set(key, value)
}

type Resumed = {
  readonly gang: Gang
  readonly rooms: readonly Kept[]
  readonly left: readonly Demand[]
}

function complete({ gang, rooms, left }: Resumed, desk: GangDesk): Rival | undefined {
  const { uid, spec } = gang.target.workload
  const { context, found, actions, lacking } = desk
  const { nowMs, pools } = context.snapshot
  if (left.length === 0 && rooms.every((own) => own.isFree)) {
    actions.push(...bindAll(rooms, { ...context, nowMs }))
    found.set(uid, { reservations: [], told: { count: 0, reasons: [] }, isReady: false })
    return undefined
  }
  const more = seekMore(left, desk)
  const counts = new Map(more.counts)
  for (const { node } of rooms) counts.set(node, (counts.get(node) ?? 0) + 1)
  const count = gang.target.start - more.missing
  const free = rooms.filter((own) => own.isFree).length + more.ready
  const reasons = [forming(gang, { count, free })]
  const reservations = reservationsOf(counts, { gang, rooms, nowMs })
  const common = { reservations, told: { count, reasons } }
  if (more.missing === 0) {
    found.set(uid, { ...common, isReady: free === count })
    return undefined
  }
  const why = whoIsAhead(gang, desk)
  for (const { pool, taint } of poolsFor(pools, spec)) {
    if (taint === undefined && !lacking.has(pool.name)) lacking.set(pool.name, aheadOf(gang))
  }
  const refusal = refuse(gang, more.missing, more.reasons)
  found.set(uid, { ...common, refusal, isReady: false })
  return why === undefined ? undefined : { gang, why }
}

function forming(gang: Gang, { count, free }: { count: number; free: number }): Reason {
  const of = `${String(free)} of the ${String(count)} that have room could start`
  const text = `the gang forms: ${of}, and all start together; it gives up`
  return { code: 'GangForming', text, atMs: deadlineMs(gang) }
}

/** One that waits begins to form if there is room for all of it, and only then. */
export function attempt({ gang, demands }: Asking, desk: GangDesk): void {
  const { uid } = gang.target.workload
  const { context, found, claims, rounds } = desk
  const { start } = gang.target
  const ahead = whoIsAhead(gang, desk)
  if (ahead !== undefined) {
    found.set(uid, { ...NOBODY, refusal: refuse(gang, start, [ahead]) })
    return
  }
  const undo = [markBoard(context.board), context.limits.mark()]
  const before = { claims: claims.length, rounds: rounds.length }
  const more = seekMore(demands, desk)
  if (more.missing > 0) {
    for (const back of undo) back()
    claims.length = before.claims
    rounds.length = before.rounds
    const has = `${String(start - more.missing)} of ${String(start)} find room`
    const text = `${has}; the gang starts as one, once there is room for ${rest(more.missing)}`
    const reasons = [{ code: 'GangIncomplete', text }, ...more.reasons]
    const isEntitled = demands.every((own) => !own.isBorrowed)
    const refusal = { ...refuse(gang, start, reasons), isEntitled }
    found.set(uid, { ...NOBODY, refusal })
    const { wants, offersFor } = wantsOf(demands, context)
    const short = wants.map((want) => ({ want, offers: offersFor.get(want) ?? [] }))
    desk.short.push(...short.map((own) => ({ ...own, gang, refusal })))
    return
  }
  const { nowMs } = context.snapshot
  const begun = { ...gang, part: { formingSinceMs: nowMs } }
  found.set(uid, {
    reservations: reservationsOf(more.counts, { gang: begun, rooms: [], nowMs }),
    told: { count: start, reasons: [forming(begun, { count: start, free: more.ready })] },
    isReady: more.ready === start,
  })
}

const rest = (missing: number): string =>
  missing === 1 ? 'the last as well' : `the other ${String(missing)} as well`

/** Others give way for all of it: it forms in the room that they leave. */
export function takeCleared(
  { gang, want, refusal }: ShortOf,
  { desk, reservations, why }: Cleared,
): void {
  const { uid } = gang.target.workload
  const { found, context } = desk
  if (reservations === undefined) {
    if (why === undefined) return
    const told = { ...refusal, reasons: [...refusal.reasons, why] }
    found.set(uid, { ...NOBODY, refusal: told })
    return
  }
  const { nowMs } = context.snapshot
  const begun = { ...gang, part: { formingSinceMs: nowMs } }
  const { start } = want.demand.target
  const counts = new Map<string, number>()
  for (const { node, count } of reservations) counts.set(node, (counts.get(node) ?? 0) + count)
  const reasons = [forming(begun, { count: start, free: 0 })]
  const held = reservationsOf(counts, { gang: begun, rooms: [], nowMs })
  const common = { reservations: held, isReady: false }
  found.set(uid, { ...common, told: { count: start, reasons } })
}

type Cleared = {
  readonly desk: GangDesk
  /** Undefined where nobody gives way; then why, where that is known. */
  readonly reservations: readonly Reservation[] | undefined
  readonly why: Reason | undefined
}

/** Why those wait that would use what another lacks which forms. */
function whoIsAhead({ target }: Gang, { context, lacking }: GangDesk): Reason | undefined {
  if (lacking.size === 0) return undefined
  const open = poolsFor(context.snapshot.pools, target.workload.spec)
  return open
    .filter(({ taint }) => taint === undefined)
    .flatMap(({ pool }) => lacking.get(pool.name) ?? [])[0]
}

/** What those behind the gang are told. */
function aheadOf(gang: Gang): Reason {
  const { name } = gang.target.workload
  const lacks = `gang ${name} forms and lacks room in a pool that this one would use`
  return {
    code: 'GangWaits',
    text: `${lacks}; its turn comes when that one starts, or gives up`,
    atMs: deadlineMs(gang),
  }
}

function refuse(
  { target: { workload, version } }: Gang,
  count: number,
  reasons: readonly Reason[],
): Refusal {
  return { workload: workload.name, version, count, reasons }
}

type More = {
  /** By node: replicas that have their room there now. */
  readonly counts: ReadonlyMap<string, number>
  readonly missing: number
  /** How many of those that have room could be bound at once. */
  readonly ready: number
  /** Why the others have none. */
  readonly reasons: readonly Reason[]
}

function seekMore(demands: readonly Demand[], desk: GangDesk): More {
  const { context, claims } = desk
  const before = countsOn(context.board)
  const rounds: Round[] = []
  seekRounds(demands, { context, rounds, claims })
  const counts = new Map<string, number>()
  let ready = 0
  for (const slot of context.board.slots) {
    const count = slot.replicas - (before.get(slot.node) ?? 0)
    if (count === 0) continue
    counts.set(slot.node, count)
    if (slot.ready) ready += count
  }
  const last = rounds.at(-1)?.buying
  const short = (last?.wants ?? []).filter((own) => own.left > 0)
  const reasons = short.flatMap((want) => (last === undefined ? [] : refusalOf(want, last).reasons))
  desk.rounds.push(...rounds.map(boughtIn))
  const missing = short.reduce((sum, own) => sum + own.left, 0)
  return { counts, missing, ready, reasons: distinct(reasons) }
}

/** What it buys, and no more: its places are kept, and nobody is bound yet. */
function boughtIn({ claims, buying }: Round): Round {
  const placed = { actions: [], used: new Set<string>(), coming: new Map<string, number>() }
  return { placed, claims, buying: { ...buying, wants: [] } }
}

function distinct(reasons: readonly Reason[]): readonly Reason[] {
  const byKey = new Map(reasons.map((own) => [`${own.code} ${own.text}`, own]))
  return [...byKey].sort(([a], [b]) => byText(a, b)).map(([, own]) => own)
}
