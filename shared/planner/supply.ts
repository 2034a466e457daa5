/**
 * Finds places for the replicas that have none: on the nodes there are, or else on machines to buy,
 * or else where others give way.
 *
 * Most passes have nobody to place. Then there is nothing to look at, neither the room on every
 * node nor the market.
 */
import { groupBy } from '../base/order.ts'
import type { Shortage } from '../model/facts.ts'
import type { RepackLaunch } from '../model/repack.ts'
import type { Reason } from '../model/status.ts'
import type { Action, Refusal } from './actions.ts'
import { makeBoard } from './place/board.ts'
import type { BrakeBook } from './brake.ts'
import { isUnfair, partsByDeficit } from './provision/deficit.ts'
import { byRight, demandsOf, type Demand } from './demand.ts'
import type { Draft } from './fold.ts'
import type { IdMaker } from './ids.ts'
import { openPenalty } from './provision/failure-penalty.ts'
import { hasHeadroom, keepHeadroom } from './provision/headroom.ts'
import { launchAll } from './provision/launch-claims.ts'
import { offersOf } from './provision/offers.ts'
import type { Want } from './place/fill.ts'
import { gangsOf, stateOf, type Gang } from './gangs/gang.ts'
import { outcomesOf, type GangOutcomes } from './gangs/outcome.ts'
import { attempt, resume, takeCleared, type GangDesk } from './gangs/seek.ts'
import { askedOf, turnsOf, type Turn } from './gangs/turns.ts'
import { openWeigh } from './provision/place-history.ts'
import { openPoolBook } from './provision/pool-limits.ts'
import type { ProvisionContext } from './provision/provision-context.ts'
import { refusalOf } from './provision/refusals.ts'
import { preempt, type PreemptContext, type Reclaim } from './preempt.ts'
import { serveReserved, type Reserved } from './place/reserved.ts'
import type { Snapshot } from './snapshot.ts'
import type { Target } from './target.ts'
import { seekRounds, takeLeft, type Round, type RoundContext } from './provision/rounds.ts'
import { wantsOf } from './provision/wants.ts'

export type Supply = {
  readonly actions: readonly Action[]
  readonly refusals: readonly Refusal[]
  /** Nodes that something is planned for, bought ones too. */
  readonly used: ReadonlySet<string>
  /** By workload uid: replicas that wait for a node which is on its way. */
  readonly coming: ReadonlyMap<string, number>
  /** Pools at whose limit somebody waits. */
  readonly blocked: ReadonlySet<string>
  readonly reclaim: Reclaim
  readonly gangs: GangOutcomes
  /** Pieces of headroom that have no room and cannot be bought. */
  readonly headroomShort: number
}

export type SupplyContext = {
  readonly snapshot: Snapshot
  readonly draft: Draft
  readonly targets: readonly Target[]
  /** Shortages that this very pass has found. */
  readonly shortages: readonly Shortage[]
  readonly brakes: BrakeBook
  readonly ids: IdMaker
  /** What is bought before anything else. */
  readonly proposed?: readonly RepackLaunch[] | undefined
} & Pick<ProvisionContext, 'worthOf'>

export function supply(context: SupplyContext): Supply {
  const demands = demandsOf(context.targets.filter(isSeeking(context)))
  if (demands.length === 0 && !context.snapshot.pools.some(hasHeadroom)) {
    const gangs = outcomesOf(context, new Map())
    return { ...NOBODY_WAITS, gangs, refusals: refusalsOf(gangs) }
  }
  const together = seek(demands, context)
  if (!isUnfair(demands, shortOf(together))) return conclude(together, context)
  const shared = seek(demands, context, (all) => partsByDeficit(all, context))
  const short = shortOf(shared).map((own) => own.target.workload)
  const teams = new Set(short.map((own) => own.spec.team))
  return conclude(shared, context, new Set(teams.size > 1 ? short.map(({ uid }) => uid) : []))
}

/** A gang that stops, starts or is held off seeks no places. */
function isSeeking(context: SupplyContext): (target: Target) => boolean {
  const { nowMs } = context.snapshot
  const atRest = gangsOf(context).filter((own) => !SEEKING.has(stateOf(own, nowMs)))
  const uids = new Set(atRest.map(({ target }) => target.workload.uid))
  return ({ workload }) => !uids.has(workload.uid)
}

