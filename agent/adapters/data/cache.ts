/**
 * A node's data cache: each version fetched once for all replicas of the node, whole or not there.
 *
 * What a version holds is known by its manifest before anything is fetched, or by its source's list
 * and the checksums of what came. The digest over all of it is what the agent's core compares. What
 * a source held last stays known even where it was not what was wanted, so that asking again costs
 * a look at the source and not another fetch.
 */
import { mkdirSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Logger } from '#shared/base/log.ts'
import { describeError } from '#shared/base/errors.ts'
import { sum } from '#shared/base/sum.ts'
import { dataDigest, type Data } from '#shared/model/data.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { DataError } from '../../errors.ts'
import type { CachedData } from '../../events.ts'
import type { DataCache, FetchProgress, FetchRequest, FetchResult } from '../../ports.ts'
import { spaceOf, type Space } from '../space.ts'
import { download } from './download.ts'
import { openFileSource } from './file-source.ts'
import { openHttpSource } from './http-source.ts'
import { openRoom, type Room } from './room.ts'
import { openS3, type S3Options } from './s3-source.ts'
import { checkPaths, isSingle, nameOf, parseManifest, type Listed, type Source } from './source.ts'
import { cachedOf, openStore, type Known, type KnownObject, type Store } from './store.ts'

export type DataCacheOptions = {
  readonly directory: string
  readonly s3: S3Options
  /** Whether data may come from this machine's own disk. */
  readonly allowFiles: boolean
  /** Of its file system, what the cache may take. */
  readonly maxPercent: number
  /** Fuller than that no data makes it. */
  readonly fullPercent: number
  readonly log: Logger
  readonly idleMs?: number
  readonly tryPauseMs?: number
  readonly space?: () => Promise<Space>
  readonly now?: () => number
}

type Shared = {
  readonly store: Store
  readonly room: Room
  readonly openSource: (url: string) => Source
  readonly idleMs: number
  readonly tryPauseMs: number
  readonly flights: Map<string, AbortController>
  /** By checksum, what comes right now: two versions often share most of their objects. */
  readonly underway: Map<string, Promise<void>>
}

export type ClosableCache = DataCache & { close(): void }

/** Opens the cache in its directory; throws where that cannot be made. */
export function openDataCache(options: DataCacheOptions): ClosableCache {
  const { directory, log } = options
  mkdirSync(directory, { recursive: true })
  const store = openStore(directory, log)
  const room = openRoom({
    store,
    space: options.space ?? (() => spaceOf(directory)),
    now: options.now ?? Date.now,
    ...{ maxPercent: options.maxPercent, fullPercent: options.fullPercent },
    onEvicted: (key) => {
      log.info('data is evicted', { key })
    },
  })
  const openS3Source = openS3(options.s3)
  const shared: Shared = {
    ...{ store, room, idleMs: options.idleMs ?? LIMITS.dataIdleMs },
    tryPauseMs: options.tryPauseMs ?? LIMITS.dataTryPauseMs,
    ...{ flights: new Map(), underway: new Map() },
    openSource: (url) => {
      if (url.startsWith('s3:')) return openS3Source(url)
      if (!url.startsWith('file:')) return openHttpSource(url)
      if (options.allowFiles) return openFileSource(url)
      throw new DataError({ text: 'a file is a source in local mode alone' })
    },
  }
  const sweep = (): void => {
    room.sweep().catch((error: unknown) => {
      log.warn(`the data cache cannot be swept: ${describeError(error)}`)
    })
  }
  const timer = setInterval(sweep, LIMITS.dataSweepMs)
  timer.unref()
  return {
    whole: () => store.sound().map((known) => cachedOf(store, known)),
    fetch: (request, onProgress) => fetchData(shared, request, onProgress),
    stop: (key) => shared.flights.get(key)?.abort(),
    evict: (keep) => {
      room.keep(keep)
      sweep()
    },
    close: () => {
      clearInterval(timer)
      for (const flight of shared.flights.values()) flight.abort()
    },
  }
}

async function fetchData(
  shared: Shared,
  request: FetchRequest,
  onProgress: (told: FetchProgress) => void,
): Promise<FetchResult> {
  const { key } = request
  const flight = new AbortController()
  shared.flights.set(key, flight)
  shared.room.hold(key)
  try {
    return { whole: await fetchSet(shared, { ...request, signal: flight.signal, onProgress }) }
  } catch (error) {
    if (flight.signal.aborted) return { failed: 'DataFetchFailed: nobody wants it any more' }
    return { failed: error instanceof DataError ? error.said : `DataFetchFailed: ${String(error)}` }
  } finally {
    shared.room.release(key)
    shared.flights.delete(key)
  }
}

type Job = FetchRequest & {
  readonly signal: AbortSignal
  readonly onProgress: (told: FetchProgress) => void
}

async function fetchSet(shared: Shared, job: Job): Promise<CachedData> {
  const { store } = shared
  const { key, data, digest } = job
  const before = store.known(key)
  if (before !== undefined && (digest === undefined || digest === before.digest)) {
    return cachedOf(store, before)
  }
  const source = shared.openSource(data.source)
  const listed = await listOf(shared, source, job)
  const objects = await fetchObjects(shared, job, { source, listed, before })
  const known: Known = {
    key,
    digest: dataDigest(objects),
    bytes: sum(objects.map((own) => own.size)),
    objects: [...objects],
  }
  await store.complete(known)
  if (digest !== undefined && digest !== known.digest) throw changed(digest, known.digest)
  return cachedOf(store, known)
}

