/**
 * Reading what `-f` names: a file, a folder of them, or standard input.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { byText } from '#shared/base/order.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { CliError, UsageError } from './errors.ts'
import type { World } from './world.ts'

export type SourceFile = { readonly name: string; readonly text: string }

const SPEC_FILE = /\.(ya?ml|json)$/

/**
 * The files in the order given, a folder's by name; throws CliError for one that cannot be read.
 */
export async function readSources(
  paths: readonly string[],
  world: Pick<World, 'readInput'>,
): Promise<readonly SourceFile[]> {
  if (paths.length === 0)
    throw new UsageError('-f is missing', 'name a file, a folder, or - for input')
  const read = await Promise.all(
    paths.map((path) => (path === '-' ? fromInput(world) : fromPath(path))),
  )
  return read.flat()
}

/** One file, whatever is in it; throws CliError for one that cannot be read or is too large. */
export async function readOneFile(path: string, maxBytes: number): Promise<SourceFile> {
  try {
    return await fromFile(path, { sizeBytes: (await stat(path)).size, maxBytes })
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    throw unreadable(path, reasonOf(cause), cause)
  }
}

async function fromInput(world: Pick<World, 'readInput'>): Promise<readonly SourceFile[]> {
  return [{ name: 'input', text: await world.readInput() }]
}

async function fromPath(path: string): Promise<readonly SourceFile[]> {
  try {
    const facts = await stat(path)
    if (!facts.isDirectory()) return [await fromSpec(path, facts.size)]
    const names = (await readdir(path)).filter((name) => SPEC_FILE.test(name)).sort(byText)
    if (names.length === 0) throw unreadable(path, 'has no .yaml, .yml or .json file')
    return await Promise.all(
      names.map(async (name) => fromSpec(join(path, name), (await stat(join(path, name))).size)),
    )
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    throw unreadable(path, reasonOf(cause), cause)
  }
}

const fromSpec = (path: string, sizeBytes: number): Promise<SourceFile> =>
  fromFile(path, { sizeBytes, maxBytes: LIMITS.bodyMaxBytes })

type Size = { readonly sizeBytes: number; readonly maxBytes: number }

async function fromFile(path: string, { sizeBytes, maxBytes }: Size): Promise<SourceFile> {
  if (sizeBytes > maxBytes) {
    throw unreadable(path, `has ${String(sizeBytes)} bytes, of at most ${String(maxBytes)}`)
  }
  return { name: path, text: await readFile(path, 'utf8') }
}

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'ENOENT') return 'does not exist'
  if (code === 'EACCES') return 'may not be read'
  return `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
}

function unreadable(path: string, text: string, cause?: unknown): CliError {
  return new CliError({ code: 'Unreadable', text: `${path} ${text}`, cause })
}
