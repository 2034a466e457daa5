/**
 * The table in memory: for tests, for the simulation, and for a laptop without an engine.
 *
 * It keeps DynamoDB's rules and is stricter where DynamoDB is merely undefined, so that code which
 * works here works there. Items are frozen on their way in and handed out as they are: a reader
 * that tries to change one fails at once, and reading costs nothing. Each call takes effect as a
 * whole before it returns its promise, which makes a world of many writers repeatable.
 */
import type { Clock } from '../cloud/clock.ts'
import { byText } from '../base/order.ts'
import { LIMITS } from '../model/limits.ts'
import { allHold } from './conditions.ts'
import { freezeItem, sameFrozen } from './frozen.ts'
import { makeChangeFeed } from './change-feed.ts'
import * as rules from './rules.ts'
import {
  StoreError,
  type Change,
  type Condition,
  type Fields,
  type Item,
  type Key,
  type Store,
  type Write,
  type WriteResult,
} from './store.ts'

export type MemoryStore = Store & {
  /**
   * The stream: called in order with every change, once the write (or the whole transaction)
   * stands. A write that leaves its item as it was is no change. Returns the way to stop listening.
   */
  changes(listener: (change: Change) => void): () => void
  /** How many items there are. */
  size(): number
  /** Removes every item whose `ttl` (epoch seconds) has passed at `nowMs`; returns how many. */
  expire(nowMs: number): number
}

type Partition = {
  readonly items: Map<string, Item>
  /** The sort keys in order; undefined since a key came or went. */
  order: readonly string[] | undefined
}
type Sent = { readonly writes: readonly Write[]; readonly atMs: number; applied: boolean }

const APPLIED: WriteResult = { applied: true }
const refused = (index: number): WriteResult => ({ applied: false, index, reason: 'condition' })

/** A new, empty table. The clock, where given, lets transaction tokens be forgotten in time. */
export function makeMemoryStore(options: { clock?: Pick<Clock, 'now'> } = {}): MemoryStore {
  const table = makeTable()
  const feed = makeChangeFeed()
  const tokens = makeTokens(() => options.clock?.now() ?? 0)

  const transact = (writes: readonly Write[], token: string): WriteResult => {
    rules.requireTransaction(writes, token)
    const frozen = freezeWrites(writes)
    const sent = tokens.open(token, frozen)
    if (sent.applied) return APPLIED
    const failed = frozen.findIndex((write) => !holds(table, write))
    if (failed >= 0) return refused(failed)
    sent.applied = true
    feed.emit(frozen.flatMap((write) => carryOut(table, write)))
    return APPLIED
  }
  const writeOne = (write: Write): WriteResult => {
    rules.requireWrite(write)
    const [frozen] = freezeWrites([write])
    if (frozen === undefined || !holds(table, frozen)) return refused(0)
    feed.emit(carryOut(table, frozen))
    return APPLIED
  }
  const update = (key: Key, fields: Fields, when?: readonly Condition[]): WriteResult => {
    rules.requireUpdate(key, fields, when)
    const before = table.get(key)
    const { item } = freezeItem({ ...before, ...fields, pk: key.pk, sk: key.sk })
    if (!allHold(when, before)) return refused(0)
    feed.emit(table.set(key, item))
    return APPLIED
  }

  return {
    get: (key) => attempt(() => (rules.requireKey(key), table.get(key))),
    getMany: (keys) => attempt(() => getMany(table, keys)),
    query: (pk, range = {}) => attempt(() => query(table, pk, range)),
    scan: () => attempt(() => table.all()),
    write: (write) => attempt(() => writeOne(write)),
    update: (key, fields, when) => attempt(() => update(key, fields, when)),
    transact: (writes, token) => attempt(() => transact(writes, token)),
    changes: feed.listen,
    size: table.size,
    expire: (nowMs) => {
      const expired = table
        .all()
        .filter((item) => typeof item.ttl === 'number' && item.ttl * 1000 <= nowMs)
      feed.emit(
        expired.flatMap((item) => table.remove(item).map((own) => ({ ...own, expired: true }))),
      )
      return expired.length
    },
  }
}

/** Runs `act` now; what it throws becomes a rejection, as with any store. */
function attempt<T>(act: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(act())
  })
}

type Table = ReturnType<typeof makeTable>

