/**
 * How the cache lies on disk, so that a crash at any moment leaves nothing that looks whole.
 *
 * - `objects/<sha256>`: the bytes, each object once, whoever needs it; never written in place
 * - `sets/<key>/<digest>/…`: what replicas see, hard links to objects, read-only
 * - `known/<key>.json`: what a whole set holds; written last, in one move, and removed first
 * - `partial/<key>/…`: what is on its way, one file an object and one that says what it is of
 * - `trash/…`: moved out of the way in one move, and removed at leisure
 *
 * An object with no other link than its own belongs to nobody and may go at any time. Everything
 * that links or removes objects does so without a pause in between, so no two of them can cross.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
} from 'node:fs'
import { chmod, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { hash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { dataDigestSchema, dataObjectSchema } from '#shared/model/data.ts'
import type { Logger } from '#shared/base/log.ts'
import type { CachedData } from '../../events.ts'
import { readIfThere, writeAtomically } from '../files.ts'
import { codeOf } from '../processes.ts'

const knownSchema = z.object({
  key: z.string(),
  digest: dataDigestSchema,
  bytes: z.int().min(0),
  objects: z.array(dataObjectSchema.extend({ validator: z.string().optional() })),
})
export type Known = z.infer<typeof knownSchema>
export type KnownObject = Known['objects'][number]

const partialSchema = z.object({
  path: z.string(),
  validator: z.string().optional(),
  /** Of a whole object what it holds; before, what it is to hold, if that is known. */
  sha256: z.string().optional(),
  size: z.int().optional(),
  isWhole: z.boolean().default(false),
})
export type Partial = z.infer<typeof partialSchema>

export type Store = {
  /** Sets that are there to the last file; what is not is cleared away. Called once. */
  readonly sound: () => readonly Known[]
  readonly known: (key: string) => Known | undefined
  readonly pathOf: (known: Pick<Known, 'key' | 'digest'>) => string
  /** The file of an object that is on its way, and what it is of. */
  readonly partialFile: (key: string, path: string) => string
  readonly partial: (key: string, path: string) => Partial | undefined
  readonly writePartial: (key: string, partial: Partial) => void
  /** Makes the object's file, which is whole, one of the cache's objects. */
  readonly adopt: (file: string, sha256: string) => void
  readonly has: (sha256: string) => boolean
  /** Makes an object of the cache the file of one on its way; false where it is not there. */
  readonly lend: (sha256: string, file: string) => boolean
  /** Makes the set whole: its tree, then the word that it is there. */
  readonly complete: (known: Known) => Promise<void>
  /** Until now. */
  readonly touch: (key: string, atMs: number) => void
  /** Sets, and what is on its way, by when each was last of use; the oldest first. */
  readonly holdings: () => readonly { readonly key: string; readonly usedAtMs: number }[]
  /** Of one key everything, and the objects that nobody else has; true when there was any. */
  readonly drop: (key: string) => boolean
  readonly dropOrphans: () => void
  readonly usedBytes: () => Promise<number>
  readonly emptyTrash: () => Promise<void>
}

type Places = {
  readonly objects: string
  readonly sets: string
  readonly known: string
  readonly partial: string
  readonly trash: string
}

/** Makes the directories it needs; throws where they cannot be made. */
export function openStore(directory: string, log: Logger): Store {
  const places: Places = {
    objects: join(directory, 'objects'),
    sets: join(directory, 'sets'),
    known: join(directory, 'known'),
    partial: join(directory, 'partial'),
    trash: join(directory, 'trash'),
  }
  for (const place of Object.values(places)) mkdirSync(place, { recursive: true })
  const partialFile = (key: string, path: string): string =>
    join(places.partial, key, hash('sha256', path).slice(0, 32))
  const knownFile = (key: string): string => join(places.known, `${key}.json`)
  const pathOf: Store['pathOf'] = ({ key, digest }) => join(places.sets, key, digest.slice(0, 16))
  return {
    sound: () => findSound(places, pathOf, log),
    known: (key) => readJson(knownFile(key), knownSchema, log),
    ...{ pathOf, partialFile },
    partial: (key, path) => {
      const found = readJson(`${partialFile(key, path)}.json`, partialSchema, log)
      return found?.path === path ? found : undefined
    },
    writePartial: (key, partial) => {
      writeAtomically(`${partialFile(key, partial.path)}.json`, JSON.stringify(partial))
    },
    adopt: (file, sha256) => {
      chmodSync(file, 0o444)
      link(file, join(places.objects, sha256), { isFine: 'EEXIST' })
    },
    has: (sha256) => existsSync(join(places.objects, sha256)),
    lend: (sha256, file) => {
      const object = join(places.objects, sha256)
      if (!existsSync(object)) return false
      rmSync(file, { force: true })
      mkdirSync(dirname(file), { recursive: true })
      return link(object, file, { isFine: 'never' })
    },
    complete: async (known) => {
      await plantTree(places, pathOf(known), known.objects)
      await writeSafely(knownFile(known.key), JSON.stringify(known))
      clearBeside(places, known)
    },
    touch: (key, atMs) => {
      try {
        utimesSync(knownFile(key), atMs / 1_000, atMs / 1_000)
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
      }
    },
    holdings: () => findHoldings(places),
    drop: (key) => {
      rmSync(knownFile(key), { force: true })
      const tree = discard(places, join(places.sets, key))
      return discard(places, join(places.partial, key)) || tree
    },
    dropOrphans: () => {
      dropOrphans(places)
    },
    usedBytes: async () => {
      await emptyTrash(places)
      return usedBytes(places)
    },
    emptyTrash: () => emptyTrash(places),
  }
}

