/**
 * What happened: events and burn-ins, written once, read oldest first, forgotten after some weeks.
 *
 * Each UTC day of a log is a partition, and a line's id starts with its time, so reading on from
 * any line is a query in its day and then in the days after it. The table is never scanned: a
 * reader looks at a bounded number of days and lines and hands back where it stopped.
 */
import { assert } from '../base/assert.ts'
import { burnInRecordSchema, type BurnInRecord } from '../model/burn-in-record.ts'
import { eventSchema, type DroverEvent } from '../model/event.ts'
import { LIMITS } from '../model/limits.ts'
import { historyKeys } from './keys.ts'
import type { Item, Key, Store } from './store.ts'

const DAY_MS = 86_400_000
/** The digits of an id that are its time. */
const ID_TIME_CHARS = 15

export type LogRequest<T> = {
  /** Read on after this line; any text is a cursor, read as a place in the order of ids. */
  readonly afterId?: string
  /** Only lines for which it holds; without it, all. */
  readonly where?: (line: T) => boolean
  readonly limit: number
  readonly nowMs: number
}
export type LogPage<T> = {
  readonly items: readonly T[]
  /** Set when more may follow; a page may be short, or empty, and still have a `next`. */
  readonly next?: string
}

type Line = { readonly id: string; readonly atMs: number }

/** One log: where its days are, how long they are kept, and what a line of it is. */
type Log<T extends Line> = {
  readonly keyOf: (day: string, id: string) => Key
  readonly days: number
  readonly parse: (item: Item) => T | undefined
}

const EVENTS: Log<DroverEvent> = {
  keyOf: historyKeys.event,
  days: LIMITS.eventDays,
  parse: (item) => eventSchema.safeParse(item).data,
}

const BURN_INS: Log<BurnInRecord> = {
  keyOf: historyKeys.burnIn,
  days: LIMITS.burnInRecordDays,
  parse: (item) => burnInRecordSchema.safeParse(item).data,
}

/** Writes events; the same event written again changes nothing. Throws StoreError. */
export function appendEvents(store: Writable, events: readonly DroverEvent[]): Promise<void> {
  return append(store, EVENTS, events)
}

/** Keeps the record of a burn-in. Throws StoreError. */
export function appendBurnIn(store: Writable, record: BurnInRecord): Promise<void> {
  return append(store, BURN_INS, [record])
}

/** Events of the last two weeks, oldest first. Throws StoreError. */
export function readEvents(store: Store, request: LogRequest<DroverEvent>): Promise<EventsPage> {
  return read(store, EVENTS, request)
}
export type EventsPage = LogPage<DroverEvent>

/** Burn-ins of the last two months, oldest first. Throws StoreError. */
export function readBurnIns(
  store: Store,
  request: LogRequest<BurnInRecord>,
): Promise<LogPage<BurnInRecord>> {
  return read(store, BURN_INS, request)
}

type Writable = Pick<Store, 'write'>

async function append<T extends Line>(
  store: Writable,
  log: Log<T>,
  lines: readonly T[],
): Promise<void> {
  for (let at = 0; at < lines.length; at += LIMITS.eventPutsInFlight) {
    const batch = lines.slice(at, at + LIMITS.eventPutsInFlight)
    await Promise.all(batch.map((line) => store.write({ kind: 'put', item: itemOf(log, line) })))
  }
}

function itemOf<T extends Line>({ keyOf, days }: Log<T>, line: T): Item {
  assert(timeOfId(line.id) === line.atMs, 'an id starts with its time', line.id)
  const ttl = Math.ceil((line.atMs + days * DAY_MS) / 1000)
  return { ...line, ...keyOf(dayOf(line.atMs), line.id), ttl }
}

async function read<T extends Line>(
  store: Store,
  log: Log<T>,
  request: LogRequest<T>,
): Promise<LogPage<T>> {
  const { limit, where } = request
  const items: T[] = []
  let examined = 0
  let cursor = request.afterId
  for (const day of daysToRead(log.days, request)) {
    for (let more = true; more;) {
      const room = Math.min(limit - items.length, LIMITS.eventsExaminedMax - examined)
      if (room <= 0) return { items, ...(cursor !== undefined && { next: cursor }) }
      const page = await store.query(log.keyOf(day, '').pk, {
        limit: where === undefined ? room : LIMITS.pageMaxItems,
        ...(cursor !== undefined && { after: cursor }),
      })
      for (const item of page.items) {
        if (items.length === limit) return { items, next: cursor ?? item.sk }
        // A line that cannot be read must not hide the rest.
        const line = log.parse(item)
        if (line !== undefined && (where?.(line) ?? true)) items.push(line)
        examined += 1
        cursor = item.sk
      }
      more = page.next !== undefined
    }
  }
  return { items }
}

type Since = { readonly afterId?: string; readonly nowMs: number }

/** The days, oldest first, from the cursor's (or from the oldest that is kept) to today. */
function daysToRead(kept: number, { afterId, nowMs }: Since): readonly string[] {
  const oldestMs = nowMs - kept * DAY_MS
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