const SEEKING: ReadonlySet<string> = new Set(['forming', 'waiting'])

function refusalsOf(gangs: GangOutcomes): readonly Refusal[] {
  return [...gangs.values()].flatMap((own) => own.refusal ?? [])
}

type Sought = RoundContext & {
  readonly reserved: Reserved
  readonly rounds: readonly Round[]
  readonly desk: GangDesk
}

type Split = (demands: readonly Demand[]) => readonly (readonly Demand[])[]

function seek(demands: readonly Demand[], context: SupplyContext, split?: Split): Sought {
  const { snapshot, draft, brakes, ids, worthOf } = context
  const proposed = [...(context.proposed ?? [])]
  const board = makeBoard(snapshot, draft, demands)
  const shortages = [...snapshot.shortages, ...context.shortages]
  const offers = offersOf({ ...snapshot, shortages })
  const limits = openPoolBook(snapshot, draft, brakes.buying())
  const penalty = openPenalty(snapshot)
  const weigh = openWeigh(shortages, snapshot.nowMs, penalty)
  const seeking = { snapshot, board, offers, limits, ids, weigh, penalty, worthOf, proposed }
  const rounds: Round[] = []
  const book = { found: new Map(), actions: [], lacking: new Map(), short: [] }
  const desk: GangDesk = { ...book, context: seeking, draft, rounds, claims: [] }
  const gangs = gangsOf(context)
  return { ...seeking, desk, rounds, reserved: findPlaces(demands, { desk, gangs }, split) }
}

/** Who is left because there is no more to be had: sold out, or beyond a limit. */
function shortOf({ rounds, limits }: Sought): readonly Demand[] {
  return rounds.flatMap(({ buying: { wants, offersFor } }) =>
    wants
      .filter((want) => want.left > 0 && !want.demand.isBorrowed)
      .filter((want) => (offersFor.get(want) ?? []).every((own) => !limits.allows(own)))
      .map((own) => own.demand),
  )
}

/** `sharing`: uids of workloads that are left of a deficit that was shared. */
function conclude(
  sought: Sought,
  context: SupplyContext,
  sharing: ReadonlySet<string> = new Set(),
): Supply {
  const { board, limits, reserved, rounds, desk } = sought
  const launches = launchAll(
    rounds.flatMap((own) => own.claims),
    context.ids,
  )
  const waiting = rounds.flatMap((own) => waitingOf(own.buying))
  const asking = desk.short.length === 0 ? waiting : [...waiting, ...desk.short].sort(byTurn)
  const made = preempt({ ...context, board, limits, waiting: asking, kept: reserved.kept })
  for (const own of desk.short) {
    const reservations = made.reservations.get(own.gang.target.workload.uid)
    takeCleared(own, { desk, reservations, why: made.reasons.get(own.want) })
  }
  const gangs = outcomesOf(context, desk.found)
  const spare = keepHeadroom(sought)
  const more = launchAll(spare.claims, context.ids)
  const placed = [reserved, ...rounds.map((own) => own.placed)]
  const isShort = ({ demand }: Want): boolean =>
    !demand.isBorrowed && sharing.has(demand.target.workload.uid)
  const toRefusal = ({ want, refusal }: PreemptContext['waiting'][number]): Refusal => {
    const why = [made.reasons.get(want) ?? [], isShort(want) ? DEFICIT : []].flat()
    const reasons = [...refusal.reasons.map((own) => whyBorrowed(own, want)), ...why]
    return { ...refusal, reasons, count: want.left, isEntitled: !want.demand.isBorrowed }
  }
  return {
    actions: [
      ...[...desk.actions, ...placed.flatMap((own) => own.actions)],
      ...[...launches.actions, ...more.actions, ...made.actions],
    ],
    refusals: [...waiting.filter(({ want }) => want.left > 0).map(toRefusal), ...refusalsOf(gangs)],
    used: new Set([
      ...[...gangs.values()].flatMap((own) => own.reservations.map(({ node }) => node)),
      ...desk.actions.flatMap((own) => (own.kind === 'bind' ? [own.node] : [])),
      ...placed.flatMap((own) => [...own.used]),
      ...[...launches.bought, ...made.used, ...spare.used, ...more.bought],
    ]),
    coming: sum([...rounds.map((own) => own.placed.coming), launches.coming]),
    blocked: limits.blocked,
    reclaim: { ...made, reservations: merge(reserved.kept, made.reservations) },
    gangs,
    headroomShort: spare.short,
  }
}

