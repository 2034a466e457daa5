/**
 * The herd's events: written once, read oldest first, forgotten after two weeks.
 *
 * Each UTC day is a partition, and an event's id starts with its time, so reading on from any event
 * is a query in its day and then in the days after it. The table is never scanned: a reader looks
 * at a bounded number of days and events and hands back where it stopped.
 */
import { assert } from '../base/assert.ts'
import { eventSchema, type DroverEvent } from '../model/event.ts'
import { LIMITS } from '../model/limits.ts'
import { historyKeys } from './keys.ts'
import type { Item, Store } from './store.ts'

const DAY_MS = 86_400_000
/** The digits of an event's id that are its time. */
const ID_TIME_CHARS = 15

export type EventsRequest = {
  /** Read on after this event; any text is a cursor, read as a place in the order of ids. */
  readonly afterId?: string
  /** Only events about this object, like `workload/web`. */
  readonly object?: string
  readonly limit: number
  readonly nowMs: number
}
export type EventsPage = {
  readonly items: readonly DroverEvent[]
  /** Set when more may follow; a page may be short, or empty, and still have a `next`. */
  readonly next?: string
}

/** Writes events; the same event written again changes nothing. Throws StoreError. */
export async function appendEvents(store: Store, events: readonly DroverEvent[]): Promise<void> {
  for (let at = 0; at < events.length; at += LIMITS.eventPutsInFlight) {
    const batch = events.slice(at, at + LIMITS.eventPutsInFlight)
    await Promise.all(batch.map((event) => store.write({ kind: 'put', item: itemOf(event) })))
  }
}

function itemOf(event: DroverEvent): Item {
  const timeMs = timeOfId(event.id)
  assert(timeMs === event.atMs, 'an event id starts with its time', event.id)
  const ttl = Math.ceil((event.atMs + LIMITS.eventDays * DAY_MS) / 1000)
  return { ...event, ...historyKeys.event(dayOf(event.atMs), event.id), ttl }
}

/** Events of the last two weeks, oldest first. Throws StoreError. */
export async function readEvents(store: Store, request: EventsRequest): Promise<EventsPage> {
  const items: DroverEvent[] = []
  let examined = 0
  let cursor = request.afterId
  for (const day of daysToRead(request)) {
    for (let more = true; more;) {
      const room = Math.min(request.limit - items.length, LIMITS.eventsExaminedMax - examined)
      if (room <= 0) return { items, ...(cursor !== undefined && { next: cursor }) }
      const page = await store.query(historyKeys.event(day, '').pk, {
        limit: request.object === undefined ? room : LIMITS.pageMaxItems,
        ...(cursor !== undefined && { after: cursor }),
      })
      for (const item of page.items) {
        if (items.length === request.limit) return { items, next: cursor ?? item.sk }
        items.push(...eventsIn(item, request.object))
        examined += 1
        cursor = item.sk
      }
      more = page.next !== undefined
    }
  }
  return { items }
}

/**
 * The item's event, if it is one and is about `object`: an unreadable line must not hide the rest.
 */
function eventsIn(item: Item, object: string | undefined): readonly DroverEvent[] {
  const { data: event } = eventSchema.safeParse(item)
  const isWanted = event !== undefined && (object === undefined || event.object === object)
  return isWanted ? [event] : []
}

/** The days, oldest first, from the cursor's (or from the oldest that is kept) to today. */
function daysToRead({ afterId, nowMs }: EventsRequest): readonly string[] {
  const oldestMs = nowMs - LIMITS.eventDays * DAY_MS
  const fromMs = Math.max(oldestMs, timeOfId(afterId ?? '') ?? oldestMs)
  const days: string[] = []
  for (let day = Math.floor(fromMs / DAY_MS); day <= Math.floor(nowMs / DAY_MS); day += 1) {
    days.push(dayOf(day * DAY_MS))
  }
  return days
}

const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 'YYYY-MM-DD'.length)

function timeOfId(id: string): number | undefined {
  return /^\d{15}-/.test(id) ? Number(id.slice(0, ID_TIME_CHARS)) : undefined
}
