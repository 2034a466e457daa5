import { describe, expect, test } from 'vitest'
import { makeMemoryQueue } from '#shared/cloud/memory-queue.ts'
import { makeVirtualClock } from '#shared/cloud/virtual-clock.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { describeQueue } from '../conformance/queue.ts'

const START_MS = 1_000_000

describeQueue('memory', () => {
  const clock = makeVirtualClock(START_MS)
  const queue = makeMemoryQueue({ clock })
  return Promise.resolve({
    queue,
    nowMs: () => clock.now(),
    pass: (ms) => clock.advance(ms),
    receive: (which) => Promise.resolve(queue[which].receive(clock.now())),
    remove: (which, receipt) => Promise.resolve(queue[which].remove(receipt)),
    giveBack: (which, receipt) => Promise.resolve(queue[which].hide(receipt, clock.now())),
    deadLetters: () => Promise.resolve([...queue.fifo.deadLetters, ...queue.delayed.deadLetters]),
  })
})

describe('the memory queue', () => {
  test('remembers a deduplication id for five minutes, even of a message long deleted', () => {
    const { fifo } = makeMemoryQueue({ clock: makeVirtualClock() })
    const send = (nowMs: number): boolean => fifo.send('tick', { nowMs, dedupId: 'tick' })
    expect(send(0)).toBe(true)
    const [message] = fifo.receive(LIMITS.wakeDelayMs)
    fifo.remove(message!.receipt)
    expect(send(LIMITS.wakeDedupMemoryMs - 1)).toBe(false)
    expect(send(LIMITS.wakeDedupMemoryMs)).toBe(true)
  })

  test('hands a message out again after its visibility timeout', () => {
    const { fifo } = makeMemoryQueue({ clock: makeVirtualClock() })
    fifo.send('body', { nowMs: 0 })
    fifo.receive(1_000)
    expect(fifo.receive(1_000 + LIMITS.reconcileVisibilityMs - 1)).toEqual([])
    const [again] = fifo.receive(1_000 + LIMITS.reconcileVisibilityMs)
    expect(again).toMatchObject({ body: 'body', receives: 2, sentAtMs: 0 })
  })

  test('tells when it has something next', () => {
    const { fifo } = makeMemoryQueue({ clock: makeVirtualClock() })
    expect(fifo.nextAtMs()).toBeUndefined()
    fifo.send('first', { nowMs: 0 })
    expect(fifo.nextAtMs()).toBe(LIMITS.wakeDelayMs)
    const [first] = fifo.receive(1_000)
    fifo.send('second', { nowMs: 1_000 })
    expect(fifo.nextAtMs()).toBe(1_000 + LIMITS.reconcileVisibilityMs)
    fifo.hide(first!.receipt, 3_000)
    expect(fifo.nextAtMs()).toBe(3_000)
  })

  test('does not make a standard message wait for another', () => {
    const { delayed } = makeMemoryQueue({ clock: makeVirtualClock() })
    delayed.send('first', { nowMs: 0 })
    expect(delayed.receive(0)).toHaveLength(1)
    delayed.send('second', { nowMs: 0 })
    expect(delayed.receive(0)).toHaveLength(1)
  })
})