/** As they stood in line before. */
function byTurn(a: { readonly want: Want }, b: { readonly want: Want }): number {
  return byRight(a.want.demand, b.want.demand)
}

/** Who borrows is told of what, and on whose account. */
function whyBorrowed(reason: Reason, { demand }: Want): Reason {
  if (reason.code !== 'NothingIdle' || demand.target.over === '') return reason
  const text = `${demand.target.over} and nothing is idle on the machines there are`
  return { ...reason, text }
}

const DEFICIT: Reason = {
  code: 'Deficit',
  text: 'there is too little for all that is guaranteed; the teams share it by weight',
}

type Finding = { readonly desk: GangDesk; readonly gangs: readonly Gang[] }

/** Part by part, and what is left of them once more, so that each of them is told why. */
function findPlaces(demands: readonly Demand[], finding: Finding, split?: Split): Reserved {
  const { desk, gangs } = finding
  const { context, rounds, claims } = desk
  const { forming, waiting, loose } = askedOf(demands, gangs)
  resume(forming, desk)
  const { reserved, rest } = takeReserved(loose, context)
  const takeTurn = ({ gang, demands: own }: Turn): void => {
    if (gang === undefined) seekRounds(own, { context, rounds, claims })
    else attempt({ gang, demands: own }, desk)
  }
  if (split === undefined) turnsOf(rest, waiting).forEach(takeTurn)
  else {
    for (const part of split(rest)) takeTurn({ demands: part })
    takeTurn({ demands: together(rounds.flatMap(({ buying }) => buying.wants.flatMap(takeLeft))) })
    waiting.forEach(takeTurn)
  }
  return reserved
}

function takeReserved(
  demands: readonly Demand[],
  context: RoundContext,
): { readonly reserved: Reserved; readonly rest: readonly Demand[] } {
  const { nowMs } = context.snapshot
  const workloadStatuses = context.snapshot.workloadStatuses.filter(
    (own) => own.reservations !== undefined && own.gang === undefined,
  )
  if (workloadStatuses.length === 0) return { reserved: NOTHING_RESERVED, rest: demands }
  const serving = { ...context, ...wantsOf(demands, context), nowMs }
  const reserved = serveReserved(serving, workloadStatuses)
  return { reserved, rest: serving.wants.flatMap(takeLeft) }
}

/** Equal demands as one again. */
function together(demands: readonly Demand[]): readonly Demand[] {
  const keyOf = ({ target, capacity, isBorrowed }: Demand): string =>
    `${target.workload.uid}|${capacity}|${String(isBorrowed)}`
  return [...groupBy(demands, keyOf).values()].flatMap((group) => {
    const [first] = group
    const count = group.reduce((sum, own) => sum + own.count, 0)
    return first === undefined ? [] : [{ ...first, count }]
  })
}

function waitingOf(buying: ProvisionContext): PreemptContext['waiting'] {
  return buying.wants
    .filter((want) => want.left > 0)
    .map((want) => ({
      ...{ want, refusal: refusalOf(want, buying) },
      offers: buying.offersFor.get(want) ?? [],
    }))
}

const NOBODY_WAITS: Supply = {
  actions: [],
  refusals: [],
  used: new Set(),
  coming: new Map(),
  blocked: new Set(),
  reclaim: { borrowers: new Map(), reservations: new Map() },
  gangs: new Map(),
  headroomShort: 0,
}

const NOTHING_RESERVED: Reserved = {
  ...{ actions: [], used: new Set(), kept: new Map() },
}

function merge<T>(
  a: ReadonlyMap<string, readonly T[]>,
  b: ReadonlyMap<string, readonly T[]>,
): ReadonlyMap<string, readonly T[]> {
  const merged = new Map(a)
  for (const [key, values] of b) merged.set(key, [...(merged.get(key) ?? []), ...values])
  return merged
}

function sum(counts: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const total = new Map<string, number>()
  for (const [key, count] of counts.flatMap((own) => [...own])) {
    total.set(key, (total.get(key) ?? 0) + count)
  }
  return total
}
