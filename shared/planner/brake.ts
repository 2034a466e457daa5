/**
 * Brakes: how much of the herd may be condemned in ten minutes.
 *
 * A bad image, a bad zone or a bug of drover's own can make every node look bad at once. So at
 * most a fifth of a pool, a zone, an instance type or an image (and always one node) is given up
 * in any sliding window; the rest waits for its turn. A brake slows, never latches. What EC2
 * announced, what a person ordered and what stands empty is not counted. A machine that fails its
 * burn-in carries nothing, so it is let go at once; there brakes slow the buying instead
 * (`brake/`). What goes for its health does not count when machines are lost: one that dies
 * meanwhile is to be believed.
 */
import { sameJson } from '../base/equal.ts'
import { groupBy } from '../base/order.ts'
import { LIMITS } from '../model/limits.ts'
import type { Brake } from '../model/facts.ts'
import type { Node } from '../model/node.ts'
import type { Reason } from '../model/status.ts'
import type { Action, Notice } from './actions.ts'
import { settleBurnIns, type BurnIns, type Buying } from './brake/burn-ins.ts'
import type { Snapshot } from './snapshot.ts'

export type BrakeBook = {
  /** True when the node may be given up now; it is then on the books. */
  condemn(node: Node, reason: string): boolean
  /**
   * Books nodes that are given up of drover's own accord, all of them or none: undefined when they
   * may go now, else the moment to ask again. To wait for that is no alarm. One that was booked
   * before, and was kept after all, is booked anew: its time begins again.
   */
  condemnAll(nodes: readonly Node[], reason: string): number | undefined
  /** What `condemnAll` would say; nothing is booked. */
  mayCondemn(nodes: readonly Node[], reason: string): number | undefined
  /**
   * True when so many nodes of the pool are alike that one at a time is touched for it, and this is
   * none of those; the brake shows then. Never while a person has lifted it.
   */
  hold(pool: string): boolean
  /** Puts a node that never carried anything on the books: its end disturbs nobody. */
  record(node: Node, reason: string): void
  /** Takes in which burn-ins the actions bring to an end. */
  hear(actions: readonly Action[]): void
  /** What may be bought one at a time, or not at all. */
  buying(): Buying
  /** By pool: which brakes hold somebody back in this plan, and why. */
  applied(): ReadonlyMap<string, readonly Reason[]>
  /** What people are to hear of brakes on buying that tripped, or ended, in this plan. */
  notices(): readonly Notice[]
  /** When the books change by themselves; empty while nobody is held back. */
  endsMs(): readonly number[]
  /** Brake items to write. */
  changed(): readonly Brake[]
}

type Entry = Brake['condemned'][number] & { readonly pool: string }
type Place = Pick<Entry, 'pool' | 'zone' | 'instanceType' | 'imageId'>
type Scope = (entry: Place) => string | undefined

const SCOPES: readonly Scope[] = [
  (own) => `pool ${own.pool}`,
  (own) => (own.zone === undefined ? undefined : `zone ${own.zone}`),
  (own) => (own.instanceType === undefined ? undefined : `type ${own.instanceType}`),
  (own) => (own.imageId === undefined ? undefined : `image ${own.imageId}`),
]

export function openBrakes(snapshot: Snapshot): BrakeBook {
  const { nowMs } = snapshot
  const releases = releasesOf(snapshot)
  const applied = new Set<string>()
  const before = standingIn(snapshot)
  const fresh: Entry[] = []
  const isAllowed = openScopes(snapshot)
  let heard: BurnIns | undefined
  // Most books are asked for nothing of it before they hear what a plan does.
  const burnIns = (): BurnIns => (heard ??= settleBurnIns(snapshot, [], releasedUntil(releases)))
  const isBooked = (node: Node, reason: string): boolean =>
    before.some((own) => own.node === node.name && own.reason === reason)
  const book = (node: Node, reason: string): boolean => {
    const entry: Entry = { ...entryOf(node), node: node.name, atMs: nowMs, reason }
    if (!isBooked(node, reason) && !releases.has(node.pool)) {
      if (!isAllowed(entry, [...before, ...fresh])) return false
    }
    fresh.push(entry)
    return true
  }
  const bookAll = (nodes: readonly Node[], reason: string): number | undefined => {
    const booked = fresh.length
    if (nodes.every((node) => book(node, reason))) return undefined
    fresh.length = booked
    const ends = [...before, ...fresh].map((own) => own.atMs + LIMITS.brakeWindowMs)
    return Math.min(nowMs + LIMITS.brakeWindowMs, ...ends.filter((ms) => ms > nowMs))
  }
  return {
    applied: () => reasonsByPool(applied, burnIns()),
    hear: (actions) => {
      heard = settleBurnIns(snapshot, actions, releasedUntil(releases))
    },
    buying: () => burnIns().buying,
    notices: () => burnIns().notices,
    condemn: (node, reason) => {
      if (isBooked(node, reason) || book(node, reason)) return true
      applied.add(node.pool)
      return false
    },
    condemnAll: bookAll,
    mayCondemn: (nodes, reason) => {
      const booked = fresh.length
      const untilMs = bookAll(nodes, reason)
      fresh.length = booked
      return untilMs
    },
    hold: (pool) => {
      if (releases.has(pool)) return false
      applied.add(pool)
      return true
    },
    record: (node, reason) => {
      if (isBooked(node, reason)) return
      fresh.push({ ...entryOf(node), node: node.name, atMs: nowMs, reason })
    },
    endsMs: () => [
      ...(applied.size === 0 ? [] : [...before, ...fresh]).map(
        (own) => own.atMs + LIMITS.brakeWindowMs,
      ),
      ...burnIns().endsMs,
    ],
    changed: () => changedBrakes(snapshot, { releases, fresh, books: burnIns().books }),
  }
}