const changed = (expected: string, found: string): DataError =>
  new DataError({
    code: 'DataChanged',
    text: `expected ${expected.slice(0, 8)}, and the source holds ${found.slice(0, 8)}`,
  })

async function listOf(shared: Shared, source: Source, job: Job): Promise<readonly Listed[]> {
  const { data, digest, signal } = job
  if (data.manifest === undefined) {
    const listed = await source.list(signal)
    checkPaths(listed)
    return listed
  }
  const objects = parseManifest(await readManifest(shared, data.manifest, signal))
  const found = dataDigest(objects)
  if (digest !== undefined && digest !== found) throw changed(digest, found)
  if (isSingle(data.source) && isOther(data, objects)) {
    const text = `the manifest must list ${nameOf(data.source)} alone, for the source is one object`
    throw new DataError({ text })
  }
  return objects
}

function isOther({ source }: Data, objects: readonly Listed[]): boolean {
  return objects.length !== 1 || objects[0]?.path !== nameOf(source)
}

async function readManifest(shared: Shared, url: string, signal: AbortSignal): Promise<string> {
  const { idleMs } = shared
  const until = AbortSignal.any([signal, AbortSignal.timeout(idleMs)])
  try {
    const { body } = await shared.openSource(url).open('', { fromByte: 0 }, until)
    const chunks: Buffer[] = []
    let bytes = 0
    const stop = (): unknown => body.destroy(new Error('it took too long'))
    until.addEventListener('abort', stop, { once: true })
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength
      if (bytes > LIMITS.dataManifestMaxBytes) {
        throw new DataError({ text: `the manifest is longer than ${String(bytes)} bytes` })
      }
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  } catch (cause) {
    if (cause instanceof DataError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new DataError({ text: `the manifest did not come: ${why}`, cause })
  }
}

type Plan = {
  readonly source: Source
  readonly listed: readonly Listed[]
  readonly before: Known | undefined
}

/** A few at once; the first that fails ends the others. */
async function fetchObjects(
  shared: Shared,
  job: Job,
  { source, listed, before }: Plan,
): Promise<readonly KnownObject[]> {
  const { store, room, idleMs, tryPauseMs } = shared
  const { key } = job
  const known = new Map((before?.objects ?? []).map((own) => [own.path, own]))
  const sizes = listed.map((own) => own.size)
  const isSized = sizes.every((size) => size !== undefined)
  const totalBytes = isSized ? sum(sizes.map((size) => size ?? 0)) : undefined
  await room.reserve(key, await toComeBytes(store, key, listed))
  const over = new AbortController()
  const signal = AbortSignal.any([job.signal, over.signal])
  const tell = teller(job.onProgress, totalBytes)
  tell(0)
  const fetched: KnownObject[] = []
  const rest = [...listed.entries()][Symbol.iterator]()
  const work = async (): Promise<void> => {
    for (const [index, object] of rest) {
      signal.throwIfAborted()
      const own = known.get(object.path)
      const get = (): Promise<KnownObject> =>
        download({
          ...{ key, object, source, store, signal, idleMs, tryPauseMs },
          ...(own === undefined ? {} : { before: own }),
          onBytes: tell,
          onFresh: (bytes) => {
            room.came(key, bytes)
          },
          checkSpace: () => room.check(),
        })
      fetched[index] = await onceAtATime(shared.underway, object.sha256, { signal, get })
    }
  }
  const workers = Array.from({ length: LIMITS.dataObjectsAtOnce }, () =>
    work().catch((error: unknown) => {
      over.abort(error)
      throw error
    }),
  )
  const failed = (await Promise.allSettled(workers)).find((own) => own.status === 'rejected')
  if (failed !== undefined) throw (over.signal.reason ?? failed.reason) as Error
  return fetched
}

type Get = { readonly signal: AbortSignal; readonly get: () => Promise<KnownObject> }

/** Who wants what is coming already waits for it, and then finds it in the cache. */
async function onceAtATime(
  underway: Map<string, Promise<void>>,
  sha256: string | undefined,
  { signal, get }: Get,
): Promise<KnownObject> {
  if (sha256 === undefined) return get()
  for (let other = underway.get(sha256); other !== undefined; other = underway.get(sha256)) {
    await Promise.race([other, abortOf(signal)])
    signal.throwIfAborted()
  }
  const mine = get()
  const done = mine.then(
    () => undefined,
    () => undefined,
  )
  underway.set(sha256, done)
  try {
    return await mine
  } finally {
    underway.delete(sha256)
  }
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve()
      },
      { once: true },
    )
  })
}

/** Of those whose size is known, the bytes that are not on the disk yet. */
async function toComeBytes(store: Store, key: string, listed: readonly Listed[]): Promise<number> {
  let bytes = 0
  for (const { path, size = 0, sha256 } of listed) {
    if (sha256 !== undefined && store.has(sha256)) continue
    const partial = await stat(store.partialFile(key, path)).catch(() => undefined)
    bytes += Math.max(0, size - (partial?.size ?? 0))
  }
  return bytes
}

/** Adds up what came, and tells it now and then. */
function teller(
  onProgress: (told: FetchProgress) => void,
  totalBytes: number | undefined,
): (more: number) => void {
  let [fetchedBytes, toldAtMs] = [0, -Infinity]
  return (more) => {
    fetchedBytes += more
    const nowMs = performance.now()
    if (nowMs - toldAtMs < LIMITS.dataToldMs) return
    toldAtMs = nowMs
    onProgress({ fetchedBytes, ...(totalBytes === undefined ? {} : { totalBytes }) })
  }
}
