/**
 * Room on the disk: what may go, in which order, and whether what is to come fits.
 *
 * Whatever somebody keeps or fetches stays. Of the rest the longest unused goes first, all that was
 * not used for a day, and as much as is in the way: the cache has a size of its own, and the disk
 * an end.
 */
import { sum } from '#shared/base/sum.ts'
import { formatMib } from '#shared/model/quantities.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { DataError } from '../../errors.ts'
import type { Space } from '../space.ts'
import type { Store } from './store.ts'

export type RoomOptions = {
  readonly store: Store
  readonly space: () => Promise<Space>
  readonly now: () => number
  /** Of the file system, 1 to 100. */
  readonly maxPercent: number
  /** A file system that is fuller is nearly full, as the agent's watch sees it. */
  readonly fullPercent: number
  readonly onEvicted: (key: string) => void
}

export type Room = {
  /** Lets go what is old and what is too much; waits for its turn. */
  sweep(): Promise<void>
  /** Makes room for the bytes of `key` that are to come; throws DataError where they do not fit. */
  reserve(key: string, bytes: number): Promise<void>
  /** So many of them have come. */
  came(key: string, bytes: number): void
  release(key: string): void
  /** Throws DataError when there is hardly any left. */
  check(): Promise<void>
  /** What is kept from now on; what was kept was of use until now. */
  keep(keys: readonly string[]): void
  hold(key: string): void
}

export function openRoom(options: RoomOptions): Room {
  const { store, now } = options
  /** Undefined until somebody says what is kept: till then everything is. */
  let kept: ReadonlySet<string> | undefined
  const reserved = new Map<string, number>()
  let turn = Promise.resolve()
  const inTurn = (act: () => Promise<void>): Promise<void> => {
    const done = turn.then(act)
    turn = done.catch(() => undefined)
    return done
  }
  const mayGo = (key: string): boolean => kept !== undefined && !kept.has(key) && !reserved.has(key)
  /** What came to be kept while another was removed, or the disk looked at, stays. */
  const drop = async (key: string): Promise<void> => {
    if (!mayGo(key)) return
    store.drop(key)
    options.onEvicted(key)
    await store.emptyTrash()
    store.dropOrphans()
  }
  const lack = (): Promise<Lack | undefined> => lackOf(options, reserved.values())
  const makeRoom = async (): Promise<Lack | undefined> => {
    store.dropOrphans()
    for (const { key, usedAtMs } of store.holdings()) {
      if (now() - usedAtMs >= LIMITS.dataKeepMs) await drop(key)
    }
    for (const { key } of store.holdings()) {
      if (!mayGo(key)) continue
      if ((await lack()) === undefined) return undefined
      await drop(key)
    }
    return lack()
  }
  return {
    sweep: () =>
      inTurn(async () => {
        for (const key of kept ?? []) store.touch(key, now())
        await store.emptyTrash()
        await makeRoom()
      }),
    reserve: (key, bytes) =>
      inTurn(async () => {
        reserved.set(key, bytes)
        const lacking = bytes === 0 ? undefined : await makeRoom()
        if (lacking !== undefined) throw doesNotFit(lacking)
      }),
    came: (key, bytes) => {
      const left = reserved.get(key)
      if (left !== undefined) reserved.set(key, left - bytes)
    },
    release: (key) => {
      reserved.delete(key)
    },
    check: async () => {
      const space = await options.space()
      if (space.freeBytes < spareBytesOf(space, options) / 2) {
        throw new DataError({ code: 'DataDoesNotFit', text: 'the disk is nearly full' })
      }
    },
    keep: (keys) => {
      for (const key of new Set([...(kept ?? []), ...keys])) store.touch(key, now())
      kept = new Set(keys)
    },
    hold: (key) => {
      reserved.set(key, 0)
    },
  }
}

type Lack = {
  readonly toComeBytes: number
  readonly freeBytes: number
  readonly usedBytes: number
  readonly maxBytes: number
}

/** Undefined where all that is still to come has room. */
async function lackOf(options: RoomOptions, toCome: Iterable<number>): Promise<Lack | undefined> {
  const { store, space, maxPercent } = options
  const now = await space()
  const { totalBytes, freeBytes } = now
  const toComeBytes = sum([...toCome].map((own) => Math.max(0, own)))
  const usedBytes = await store.usedBytes()
  const maxBytes = (totalBytes * maxPercent) / 100
  const isTooLarge = usedBytes + toComeBytes > maxBytes
  const isTooFull = toComeBytes > 0 && freeBytes - toComeBytes < spareBytesOf(now, options)
  return isTooLarge || isTooFull ? { toComeBytes, freeBytes, usedBytes, maxBytes } : undefined
}

/** Data alone must not make a disk look as if it were about to overflow. */
function spareBytesOf({ totalBytes }: Space, { fullPercent }: RoomOptions): number {
  return LIMITS.dataSpareBytes + (totalBytes * (100 - fullPercent)) / 100
}

function doesNotFit({ toComeBytes, freeBytes, usedBytes, maxBytes }: Lack): DataError {
  const tell = (bytes: number): string => formatMib(Math.ceil(bytes / 1_048_576))
  const text =
    `${tell(toComeBytes)} more are to come, ${tell(freeBytes)} of the disk are free, and the ` +
    `cache holds ${tell(usedBytes)} of at most ${tell(maxBytes)}`
  return new DataError({ code: 'DataDoesNotFit', text })
}