/** What was condemned within the window. */
function standingIn({ brakes, nowMs }: Snapshot): readonly Entry[] {
  return brakes.flatMap(({ pool, condemned }) =>
    condemned
      .filter((own) => nowMs - own.atMs < LIMITS.brakeWindowMs)
      .map((own) => ({ ...own, pool })),
  )
}

/** Whether one more may go beside those that are booked, in each scope. */
function openScopes({ nodes }: Snapshot): (entry: Entry, booked: readonly Entry[]) => boolean {
  let sizes: ReadonlyMap<string, number> | undefined
  return (entry, booked) =>
    SCOPES.every((scope) => {
      const own = scope(entry)
      if (own === undefined) return true
      sizes ??= sizesOf(nodes.map(entryOf))
      const size = sizes.get(own) ?? 0
      const others = booked.filter((other) => scope(other) === own)
      const used = new Set(others.filter(countsFor(entry)).map((other) => other.node)).size
      return used < Math.max(1, Math.floor(LIMITS.brakeShare * size))
    })
}

function reasonsByPool(
  applied: Iterable<string>,
  { reasons }: Pick<BurnIns, 'reasons'>,
): ReadonlyMap<string, readonly Reason[]> {
  const held = [...applied].map((pool) => ({ pool, reason: TOO_MANY }))
  const all = groupBy([...held, ...reasons], (own) => own.pool)
  return new Map([...all].map(([pool, own]) => [pool, own.map(({ reason }) => reason)]))
}

const TOO_MANY: Reason = {
  code: 'TooManyCondemned',
  text: 'many of its nodes looked bad at once; the rest waits its turn',
}

/** All is counted, but that a machine which dies is believed whatever goes for its health. */
const countsFor =
  ({ reason }: Pick<Entry, 'reason'>) =>
  (other: Entry): boolean =>
    reason !== LOST || other.reason !== UNHEALTHY

/** How many nodes there are in each scope. */
function sizesOf(herd: readonly ReturnType<typeof entryOf>[]): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>()
  for (const own of herd.flatMap((entry) => SCOPES.flatMap((scope) => scope(entry) ?? []))) {
    sizes.set(own, (sizes.get(own) ?? 0) + 1)
  }
  return sizes
}

function entryOf({ pool, machine, adoptedAtMs }: Node): Place {
  if (machine === undefined) return { pool }
  const { zone, instanceType, imageId } = machine
  // Of those that no launch of ours knows EC2's name of the image is known, and not what was asked.
  const isKnown = imageId !== undefined && adoptedAtMs === undefined
  return { pool, zone, instanceType, ...(isKnown ? { imageId } : {}) }
}

/** The reason under which is booked what is lost. */
export const LOST = 'Lost'

/** The reason under which is booked what is emptied for what its agent has found. */
export const UNHEALTHY = 'Unhealthy'

/** The reason under which a failed burn-in is booked. */
export const BURN_IN_FAILED = 'BurnInFailed'

type Release = NonNullable<Brake['release']>

/** Pools whose brake a person has lifted, for one window from when the order was first seen. */
function releasesOf({ orders, brakes, nowMs }: Snapshot): ReadonlyMap<string, Release> {
  const releases = new Map<string, Release>()
  for (const order of orders) {
    if (order.target !== 'pool') continue
    const known = brakes.find((own) => own.pool === order.name)?.release
    const release =
      known?.orderAtMs === order.atMs ? known : { orderAtMs: order.atMs, sinceMs: nowMs }
    if (nowMs - release.sinceMs < LIMITS.brakeWindowMs) releases.set(order.name, release)
  }
  return releases
}

function releasedUntil(
  releases: ReadonlyMap<string, Release>,
): (pool: string) => number | undefined {
  return (pool) => {
    const release = releases.get(pool)
    return release === undefined ? undefined : release.sinceMs + LIMITS.brakeWindowMs
  }
}

type Changes = {
  readonly releases: ReadonlyMap<string, Release>
  readonly fresh: readonly Entry[]
  /** By pool: what is remembered of its burn-ins from now on. */
  readonly books: ReadonlyMap<string, Pick<Brake, 'makes' | 'failed'>>
}

function changedBrakes(
  { brakes, nowMs }: Snapshot,
  { releases, fresh, books }: Changes,
): readonly Brake[] {
  const pools = new Set([...fresh.map((own) => own.pool), ...releases.keys(), ...books.keys()])
  return [...pools].flatMap((pool) => {
    const known = brakes.find((own) => own.pool === pool)
    const mine = fresh.filter((own) => own.pool === pool)
    const release = releases.get(pool)
    const book = books.get(pool) ?? {}
    const isNewRelease = release !== undefined && known?.release?.orderAtMs !== release.orderAtMs
    const isNewBook = !sameJson(book, { makes: known?.makes, failed: known?.failed })
    if (mine.length === 0 && !isNewRelease && !isNewBook) return []
    const isAnew = (old: Brake['condemned'][number]): boolean =>
      mine.some((own) => own.node === old.node && own.reason === old.reason)
    const kept = (known?.condemned ?? []).filter(
      (own) => nowMs - own.atMs < LIMITS.brakeWindowMs && !isAnew(own),
    )
    const condemned = [...kept, ...mine.map(({ pool: _pool, ...own }) => own)]
    const last = release ?? known?.release
    return {
      kind: 'brake' as const,
      pool,
      condemned,
      ...(last === undefined ? {} : { release: last }),
      ...book,
    }
  })
}
