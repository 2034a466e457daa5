/**
 * What a gang holds until it is whole: room that is its own, for so long and no longer.
 *
 * A gang that has not been whole holds what it has, rooms and replicas, until its deadline; then it
 * lets go of everything, and begins no new try for a while, the longer the more often it failed.
 * Where one that holds room lacks some, no other begins in the pools it could use. Room that is
 * held is nobody else's, is taken up once all of it is free, and its nodes are neither ended as
 * empty nor repacked. Judged by what stands at the end of each pass that did all it planned.
 */
import { templateKey } from '#shared/model/assignment.ts'
import { gangDeadlineMs } from '#shared/model/gang.ts'
import { LIMITS } from '#shared/model/limits.ts'
import type { PoolItem, WorkloadItem } from '#shared/model/spec-item.ts'
import type { Caller, SeenOf } from '../traffic.ts'
import { desiredOf } from './available.ts'
import { isBody } from './body-changes.ts'
import type { Books } from './books.ts'
import {
  gangsIn,
  isThere,
  keptFor,
  keptIn,
  makeEndings,
  memberNeed,
  roomsIn,
  runOf,
  wishOf,
} from './gang-facts.ts'
import { statusOf } from './items.ts'
import { needOf, plus, roomOf, ZERO, type Amount } from './needs.ts'
import type { OpenPass } from './passes.ts'
import { isBeyond, times } from './quotas.ts'
import { CLOCK_SLACK_MS, type Breach, type Knowledge, type Rule } from './rule.ts'
import type { Scan } from './scan.ts'
import { whyNotPool } from './suits.ts'

const RULE = 'gang'

/** Drains that a node with room of a gang on it is exempt from. */
const WISHED: ReadonlySet<string> = new Set(['Empty', 'Repacked'])

/** How far a gang has come, as seen from outside. */
type Try = {
  wish: string
  /** Since it holds something and is not whole. */
  sinceMs?: number
  /** The longest that its deadline was since then. */
  deadlineMs: number
  hasBeenWhole: boolean
  failures: number
  notBeforeMs: number
}

type Ended = { readonly by: Caller; readonly pass: OpenPass; readonly scan: Scan }

export function makeGangHolds(knowledge: Knowledge): Rule {
  const endings = makeEndings(knowledge.passes)
  const tries = new Map<string, Try>()
  const released = new Map<string, number>()
  const idle = new Map<string, number>()
  return {
    see: {
      write: (seen) => {
        if (seen.by.role !== 'reconcile') return undefined
        endings.hear(seen)
        noteReleases(seen, released)
        noteWhole(seen, { knowledge, tries, released })
        return undefined
      },
      over: (seen): Breach | undefined => {
        const isWhole = endings.isWhole(seen)
        const pass = knowledge.passes.of(seen.by)
        if (!isWhole || pass?.scan === undefined) return undefined
        const { scan } = pass
        const gangs = gangsIn(scan)
        const ended = { by: seen.by, pass, scan }
        const text =
          gangs
            .map((gang) => judgeTry(gang, ended, { knowledge, tries, released }))
            .find((own) => own !== undefined) ??
          contended(gangs, ended, knowledge) ??
          takenRoom(gangs, ended, knowledge) ??
          takenNode(gangs, ended, knowledge) ??
          neverBound(gangs, knowledge, idle)
        return text === undefined ? undefined : { rule: RULE, text: `${seen.by.label}: ${text}` }
      },
    },
    full: () => {
      const live = new Set([...knowledge.books.workloads.values()].map((own) => own.uid))
      for (const uid of tries.keys()) if (!live.has(uid)) tries.delete(uid)
      for (const uid of released.keys()) if (!live.has(uid)) released.delete(uid)
      return undefined
    },
  }
}

type Memory = {
  readonly knowledge: Knowledge
  readonly tries: Map<string, Try>
  /** By uid: when the pass began that gave up all its room, or sent somebody away, last. */
  readonly released: Map<string, number>
}

function noteReleases({ by, changes }: SeenOf<'write'>, released: Map<string, number>): void {
  for (const { before, after } of changes) {
    const [was, is] = [statusOf(before), statusOf(after)]
    if (was === undefined || is === undefined || was.uid !== is.uid) continue
    const rooms = [was, is].map((own) => roomsIn(own.reservations ?? []))
    const isLess = (rooms[0] ?? 0) > 0 || is.assigned < was.assigned
    // Room that is taken up is not given up.
    if (isLess && rooms[1] === 0 && is.assigned < is.desired) released.set(is.uid, by.startedAtMs)
  }
}

