/**
 * Data from this machine's own disk, for local mode: a file or a directory.
 *
 * A link is followed to a file inside the source and nowhere else. What a file holds is told by its
 * size, its time and its number on the disk.
 */
import { createReadStream } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LIMITS } from '#shared/model/limits.ts'
import { DataError } from '../../errors.ts'
import { codeOf } from '../processes.ts'
import { calm, isSingle, nameOf, type Listed, type Source } from './source.ts'

/** `url` is `file:///path`, of a directory with a slash at its end. */
export function openFileSource(url: string): Source {
  const root = fileURLToPath(url)
  return {
    list: () => told(url, () => (isSingle(url) ? listFile(root, nameOf(url)) : listBelow(root))),
    open: (path, { fromByte, validator }) =>
      told(path === '' ? url : path, async () => {
        const file = isSingle(url) ? root : await inside(root, path)
        const seen = await look(file)
        const from = validator === undefined || validator === seen.validator ? fromByte : 0
        const start = from > seen.size ? 0 : from
        return { body: calm(createReadStream(file, { start })), fromByte: start, ...seen }
      }),
  }
}

async function listFile(file: string, path: string): Promise<readonly Listed[]> {
  return [{ path, ...(await look(file)) }]
}

async function listBelow(root: string): Promise<readonly Listed[]> {
  const found: Listed[] = []
  const pending = ['']
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const entry of await readdir(join(root, at), { withFileTypes: true })) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`
      if (entry.isDirectory()) pending.push(path)
      else found.push({ path, ...(await look(await inside(root, path))) })
    }
    if (found.length + pending.length > LIMITS.dataObjectsMax) {
      throw new DataError({ text: `more than ${String(LIMITS.dataObjectsMax)} files are there` })
    }
  }
  return found
}

/** Where the file really is; throws DataError where that is outside. */
async function inside(root: string, path: string): Promise<string> {
  const [base, file] = [await realpath(root), await realpath(join(root, path))]
  if (file.startsWith(base.endsWith(sep) ? base : base + sep)) return file
  throw new DataError({ text: `${path} leads out of the source` })
}

async function look(file: string): Promise<{ size: number; validator: string }> {
  const seen = await stat(file, { bigint: true })
  if (!seen.isFile()) throw new DataError({ text: `${file} is no file` })
  const size = Number(seen.size)
  return { size, validator: `${String(size)}-${String(seen.mtimeNs)}-${String(seen.ino)}` }
}

async function told<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (cause instanceof DataError) throw cause
    throw new DataError({ text: `${what}: ${codeOf(cause) ?? String(cause)}`, cause })
  }
}
