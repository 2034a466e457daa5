/**
 * The two queues in memory, with the rules of SQS that drover's wakes rest on.
 *
 * FIFO: an id is refused again for five minutes after it was sent, even when its message is long
 * gone; every message waits for the queue's delay; while one of the group is being worked on, none
 * of it is handed out. Standard: each message has its own delay, and nothing waits for another. In
 * both a message that was received too often is set aside. Consumers pull with the time they
 * believe in, so a simulator owns delivery.
 */
import { LIMITS } from '../model/limits.ts'
import type { Clock } from './clock.ts'
import type { Queue, WakeBody } from './queue.ts'
import { delayedWakeSeconds, wakeBucket } from './wake-timing.ts'

export type MemoryMessage = {
  /** Names the message to `remove` and `hide`. */
  readonly receipt: string
  readonly body: string
  readonly sentAtMs: number
  /** How often it was handed out, this time included. */
  readonly receives: number
}

export type MemoryChannel = {
  /** False when the deduplication id was sent before and swallowed the message. */
  send(body: string, options: { nowMs: number; dedupId?: string; delayMs?: number }): boolean
  /** At most ten messages that are due, hidden from then on for the visibility timeout. */
  receive(nowMs: number): readonly MemoryMessage[]
  /** Done with it. */
  remove(receipt: string): void
  /** Hides a received message until `untilMs`, when it is handed out again. */
  hide(receipt: string, untilMs: number): void
  /** When the next message can be handed out; undefined when the channel is empty. */
  nextAtMs(): number | undefined
  readonly size: number
  /** Bodies of the messages that were received too often. */
  readonly deadLetters: readonly string[]
  clear(): void
}

export type MemoryQueue = Queue & {
  /** What reconcile consumes. A tick is `fifo.send(body, {nowMs, dedupId: body})`. */
  readonly fifo: MemoryChannel
  /** What `wake` consumes once the delay has passed. */
  readonly delayed: MemoryChannel
}

export function makeMemoryQueue({ clock }: { clock: Pick<Clock, 'now'> }): MemoryQueue {
  const fifo = makeMemoryChannel({ fifo: true, delayMs: LIMITS.wakeDelayMs })
  const delayed = makeMemoryChannel({ fifo: false, delayMs: 0 })
  const body = (reason: string, sentAtMs: number): string =>
    JSON.stringify({ reason, sentAtMs } satisfies WakeBody)
  return {
    fifo,
    delayed,
    wake: (reason) => {
      const nowMs = clock.now()
      fifo.send(body(reason, nowMs), { nowMs, dedupId: wakeBucket(nowMs) })
      return Promise.resolve()
    },
    wakeLater: (reason, delayMs) => {
      const nowMs = clock.now()
      const delay = delayedWakeSeconds(delayMs) * 1000
      delayed.send(body(reason, nowMs), { nowMs, delayMs: delay })
      return Promise.resolve()
    },
  }
}

type Held = { receipt: string; body: string; sentAtMs: number; atMs: number; receives: number }

function makeMemoryChannel(options: { fifo: boolean; delayMs: number }): MemoryChannel {
  let held: Held[] = []
  let count = 0
  const sentIds = new Map<string, number>()
  const deadLetters: string[] = []

  const remembered = (dedupId: string, nowMs: number): boolean => {
    for (const [id, atMs] of sentIds) {
      if (nowMs - atMs >= LIMITS.wakeDedupMemoryMs) sentIds.delete(id)
    }
    if (sentIds.has(dedupId)) return true
    sentIds.set(dedupId, nowMs)
    return false
  }
  const dropExhausted = (nowMs: number): void => {
    const exhausted = (message: Held): boolean =>
      message.atMs <= nowMs && message.receives >= LIMITS.wakeMaxReceives
    deadLetters.push(...held.filter(exhausted).map(({ body }) => body))
    held = held.filter((message) => !exhausted(message))
  }
  const lockedUntilMs = (): number =>
    options.fifo ? Math.max(0, ...held.filter(inFlight).map(({ atMs }) => atMs)) : 0

  return {
    send: (body, { nowMs, dedupId, delayMs = options.delayMs }) => {
      if (dedupId !== undefined && remembered(dedupId, nowMs)) return false
      count += 1
      const receipt = String(count)
      held.push({ receipt, body, sentAtMs: nowMs, atMs: nowMs + delayMs, receives: 0 })
      return true
    },
    receive: (nowMs) => {
      if (lockedUntilMs() > nowMs) return []
      dropExhausted(nowMs)
      const due = held.filter(({ atMs }) => atMs <= nowMs).slice(0, LIMITS.wakeBatchMax)
      for (const message of due) {
        message.receives += 1
        message.atMs = nowMs + LIMITS.reconcileVisibilityMs
      }
      return due.map(({ receipt, body, sentAtMs, receives }) => ({
        receipt,
        body,
        sentAtMs,
        receives,
      }))
    },
    remove: (receipt) => {
      held = held.filter((message) => message.receipt !== receipt)
    },
    hide: (receipt, untilMs) => {
      const message = held.find((own) => own.receipt === receipt)
      if (message !== undefined) message.atMs = untilMs
    },
    nextAtMs: () =>
      held.length === 0
        ? undefined
        : Math.max(lockedUntilMs(), Math.min(...held.map(({ atMs }) => atMs))),
    get size() {
      return held.length
    },
    deadLetters,
    clear: () => {
      held = []
    },
  }
}

/** Handed out at least once and not removed: it locks its group until it is visible again. */
function inFlight(message: Held): boolean {
  return message.receives > 0
}