/** A gang is whole from the moment that it is written, however the pass ends that wrote it. */
function noteWhole({ by, changes }: SeenOf<'write'>, { knowledge, tries }: Memory): void {
  const scan = knowledge.passes.of(by)?.scan
  if (scan === undefined || !changes.some(isBody)) return
  for (const gang of gangsIn(scan)) {
    if (!isWholeIn(gang, knowledge.books)) continue
    tries.set(gang.uid, { ...freshTry(wishOf(gang, scan)), hasBeenWhole: true })
  }
}

/** As many as are wanted are told to run, and all of them are ready. */
function isWholeIn(gang: WorkloadItem, books: Books): boolean {
  const run = runOf(gang.uid, books)
  return run.length === desiredOf(gang) && run.every((own) => own.bound.readySinceMs !== undefined)
}

const freshTry = (wish: string): Try => ({
  ...{ wish, deadlineMs: 0, hasBeenWhole: false, failures: 0, notBeforeMs: 0 },
})

function judgeTry(
  gang: WorkloadItem,
  { by, scan }: Ended,
  { knowledge: { truth, books }, tries, released }: Memory,
): string | undefined {
  const wish = wishOf(gang, scan)
  const known = tries.get(gang.uid)
  // Another version or number is another try; what was whole before it may run on until then.
  const { hasBeenWhole = false } = known ?? {}
  const own = known?.wish === wish ? known : { ...freshTry(wish), hasBeenWhole }
  tries.set(gang.uid, own)
  const run = runOf(gang.uid, books)
  const rooms = roomsIn(keptFor(gang, truth))
  if (run.length === 0) own.hasBeenWhole = false
  if (isWholeIn(gang, books)) Object.assign(own, { ...freshTry(wish), hasBeenWhole: true })
  const holds = rooms > 0 || (run.length > 0 && !own.hasBeenWhole)
  if (run.length === desiredOf(gang) && own.hasBeenWhole) {
    delete own.sinceMs
    return undefined
  }
  const endMs = released.get(gang.uid)
  // Passes that did not come to their end may have ended one try and begun another.
  if (!holds || (own.sinceMs ?? Infinity) < (endMs ?? 0)) endTry(own, endMs ?? by.startedAtMs)
  if (!holds) return undefined
  if (own.sinceMs === undefined) {
    // What is left of a larger number begins anew when the others have gone.
    if (rooms === 0 && isShrinking(gang.uid, books)) return undefined
    const earlyMs = own.notBeforeMs - by.startedAtMs
    own.sinceMs = truth.nowMs()
    own.deadlineMs = gangDeadlineMs(gang.spec)
    const times = `${String(own.failures)} tries failed`
    if (earlyMs <= CLOCK_SLACK_MS || isTakenUp(gang, scan)) return undefined
    return `gang ${gang.name} tries again ${String(earlyMs)} ms too early: ${times}`
  }
  own.deadlineMs = Math.max(own.deadlineMs, gangDeadlineMs(gang.spec))
  const lateMs = by.startedAtMs - own.sinceMs - own.deadlineMs
  if (lateMs <= 2 * CLOCK_SLACK_MS) return undefined
  const has = `${String(run.length)} run, ${String(rooms)} have room`
  return `gang ${gang.name} is ${String(lateMs)} ms past its deadline: ${has}`
}

/** Some of it are told to stop, on nodes that are there. */
function isShrinking(uid: string, { bodies, nodes }: Books): boolean {
  return [...bodies.values()].some(({ node: name, replicas }) => {
    const node = nodes.get(name)
    if (node === undefined || !isThere(node)) return false
    return replicas.some((own) => own.uid === uid && own.order === 'stop')
  })
}

function endTry(own: Try, endMs: number): void {
  if (own.sinceMs !== undefined && endMs >= own.sinceMs + own.deadlineMs) {
    own.failures += 1
    const doublings = Math.min(own.failures - 1, LIMITS.gangHoldOffDoublings)
    own.notBeforeMs = endMs + LIMITS.gangHoldOffMs * 2 ** doublings
  }
  delete own.sinceMs
}

/** It held its room already when the pass looked: no new try begins. */
function isTakenUp(gang: WorkloadItem, scan: Scan): boolean {
  return roomsIn(keptIn(scan, gang)) > 0
}

/** Passes that may find all of its room free before one of them binds it. */
const PASSES_MAX = 3

