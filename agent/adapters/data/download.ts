/**
 * One object, from its source to the cache: whole and checked, or not at all.
 *
 * What came before a cut, or before the agent itself ended, is gone on with; its bytes are read
 * again, for the checksum is over all of them. Nothing becomes an object of the cache before its
 * size and its checksum are what they should be.
 */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream, mkdirSync, rmSync } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { addAbortSignal } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { LIMITS } from '#shared/model/limits.ts'
import { DataError } from '../../errors.ts'
import { codeOf } from '../processes.ts'
import type { Listed, Opened, Source } from './source.ts'
import type { KnownObject, Store } from './store.ts'

export type Download = {
  readonly key: string
  readonly object: Listed
  readonly source: Source
  readonly store: Store
  readonly signal: AbortSignal
  /** What the last whole fetch of this path was: the same validator need not come again. */
  readonly before?: KnownObject
  /** Bytes more, or less where what was there is of no use. */
  readonly onBytes: (more: number) => void
  /** Bytes that were written to the disk just now. */
  readonly onFresh: (bytes: number) => void
  /** Throws DataError when the disk is too full. */
  readonly checkSpace: () => Promise<void>
  readonly idleMs: number
  readonly tryPauseMs: number
}

/** When this returns the object is in the cache. Throws DataError, or the signal's reason. */
export async function download(job: Download): Promise<KnownObject> {
  let farthest = 0
  for (let tries = 1, inVain = 0; ; tries += 1) {
    let came = 0
    const counted: Download = {
      ...job,
      onBytes: (more) => {
        came += more
        job.onBytes(more)
      },
    }
    try {
      return await attempt(counted)
    } catch (error) {
      job.signal.throwIfAborted()
      job.onBytes(-came)
      if (!(error instanceof DataError && error.isPassing)) throw error
      inVain = came > farthest ? 0 : inVain + 1
      farthest = Math.max(farthest, came)
      if (inVain >= LIMITS.dataTries || tries >= LIMITS.dataResumesMax) throw error
    }
    await sleep(job.tryPauseMs * 2 ** inVain, undefined, { signal: job.signal })
  }
}

async function attempt(job: Download): Promise<KnownObject> {
  const { key, object, store, onBytes } = job
  const whole = wholeAlready(job)
  if (whole !== undefined) {
    onBytes(whole.size)
    return whole
  }
  const file = store.partialFile(key, object.path)
  mkdirSync(dirname(file), { recursive: true })
  const had = await usableBytes(job, file)
  // Before the source is asked: to read gigabytes may take longer than it waits for anybody.
  const hashed = await hashOf(file, had)
  const idle = idleGuard(job)
  try {
    const isAll = had > 0 && had === object.size
    const opened = isAll ? undefined : await openAt(job, had, idle.signal)
    const same = opened === undefined ? undefined : unchanged(job, opened)
    if (same !== undefined) {
      opened?.body.destroy()
      onBytes(same.size)
      return same
    }
    const start = opened?.fromByte ?? had
    const hash = start === had ? hashed : await hashOf(file, start)
    onBytes(start)
    let size = start
    if (opened !== undefined) {
      const { validator } = opened
      store.writePartial(key, {
        path: object.path,
        ...(validator === undefined ? {} : { validator }),
        ...(object.sha256 === undefined ? {} : { sha256: object.sha256 }),
        isWhole: false,
      })
      size = await receive(job, { opened, file, hash, idle })
    }
    return finish(job, { file, size, hash, validator: opened?.validator ?? object.validator })
  } catch (error) {
    throw explained(error, idle, object.path)
  } finally {
    idle.end()
  }
}

/** Without a word to its source: an object that is in the cache, or whole since an earlier try. */
function wholeAlready({ key, object, store, before }: Download): KnownObject | undefined {
  const { path, size, sha256, validator } = object
  const file = store.partialFile(key, path)
  if (sha256 !== undefined && size !== undefined) {
    if (!store.lend(sha256, file)) return undefined
    store.writePartial(key, { path, size, sha256, isWhole: true })
    return { path, size, sha256 }
  }
  if (validator === undefined) return undefined
  return take({ store, key, path }, validator, before)
}

type Place = { readonly store: Store; readonly key: string; readonly path: string }

/** What is there of this very validator, made the file of the object on its way. */
function take(
  { store, key, path }: Place,
  validator: string,
  before: KnownObject | undefined,
): KnownObject | undefined {
  const partial = store.partial(key, path)
  const { sha256 = '', size = 0, isWhole = false } = partial ?? {}
  const found =
    isWhole && partial?.validator === validator ? { path, size, sha256, validator } : before
  if (found?.validator !== validator) return undefined
  if (!store.lend(found.sha256, store.partialFile(key, path))) return undefined
  store.writePartial(key, { ...found, isWhole: true })
  return found
}

function unchanged(
  { key, object, store, before }: Download,
  opened: Opened,
): KnownObject | undefined {
  const { validator, fromByte } = opened
  if (validator === undefined || fromByte > 0 || object.sha256 !== undefined) return undefined
  return take({ store, key, path: object.path }, validator, before)
}

