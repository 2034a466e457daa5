/**
 * Virtual time: everything that will happen, in one queue, one thing at a time.
 *
 * Things of the same moment happen in an order that the seed draws. After each of them all promises
 * that it settled have run as far as they can before the next one starts, so between two awaits of
 * a port no code can be overtaken by chance: the order of a whole world follows from its seed. A
 * year takes as long as what happens in it, because nothing waits.
 */
import { makeRandom } from '#shared/base/random.ts'

export type Cancel = () => void

export type Scheduler = {
  /** The world's clock, milliseconds since the epoch. */
  now(): number
  /** Lets `happen` happen at `atMs`, or now where that is past. */
  at(atMs: number, happen: () => void): Cancel
  /** Lets everything happen up to `untilMs`, or until `stop`; then it is `untilMs`. */
  run(untilMs: number): Promise<void>
  /** Ends `run` before anything else happens. */
  stop(): void
  /** How many things have happened. */
  steps(): number
}

type Due = {
  readonly atMs: number
  /** Drawn from the seed: decides between things of the same moment. */
  readonly rank: number
  happen: (() => void) | undefined
}

/** Between two immediates of a turn of its loop Node runs all microtasks; a turn is what costs. */
const IMMEDIATES_PER_TURN = 64

export function makeScheduler(options: { seed: number; startMs: number }): Scheduler {
  const random = makeRandom(options.seed)
  const queue = makeQueue()
  let nowMs = options.startMs
  let steps = 0
  let stopped = false

  const next = (untilMs: number): boolean => {
    const due = queue.peek()
    if (stopped || due === undefined || due.atMs > untilMs) return false
    queue.pop()
    const { happen } = due
    if (happen === undefined) return true
    nowMs = Math.max(nowMs, due.atMs)
    steps += 1
    due.happen = undefined
    happen()
    return true
  }
  return {
    now: () => nowMs,
    steps: () => steps,
    stop: () => {
      stopped = true
    },
    at: (atMs, happen) => {
      const due: Due = { atMs: Math.max(atMs, nowMs), rank: random.word(), happen }
      queue.push(due)
      return () => {
        due.happen = undefined
      }
    },
    run: async (untilMs) => {
      stopped = false
      await inImmediates(() => next(untilMs))
      if (!stopped) nowMs = Math.max(nowMs, untilMs)
    },
  }
}

/** Calls `next` in an immediate of its own, again and again, until it says that nothing is left. */
function inImmediates(next: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let waiting = 0
    let isOver = false
    const refill = (): void => {
      waiting = IMMEDIATES_PER_TURN
      for (let i = 0; i < IMMEDIATES_PER_TURN; i += 1) setImmediate(turn)
    }
    const turn = (): void => {
      waiting -= 1
      if (!isOver) {
        try {
          isOver = !next()
        } catch (error) {
          isOver = true
          reject(error as Error)
        }
      }
      if (waiting > 0) return
      if (isOver) resolve()
      else refill()
    }
    refill()
  })
}

type Queue = { peek(): Due | undefined; pop(): void; push(due: Due): void }

const isBefore = (a: Due, b: Due): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.rank < b.rank)

/** A binary heap, earliest first. */
function makeQueue(): Queue {
  const heap: Due[] = []
  const swap = (i: number, j: number): void => {
    const [a, b] = [heap[i] as Due, heap[j] as Due]
    heap[i] = b
    heap[j] = a
  }
  const isLess = (i: number, j: number): boolean => isBefore(heap[i] as Due, heap[j] as Due)
  const sink = (): void => {
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) return
      const child = left + 1 < heap.length && isLess(left + 1, left) ? left + 1 : left
      if (!isLess(child, at)) return
      swap(child, at)
      at = child
    }
  }
  return {
    peek: () => heap[0],
    pop: () => {
      const last = heap.pop()
      if (last === undefined || heap.length === 0) return
      heap[0] = last
      sink()
    },
    push: (due) => {
      heap.push(due)
      for (let at = heap.length - 1; at > 0;) {
        const parent = (at - 1) >> 1
        if (!isLess(at, parent)) return
        swap(at, parent)
        at = parent
      }
    },
  }
}