/** A gang has room for all of it, on nodes that are ready, and nobody binds it. */
function neverBound(
  gangs: readonly WorkloadItem[],
  { truth, books }: Knowledge,
  idle: Map<string, number>,
): string | undefined {
  const isFree = (name: string): boolean => {
    const node = books.nodes.get(name)
    const body = books.bodies.get(node?.machine?.arn ?? '')
    const isOpen = node?.cordoned === false && node.closed !== true
    const isSound = isOpen && node.phase === 'ready' && node.drain === undefined
    const isWell = node?.silentSinceMs === undefined && node?.interruption === undefined
    return isSound && isWell && body?.replicas.every((own) => own.order === 'run') !== false
  }
  for (const gang of gangs) {
    const kept = keptFor(gang, truth)
    const rooms = roomsIn(kept)
    const isAll = rooms > 0 && rooms + runOf(gang.uid, books).length === desiredOf(gang)
    const count =
      isAll && kept.every(({ node }) => isFree(node)) ? (idle.get(gang.uid) ?? 0) + 1 : 0
    idle.set(gang.uid, count)
    if (count > PASSES_MAX) return `gang ${gang.name} has all its room, and nobody binds it`
  }
  return undefined
}

/** Two that hold room and lack some in one pool; or one that begins where another lacks some. */
function contended(
  gangs: readonly WorkloadItem[],
  { scan }: Ended,
  { truth, books }: Knowledge,
): string | undefined {
  const poolsOf = (gang: WorkloadItem): ReadonlySet<string> =>
    new Set(keptFor(gang, truth).flatMap(({ node }) => books.nodes.get(node)?.pool ?? []))
  const lacking = gangs.filter((own) => {
    const rooms = roomsIn(keptFor(own, truth))
    const has = rooms + runOf(own.uid, books).length
    return rooms > 0 && has < desiredOf(own) && roomsIn(keptIn(scan, own)) > 0
  })
  for (const other of lacking) {
    const open = [...books.pools.values()].filter(
      ({ name, spec, deletedAtMs }) => deletedAtMs === undefined && isOpen(other, name, spec),
    )
    const rival = lacking.find(
      (own) => own !== other && open.some(({ name, spec }) => isOpen(own, name, spec)),
    )
    if (rival !== undefined) return `gangs ${other.name} and ${rival.name} wait for each other`
    for (const gang of gangs) {
      if (gang === other || roomsIn(keptIn(scan, gang)) > 0) continue
      const pool = open.find(({ name }) => poolsOf(gang).has(name))
      if (pool === undefined) continue
      return `gang ${gang.name} begins in pool ${pool.name}, where ${other.name} lacks room`
    }
  }
  return undefined
}

const isOpen = ({ spec }: WorkloadItem, name: string, pool: PoolItem['spec']): boolean =>
  whyNotPool(spec, name, pool) === undefined

/** What runs and what is held is more than the machine has. */
function takenRoom(
  gangs: readonly WorkloadItem[],
  { scan }: Ended,
  { truth, books }: Knowledge,
): string | undefined {
  const held = new Map<string, Amount>()
  for (const gang of gangs) {
    const need = memberNeed(gang, scan)
    for (const { node, count } of keptFor(gang, truth)) {
      held.set(node, plus(held.get(node) ?? ZERO, times(need, count)))
    }
  }
  for (const [name, amount] of held) {
    const machine = books.nodes.get(name)?.machine
    if (machine === undefined) continue
    const body = books.bodies.get(machine.arn)
    const running = (body?.replicas ?? [])
      .filter((own) => own.order === 'run')
      .flatMap((own) => body?.templates[templateKey(own)] ?? [])
    const used = running.map(needOf).reduce(plus, amount)
    const room = roomOf(machine)
    if (isBeyond(used, room)) {
      const told = `cpu ${String(used.cpuMilli)} of ${String(room.cpuMilli)} milli`
      return `room that a gang holds on ${name} was given away (${told})`
    }
  }
  return undefined
}

/** A node on which a gang holds room is drained for want of work, or to save money. */
function takenNode(
  gangs: readonly WorkloadItem[],
  { pass, scan }: Ended,
  { truth }: Knowledge,
): string | undefined {
  for (const gang of gangs) {
    for (const { node } of keptFor(gang, truth)) {
      const drain = pass.written.get(node)?.drain
      if (drain === undefined || scan.node(node)?.drain !== undefined) continue
      if (!WISHED.has(drain.reason)) continue
      return `${node} was drained (${drain.reason}), and gang ${gang.name} holds room on it`
    }
  }
  return undefined
}
