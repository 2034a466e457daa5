/**
 * What every queue must do, told once and asked of each implementation.
 *
 * A harness gives the suite the consumer's side, which drover's port leaves to Lambda, and a way to
 * let time pass: by telling a virtual clock, or by really waiting.
 */
import { describe, expect } from 'vitest'
import type { Queue } from '#shared/cloud/queue.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { parseWakeMessage } from '#shared/protocol/wake-message.ts'
import { itMinding, type KnownDifference } from './known-differences.ts'

export type Received = { body: string; receipt: string }

export type QueueHarness = {
  queue: Queue
  nowMs(): number
  pass(ms: number): Promise<void>
  receive(which: 'fifo' | 'delayed'): Promise<readonly Received[]>
  remove(which: 'fifo' | 'delayed', receipt: string): Promise<void>
  /** Makes a received message visible again at once. */
  giveBack(which: 'fifo' | 'delayed', receipt: string): Promise<void>
  deadLetters(): Promise<readonly string[]>
}

const BUCKET_MS = LIMITS.wakeBucketMs
const DELAY_MS = LIMITS.wakeDelayMs

export function describeQueue(
  name: string,
  open: () => Promise<QueueHarness>,
  known: readonly KnownDifference[] = [],
): void {
  describe.concurrent(`the ${name} queue`, () => {
    const test = itMinding(known)

    test('delivers a wake with its reason and time, and not before the delay', async () => {
      const own = await open()
      const sentAtMs = own.nowMs()
      await own.queue.wake('spec changed')
      expect(await own.receive('fifo')).toEqual([])
      await own.pass(DELAY_MS)
      const [message] = await own.receive('fifo')
      expect(parseWakeMessage(message!.body)).toEqual({ reason: 'spec changed', sentAtMs })
    })

    test('makes one message of the wakes of one bucket', async () => {
      const own = await open()
      await own.queue.wake('first')
      await own.queue.wake('second')
      await own.pass(DELAY_MS)
      // SQS may hand out several of a group at once, or one after the other; both are right.
      const reasons: string[] = []
      for (
        let batch = await own.receive('fifo');
        batch.length > 0;
        batch = await own.receive('fifo')
      ) {
        for (const { body, receipt } of batch) {
          reasons.push(parseWakeMessage(body).reason)
          await own.remove('fifo', receipt)
        }
      }
      expect(reasons).toEqual(['first'])
    })

    test('delivers wakes of different buckets in the order in which they were sent', async () => {
      const own = await open()
      await own.queue.wake('first')
      await own.pass(BUCKET_MS)
      await own.queue.wake('second')
      await own.pass(DELAY_MS)
      // SQS may hand out several of a group at once, or one after the other; both are right.
      const reasons: string[] = []
      for (
        let batch = await own.receive('fifo');
        batch.length > 0;
        batch = await own.receive('fifo')
      ) {
        for (const { body, receipt } of batch) {
          reasons.push(parseWakeMessage(body).reason)
          await own.remove('fifo', receipt)
        }
      }
      expect(reasons).toEqual(['first', 'second'])
    })

    test('hands out nothing while a message of the group is being worked on', async () => {
      const own = await open()
      await own.queue.wake('first')
      await own.pass(DELAY_MS)
      const [first] = await own.receive('fifo')
      await own.queue.wake('second')
      await own.pass(DELAY_MS)
      expect(await own.receive('fifo')).toEqual([])
      await own.remove('fifo', first!.receipt)
      const [second] = await own.receive('fifo')
      expect(parseWakeMessage(second!.body).reason).toBe('second')
    })

    test('has delivered the wake of every bucket that still swallows others', async () => {
      // What the whole debounce rests on: when a wake is swallowed, the one that swallowed it is
      // still to come.
      const own = await open()
      await own.queue.wake('first')
      await own.pass(BUCKET_MS - 1)
      await own.queue.wake('swallowed')
      expect(await own.receive('fifo')).toEqual([])
      await own.pass(DELAY_MS)
      expect(await own.receive('fifo')).toHaveLength(1)
    })

    test('hands a message out again that is given back, and sets it aside in the end', async () => {
      const own = await open()
      await own.queue.wake('poison')
      await own.pass(DELAY_MS)
      for (let turn = 0; turn < LIMITS.wakeMaxReceives; turn += 1) {
        const [message] = await own.receive('fifo')
        await own.giveBack('fifo', message!.receipt)
      }
      expect(await own.receive('fifo')).toEqual([])
      const aside = (await own.deadLetters()).map((body) => parseWakeMessage(body).reason)
      expect(aside).toEqual(['poison'])
    })

    test('keeps a later wake for its whole seconds, and sends it to the other queue', async () => {
      const own = await open()
      await own.queue.wakeLater('deadline', 600)
      await own.pass(500)
      expect(await own.receive('delayed')).toEqual([])
      await own.pass(600)
      const [message] = await own.receive('delayed')
      expect(parseWakeMessage(message!.body).reason).toBe('deadline')
      expect(await own.receive('fifo')).toEqual([])
    })

    test('takes delays that are past or too long for SQS', async () => {
      const own = await open()
      await own.queue.wakeLater('overdue', -5)
      await own.queue.wakeLater('far', 10 * LIMITS.delayedWakeMaxMs)
      const bodies = (await own.receive('delayed')).map(({ body }) => parseWakeMessage(body).reason)
      expect(bodies).toEqual(['overdue'])
    })
  })
}
