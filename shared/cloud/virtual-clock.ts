/**
 * A clock that moves only when it is told to: a year passes in minutes, and the same way every
 * time.
 *
 * Sleepers wake in the order of their deadlines, and each gets to run before the clock moves on, so
 * what it schedules next is still in time.
 */
import { assert } from '../base/assert.ts'
import type { Clock } from './clock.ts'

export type VirtualClock = Clock & {
  /** Moves time to `ms`, waking every sleeper on the way; never backwards. */
  advanceTo(ms: number): Promise<void>
  advance(ms: number): Promise<void>
  /** When the earliest sleeper wants to wake; undefined when nobody sleeps. */
  nextWakeMs(): number | undefined
}

/** Kept in the order in which they fell asleep, which decides between equal deadlines. */
type Sleeper = { atMs: number; wake: () => void }

/** How often a woken sleeper may await settled promises before time moves on. */
const SETTLE_TURNS = 20

/**
 * A clock standing at `startMs`. With `jumping` a sleep moves the clock by itself, which is what a
 * test of somebody's retries wants.
 */
export function makeVirtualClock(startMs = 0, options: { jumping?: boolean } = {}): VirtualClock {
  let nowMs = startMs
  let sleepers: Sleeper[] = []
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < SETTLE_TURNS; turn += 1) await Promise.resolve()
  }
  const earliest = (): Sleeper | undefined =>
    sleepers.reduce<Sleeper | undefined>(
      (first, own) => (first === undefined || own.atMs < first.atMs ? own : first),
      undefined,
    )
  const advanceTo = async (ms: number): Promise<void> => {
    assert(ms >= nowMs, 'a virtual clock never goes back', { nowMs, ms })
    for (let next = earliest(); next !== undefined && next.atMs <= ms; next = earliest()) {
      const due = next
      sleepers = sleepers.filter((sleeper) => sleeper !== due)
      nowMs = Math.max(nowMs, due.atMs)
      due.wake()
      await settle()
    }
    nowMs = ms
    await settle()
  }
  return {
    now: () => nowMs,
    sleep: (ms) => {
      if (options.jumping === true) {
        nowMs += ms
        return Promise.resolve()
      }
      return new Promise((wake) => {
        sleepers.push({ atMs: nowMs + ms, wake })
      })
    },
    advanceTo,
    advance: (ms) => advanceTo(nowMs + ms),
    nextWakeMs: () => earliest()?.atMs,
  }
}