function readJson<S extends z.ZodType>(
  path: string,
  schema: S,
  log: Logger,
): z.infer<S> | undefined {
  const text = readIfThere(path)
  if (text === undefined) return undefined
  try {
    return schema.parse(JSON.parse(text))
  } catch (error) {
    log.warn('a file of the data cache is not understood', { path, error: String(error) })
    return undefined
  }
}

/** False where it failed as is fine. Some file systems count links; beyond, a copy does. */
function link(from: string, to: string, { isFine }: { isFine: string }): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === isFine) return false
    if (codeOf(error) !== 'EMLINK') throw error
    copyFileSync(from, to)
    chmodSync(to, 0o444)
    return true
  }
}

/** Gone in one move; false where it was not there. */
function discard(places: Places, path: string): boolean {
  const to = join(
    places.trash,
    `${String(process.hrtime.bigint())}-${path.split('/').at(-1) ?? ''}`,
  )
  try {
    // Who is not root cannot move a directory that is read-only to another.
    chmodSync(path, 0o755)
    renameSync(path, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

async function emptyTrash({ trash }: Places): Promise<void> {
  for (const name of await readdir(trash)) await removeTree(join(trash, name))
}

/** A tree whose directories are read-only, which only root could remove as it is. */
async function removeTree(path: string): Promise<void> {
  const makeWritable = async (at: string): Promise<void> => {
    await chmod(at, 0o755)
    for (const entry of await readdir(at, { withFileTypes: true })) {
      if (entry.isDirectory()) await makeWritable(join(at, entry.name))
    }
  }
  await makeWritable(path).catch((error: unknown) => {
    const code = codeOf(error)
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
  })
  await rm(path, { recursive: true, force: true })
}

async function plantTree(
  places: Places,
  path: string,
  objects: readonly KnownObject[],
): Promise<void> {
  const fresh = `${path}.new`
  discard(places, fresh)
  discard(places, path)
  const directories = new Set([fresh])
  await mkdir(fresh, { recursive: true })
  for (const object of objects) {
    const file = join(fresh, object.path)
    for (let at = dirname(file); !directories.has(at); at = dirname(at)) directories.add(at)
    await mkdir(dirname(file), { recursive: true })
    link(join(places.objects, object.sha256), file, { isFine: 'never' })
  }
  for (const directory of [...directories].sort().reverse()) await chmod(directory, 0o555)
  await rename(fresh, path)
}

/** Replaces the file in one move, and not before its bytes are on the disk. */
async function writeSafely(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`
  const file = await open(fresh, 'w')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
}

/** What was there of it before, and what was on its way. */
function clearBeside(places: Places, { key, digest }: Known): void {
  for (const name of readdirSync(join(places.sets, key))) {
    if (name !== digest.slice(0, 16)) discard(places, join(places.sets, key, name))
  }
  discard(places, join(places.partial, key))
}

function findSound(places: Places, pathOf: Store['pathOf'], log: Logger): readonly Known[] {
  const sound: Known[] = []
  for (const name of readdirSync(places.known)) {
    const file = join(places.known, name)
    const known = name.endsWith('.json') ? readJson(file, knownSchema, log) : undefined
    const isThere = known !== undefined && isWhole(known, pathOf(known))
    if (isThere) sound.push(known)
    else rmSync(file, { force: true })
  }
  const trees = new Map(sound.map((own) => [own.key, own.digest.slice(0, 16)]))
  for (const key of readdirSync(places.sets)) {
    for (const name of readdirSync(join(places.sets, key))) {
      if (trees.get(key) !== name) discard(places, join(places.sets, key, name))
    }
    if (!trees.has(key)) discard(places, join(places.sets, key))
  }
  return sound
}

function isWhole(known: Known, path: string): boolean {
  return known.objects.every((object) => {
    const seen = lstatSync(join(path, object.path), { throwIfNoEntry: false })
    return seen?.isFile() === true && seen.size === object.size
  })
}

function findHoldings(places: Places): { key: string; usedAtMs: number }[] {
  const used = new Map<string, number>()
  const see = (key: string, path: string): void => {
    const seen = statSync(path, { throwIfNoEntry: false })
    if (seen !== undefined) used.set(key, Math.max(used.get(key) ?? 0, seen.mtimeMs))
  }
  for (const name of readdirSync(places.known)) {
    if (name.endsWith('.json')) see(name.slice(0, -'.json'.length), join(places.known, name))
  }
  for (const key of readdirSync(places.partial)) see(key, join(places.partial, key))
  const all = [...used].map(([key, usedAtMs]) => ({ key, usedAtMs }))
  return all.sort((a, b) => a.usedAtMs - b.usedAtMs)
}

function dropOrphans({ objects }: Places): void {
  for (const name of readdirSync(objects)) {
    const file = join(objects, name)
    if (statSync(file).nlink === 1) unlinkSync(file)
  }
}

async function usedBytes(places: Places): Promise<number> {
  let bytes = 0
  for (const name of await readdir(places.objects)) {
    bytes += await sizeOf(join(places.objects, name))
  }
  for (const key of await readdir(places.partial)) {
    for (const name of await readdir(join(places.partial, key)).catch(() => [])) {
      const file = join(places.partial, key, name)
      // What has another link is an object, and counted.
      const seen = await lstat(file).catch(() => undefined)
      if (seen?.nlink === 1) bytes += seen.size
    }
  }
  return bytes
}

async function sizeOf(path: string): Promise<number> {
  return (await lstat(path).catch(() => undefined))?.size ?? 0
}

/** Which data the cache holds whole, as the agent's core knows it. */
export function cachedOf(store: Store, known: Known): CachedData {
  const { key, digest, bytes } = known
  return { key, digest, bytes, path: store.pathOf(known) }
}