/** How much of what is there can be gone on with. */
async function usableBytes({ key, object, store }: Download, file: string): Promise<number> {
  const partial = store.partial(key, object.path)
  const seen = await stat(file).catch(() => undefined)
  const isOfThis =
    partial !== undefined &&
    !partial.isWhole &&
    (object.sha256 === undefined
      ? partial.validator !== undefined &&
        (object.validator === undefined || object.validator === partial.validator)
      : partial.sha256 === object.sha256)
  if (seen?.isFile() === true && isOfThis && seen.size <= (object.size ?? Infinity))
    return seen.size
  // A whole object's file is a link: it must never be written to.
  rmSync(file, { force: true })
  return 0
}

async function openAt(job: Download, fromByte: number, signal: AbortSignal): Promise<Opened> {
  const { key, object, store, source } = job
  const validator = fromByte > 0 ? store.partial(key, object.path)?.validator : undefined
  const from = { fromByte, ...(validator === undefined ? {} : { validator }) }
  const opened = await source.open(object.path, from, signal)
  const { size = opened.size, validator: listed = opened.validator } = object
  if (opened.size !== undefined && opened.size !== size) {
    opened.body.destroy()
    throw wrong(job, `has ${String(opened.size)} bytes and not ${String(size)}`)
  }
  if (listed !== opened.validator) {
    opened.body.destroy()
    throw wrong(job, 'has changed since it was listed')
  }
  return opened
}

const wrong = ({ object }: Download, what: string): DataError =>
  new DataError({ text: `${object.path.slice(-80)} ${what}` })

type Receive = {
  readonly opened: Opened
  readonly file: string
  readonly hash: Hash
  readonly idle: IdleGuard
}

async function receive(job: Download, { opened, file, hash, idle }: Receive): Promise<number> {
  const { object, onBytes, onFresh, checkSpace } = job
  const { body, fromByte } = opened
  const most = object.size ?? opened.size ?? Infinity
  let [size, unchecked] = [fromByte, 0]
  const target = await openFile(file, fromByte)
  try {
    addAbortSignal(idle.signal, body)
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      idle.heard()
      size += chunk.byteLength
      if (size > most) throw wrong(job, `has more than ${String(most)} bytes`)
      hash.update(chunk)
      await target.writeFile(chunk)
      onBytes(chunk.byteLength)
      onFresh(chunk.byteLength)
      unchecked += chunk.byteLength
      if (unchecked < LIMITS.dataSpaceEveryBytes) continue
      unchecked = 0
      await checkSpace()
    }
    if (most !== Infinity && size < most) throw new Error('it ended before its end')
    await target.datasync()
    return size
  } finally {
    body.destroy()
    await target.close()
  }
}

async function openFile(file: string, fromByte: number): Promise<FileHandle> {
  const target = await open(file, fromByte === 0 ? 'w' : 'a', 0o600)
  if (fromByte > 0) await target.truncate(fromByte)
  return target
}

/** Of the file's first bytes; it need not be there for none. */
async function hashOf(file: string, bytes: number): Promise<Hash> {
  const hash = createHash('sha256')
  if (bytes === 0) return hash
  const stream = createReadStream(file, { end: bytes - 1 })
  for await (const chunk of stream as AsyncIterable<Uint8Array>) hash.update(chunk)
  return hash
}

type Finished = {
  readonly file: string
  readonly size: number
  readonly hash: Hash
  readonly validator: string | undefined
}

function finish(job: Download, { file, size, hash, validator }: Finished): KnownObject {
  const { key, object, store } = job
  const { path } = object
  const sha256 = hash.digest('hex')
  if (object.sha256 !== undefined && sha256 !== object.sha256) {
    rmSync(file, { force: true })
    const [is, not] = [sha256.slice(0, 8), object.sha256.slice(0, 8)]
    throw wrong(job, `has SHA-256 ${is}… and not ${not}…`)
  }
  store.adopt(file, sha256)
  const found = { path, size, sha256, ...(validator === undefined ? {} : { validator }) }
  store.writePartial(key, { ...found, isWhole: true })
  return found
}

type IdleGuard = {
  /** Aborts with the job, or when nothing was heard for too long. */
  readonly signal: AbortSignal
  readonly isLate: () => boolean
  readonly heard: () => void
  readonly end: () => void
}

function idleGuard({ signal, idleMs }: Download): IdleGuard {
  const late = new AbortController()
  const timer = setTimeout(() => {
    late.abort()
  }, idleMs)
  return {
    signal: AbortSignal.any([signal, late.signal]),
    isLate: () => late.signal.aborted,
    heard: () => timer.refresh(),
    end: () => {
      clearTimeout(timer)
    },
  }
}

function explained(error: unknown, idle: IdleGuard, path: string): unknown {
  if (error instanceof DataError) return error
  const name = path.slice(-80)
  if (idle.isLate()) {
    return new DataError({ text: `${name}: nothing came for too long`, cause: error })
  }
  if (codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT') {
    return new DataError({ code: 'DataDoesNotFit', text: 'the disk is full', cause: error })
  }
  const why = error instanceof Error ? error.message : String(error)
  return new DataError({ text: `${name}: ${why}`, cause: error, isPassing: true })
}
