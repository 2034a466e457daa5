import { describe, expect, it } from 'vitest'
import { eventId, type DroverEvent } from '#shared/model/event.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { makeDynamoStore } from '#shared/store/aws/dynamo-store.ts'
import { appendEvents, readEvents } from '#shared/store/history.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import type { Store } from '#shared/store/store.ts'
import { engineBinary, startTables } from './engine.ts'

const DAY_MS = 86_400_000
const nowMs = Date.parse('2026-11-22T12:00:00Z')

function event(agoMs: number, object = 'workload/web', n = 0): DroverEvent {
  const atMs = nowMs - agoMs
  const id = eventId({ atMs, writer: 'test', n })
  return { id, atMs, object, type: 'Normal', reason: 'Tested', text: `${String(agoMs)} ms ago` }
}

async function readAll(
  store: Store,
  request: { where?: typeof isOfN1; limit: number; afterId?: string },
) {
  const events: DroverEvent[] = []
  let pages = 0
  let { afterId } = request
  for (let more = true; more; pages += 1) {
    const page = await readEvents(store, {
      ...request,
      nowMs,
      ...(afterId !== undefined && { afterId }),
    })
    expect(page.items.length).toBeLessThanOrEqual(request.limit)
    events.push(...page.items)
    more = page.next !== undefined
    afterId = page.next
  }
  return { events, pages }
}

async function behaves(store: Store): Promise<void> {
  const events = [3 * DAY_MS, DAY_MS + 5, DAY_MS, 7, 0].map((agoMs) => event(agoMs))
  await appendEvents(store, [...events].reverse())
  await appendEvents(store, events)
  expect((await readEvents(store, { limit: 100, nowMs })).items).toEqual(events)
  for (const limit of [1, 2, 3, 5]) {
    expect((await readAll(store, { limit })).events).toEqual(events)
  }
  const read = await readEvents(store, { afterId: events[1]!.id, limit: 2, nowMs })
  expect(read).toEqual({ items: events.slice(2, 4), next: events[3]!.id })
}

const isOfN1 = ({ object }: { object: string }): boolean => object === 'node/n1'

describe('the history of events', () => {
  it('reads oldest first across days, page by page', () => behaves(makeMemoryStore()))

  it.skipIf(engineBinary === undefined)('does so on a real engine', async () => {
    const { client, names, close } = await startTables(engineBinary!)
    try {
      await behaves(makeDynamoStore({ client, tableName: names.history }))
    } finally {
      await close()
    }
  })

  it('is kept for two weeks', async () => {
    const store = makeMemoryStore()
    const old = event((LIMITS.eventDays + 1) * DAY_MS)
    await appendEvents(store, [old, event(0)])
    expect((await readEvents(store, { limit: 10, nowMs })).items).toEqual([event(0)])
    expect((await readEvents(store, { afterId: old.id, limit: 10, nowMs })).items).toHaveLength(1)
    store.expire(nowMs)
    expect(store.size()).toBe(1)
    store.expire(nowMs + LIMITS.eventDays * DAY_MS + 1_000)
    expect(store.size()).toBe(0)
  })

  it('is filtered by object', async () => {
    const store = makeMemoryStore()
    const events = Array.from({ length: 50 }, (_, n) =>
      event((50 - n) * 3_600_000, n % 10 === 3 ? 'node/n1' : 'workload/web', n),
    )
    await appendEvents(store, events)
    const wanted = events.filter(({ object }) => object === 'node/n1')
    for (const limit of [1, 2, 5, 100]) {
      expect((await readAll(store, { where: isOfN1, limit })).events).toEqual(wanted)
    }
  })

  it('looks at a bounded number of events at a time', async () => {
    const store = makeMemoryStore()
    const many = Array.from({ length: LIMITS.eventsExaminedMax + 700 }, (_, n) =>
      event(1_000, 'workload/web', n),
    )
    const last = event(0, 'node/n1')
    await appendEvents(store, [...many, last])
    const first = await readEvents(store, { where: isOfN1, limit: 5, nowMs })
    expect(first.items).toEqual([])
    expect(first.next).toBeDefined()
    const { events, pages } = await readAll(store, { where: isOfN1, limit: 5 })
    expect(events).toEqual([last])
    expect(pages).toBe(2)
  })

  it('takes any text for a cursor', async () => {
    const store = makeMemoryStore()
    await appendEvents(store, [event(5), event(0)])
    const read = async (afterId: string) =>
      (await readEvents(store, { afterId, limit: 10, nowMs })).items.length
    expect(await read('')).toBe(2)
    expect(await read('nonsense')).toBe(0)
    expect(await read('000')).toBe(2)
    expect(await read('999999999999999-x')).toBe(0)
    expect(await read('x'.repeat(5_000))).toBe(0)
  })

  it('refuses an event whose id does not start with its time', async () => {
    const odd = { ...event(0), id: 'odd' }
    await expect(appendEvents(makeMemoryStore(), [odd])).rejects.toMatchObject({
      code: 'InvariantViolated',
    })
  })

  it('shows the rest when a line of it cannot be read', async () => {
    const store = makeMemoryStore()
    await appendEvents(store, [event(5), event(0)])
    const [item] = await store.scan()
    await store.update(item!, { type: 'FromTheFuture' })
    expect((await readEvents(store, { limit: 10, nowMs })).items).toEqual([event(0)])
  })

  it('fails when the table does', async () => {
    const broken: Store = {
      ...makeMemoryStore(),
      write: () => Promise.reject(new Error('down')),
      query: () => Promise.reject(new Error('down')),
    }
    await expect(appendEvents(broken, [event(0)])).rejects.toThrow('down')
    await expect(readEvents(broken, { limit: 1, nowMs })).rejects.toThrow('down')
  })
})
