/**
 * Without faults no wish waits, and no pass fails.
 *
 * A person's change must be read by a pass that begins within five seconds of it, or of the end of
 * the pass that was under way. Nothing is said while something has just gone wrong: a message that
 * a crash left hidden comes back on its own.
 */
import { sameJson } from '#shared/base/equal.ts'
import type { Change, Item } from '#shared/store/store.ts'
import type { Seen, SeenOf } from '../traffic.ts'
import { kindOf } from './items.ts'
import type { Breach, Knowledge, Rule } from './rule.ts'

const SEEN_WITHIN_MS = 5_000
/** A queue shows a message again 35 s after the pass that took it has died. */
const CALM_MS = 60_000
/** While faults are on, the last one may still last: the table is out of reach for minutes. */
const CALM_BETWEEN_FAULTS_MS = 600_000

export function makeSeenInTime({ truth, passes }: Knowledge): Rule {
  let wish: { readonly atMs: number; readonly what: string } | undefined
  let lastOverAtMs = 0

  const isCalm = (sinceMs: number): boolean => {
    const calmMs = truth.faultsAreOn() ? CALM_BETWEEN_FAULTS_MS : CALM_MS
    return truth.lastDisturbanceAtMs() + calmMs < sinceMs
  }

  /** Passes under way before this act: one that begins with it is late itself. */
  const isBusy = (seen: Seen): boolean => {
    const begun = seen.kind === 'begun' ? seen.by.label : undefined
    for (const { by } of passes.open()) if (by.label !== begun) return true
    return false
  }
  const judge = (seen: Seen): Breach | undefined => {
    const { atMs } = seen
    if (wish === undefined) return undefined
    const dueAtMs = Math.max(wish.atMs, lastOverAtMs) + SEEN_WITHIN_MS
    if (atMs <= dueAtMs || isBusy(seen)) return undefined
    const { what } = wish
    const lateMs = atMs - wish.atMs
    wish = undefined
    if (!isCalm(dueAtMs - SEEN_WITHIN_MS)) return undefined
    const text = `${what} has waited for ${String(lateMs)} ms, and no pass has begun`
    return { rule: '10 seen in time', text }
  }
  const takeWish = ({ by, atMs, changes }: SeenOf<'write'>): void => {
    if (by.role !== 'admin-api' || wish !== undefined) return
    const change = changes.find(isWish)
    if (change === undefined || !isCalm(atMs)) return
    wish = { atMs, what: `${change.key.pk} / ${change.key.sk}` }
  }
  return {
    // Before an act is taken in, it is late for whatever came before it.
    each: (seen) => {
      const breach = judge(seen)
      if (seen.kind === 'write') takeWish(seen)
      return breach
    },
    see: {
      scan: ({ by }) => {
        if (by.role === 'reconcile') wish = undefined
        return undefined
      },
      over: ({ by, atMs, how }) => {
        if (by.role !== 'reconcile') return undefined
        lastOverAtMs = atMs
        if (how !== 'threw' || !isCalm(by.startedAtMs)) return undefined
        return { rule: '11 a pass failed', text: `${by.label} threw, and nothing had gone wrong` }
      },
    },
  }
}

/** Something new in a spec or an order: nobody waits for a date. */
function isWish({ key, before, after, expired }: Change): boolean {
  const kind = kindOf(key)
  if (expired || (kind !== 'spec' && kind !== 'order')) return false
  return !sameJson(wordsOf(before), wordsOf(after))
}

function wordsOf(item: Item | undefined): unknown {
  if (item === undefined) return null
  const { updatedAtMs: _, ttl: __, ...words } = item
  return words
}