function makeTable() {
  const partitions = new Map<string, Partition>()
  const get = ({ pk, sk }: Key): Item | undefined => partitions.get(pk)?.items.get(sk)
  return {
    get,
    all: (): readonly Item[] => {
      const all: Item[] = []
      for (const { items } of partitions.values()) for (const item of items.values()) all.push(item)
      return all
    },
    size: (): number => [...partitions.values()].reduce((sum, { items }) => sum + items.size, 0),
    /** The sort keys of a partition, in order. */
    order: (pk: string): readonly string[] => {
      const partition = partitions.get(pk)
      if (partition === undefined) return []
      partition.order ??= [...partition.items.keys()].sort(byText)
      return partition.order
    },
    set: (key: Key, after: Item): Change[] => {
      const before = get(key)
      if (before !== undefined && sameFrozen(before, after)) return []
      const partition = partitions.get(key.pk) ?? { items: new Map(), order: undefined }
      partitions.set(key.pk, partition)
      partition.items.set(key.sk, after)
      if (before === undefined) partition.order = undefined
      return [{ key: plainKey(key), after, ...(before && { before }), expired: false }]
    },
    remove: (key: Key): Change[] => {
      const partition = partitions.get(key.pk)
      const before = partition?.items.get(key.sk)
      if (partition === undefined || before === undefined) return []
      partition.items.delete(key.sk)
      partition.order = undefined
      if (partition.items.size === 0) partitions.delete(key.pk)
      return [{ key: plainKey(key), before, expired: false }]
    },
  }
}

const plainKey = ({ pk, sk }: Key): Key => ({ pk, sk })

function holds(table: Table, write: Write): boolean {
  return allHold(write.when, table.get(rules.keyOfWrite(write)))
}

function carryOut(table: Table, write: Write): Change[] {
  switch (write.kind) {
    case 'put':
      return table.set(write.item, write.item)
    case 'delete':
      return table.remove(write.key)
    case 'check':
      return []
  }
}

function getMany(table: Table, keys: readonly Key[]): readonly Item[] {
  for (const key of keys) rules.requireKey(key)
  const wanted = new Map(keys.map((key) => [rules.keyText(key), key]))
  return [...wanted.values()].map(table.get).filter((item) => item !== undefined)
}

type Range = NonNullable<Parameters<Store['query']>[1]>

function query(table: Table, pk: string, range: Range): { items: readonly Item[]; next?: string } {
  rules.requireKeyPart('pk', pk, LIMITS.partitionKeyMaxBytes)
  rules.requireLimit(range.limit)
  const { prefix = '', after } = range
  const isBeyond = (sk: string): boolean =>
    after === undefined || (range.descending === true ? sk < after : sk > after)
  const inRange = table.order(pk).filter((sk) => sk.startsWith(prefix) && isBeyond(sk))
  if (range.descending === true) inRange.reverse()
  const page = inRange.slice(0, range.limit)
  const items = page.map((sk) => table.get({ pk, sk })).filter((item) => item !== undefined)
  const last = page.at(-1)
  return page.length < inRange.length && last !== undefined ? { items, next: last } : { items }
}

function freezeWrites(writes: readonly Write[]): readonly Write[] {
  let total = 0
  const frozen = writes.map((write): Write => {
    const when = [...(write.when ?? [])]
    if (write.kind !== 'put') return { kind: write.kind, key: plainKey(write.key), when }
    const { item, bytes } = freezeItem(write.item)
    total += bytes
    return { kind: 'put', item, when }
  })
  if (total > LIMITS.transactionMaxBytes) {
    const text = `the items have more than ${String(LIMITS.transactionMaxBytes)} bytes together`
    throw new rules.StoreRefusal(text, total, 'split the transaction')
  }
  return frozen
}

/**
 * The tokens of the last ten minutes. A transaction that was rejected is tried anew under its
 * token, but even then the token belongs to those writes: what DynamoDB does with others is not
 * documented.
 */
function makeTokens(now: () => number) {
  const byToken = new Map<string, Sent>()
  const forget = (nowMs: number): void => {
    for (const [token, { atMs }] of byToken) {
      if (nowMs - atMs < LIMITS.transactionTokenMs) return
      byToken.delete(token)
    }
  }
  return {
    open: (token: string, writes: readonly Write[]): Sent => {
      const atMs = now()
      forget(atMs)
      const sent = byToken.get(token)
      if (sent === undefined) {
        const fresh = { writes, atMs, applied: false }
        byToken.set(token, fresh)
        return fresh
      }
      if (sameFrozen(sent.writes, writes)) return sent
      throw new StoreError({
        code: 'IdempotentParameterMismatch',
        text: 'this token was used for other writes within the last ten minutes',
        seen: token,
        next: 'derive the token from the writes, or use a fresh one',
      })
    },
  }
}
