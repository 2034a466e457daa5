/**
 * Log files of replicas, kept small although the writers know nothing of it.
 *
 * A replica writes to the file itself, so it can outlive the agent; nobody stands in between who
 * could rotate. So the end of a file that grew too long is copied, and then it is cut to nothing:
 * the writer's descriptor is in append mode and goes on at the new end. A line written between copy
 * and cut may be lost, and so is what a burst wrote beyond the limit.
 */
import { closeSync, createReadStream, createWriteStream, mkdirSync, openSync } from 'node:fs'
import { readdir, rename, rm, stat, truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { codeOf } from './processes.ts'

export type LogLimits = {
  /** A file longer than this is cut at the next look. */
  readonly maxBytes: number
  /** Older files beside the one in use: `.1` is the youngest. */
  readonly keptFiles: number
}

/** Opens the file for appending and hands its descriptor to `use`; closed afterwards. */
export function withLog<T>(path: string, use: (descriptor: number) => T): T {
  mkdirSync(dirname(path), { recursive: true })
  const descriptor = openSync(path, 'a')
  try {
    return use(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Rotates the file if it is too long; says whether it did. A missing file is short. Where there is
 * no room for a copy the file is cut all the same, and what the disk said is thrown.
 */
export async function rotateLog(path: string, limits: LogLimits): Promise<boolean> {
  const size = await sizeOf(path)
  if (size <= limits.maxBytes) return false
  for (let age = limits.keptFiles - 1; age >= 1; age -= 1) {
    await ifThere(rename(`${path}.${String(age)}`, `${path}.${String(age + 1)}`))
  }
  const copy = `${path}.1`
  try {
    const start = Math.max(0, size - limits.maxBytes)
    await pipeline(createReadStream(path, { start, end: size - 1 }), createWriteStream(copy))
  } catch (error) {
    await rm(copy, { force: true })
    throw error
  } finally {
    await truncate(path, 0)
  }
  return true
}

/** Removes the oldest logs of replicas that are gone, beyond `max` files. */
export async function pruneLogs(
  directory: string,
  living: ReadonlySet<string>,
  max: number,
): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  const gone = names
    .map((name) => join(directory, name))
    .filter((path) => !living.has(path.replace(/\.log(\.\d+)?$/, '.log')))
  const dated = await Promise.all(
    gone.map(async (path) => ({ path, atMs: (await stat(path).catch(() => null))?.mtimeMs ?? 0 })),
  )
  dated.sort((a, b) => b.atMs - a.atMs)
  for (const { path } of dated.slice(max)) await rm(path, { force: true })
}

async function sizeOf(path: string): Promise<number> {
  return (await ifThere(stat(path)))?.size ?? 0
}

async function ifThere<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
