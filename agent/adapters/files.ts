/**
 * Where an agent keeps things, and how it writes them so that a crash leaves the old or the new.
 */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { assert } from '#shared/base/assert.ts'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { persistedSchema, type Persisted } from '../persisted.ts'
import { codeOf } from './processes.ts'

export type AgentFiles = {
  readonly directory: string
  readonly state: string
  /** Which agent works here. */
  readonly lock: string
  readonly journal: string
  /** That the container engine did not answer. */
  readonly silence: string
  /** What the disk check writes. */
  readonly check: string
  readonly logs: string
  readonly log: (replicaId: string) => string
  /** A replica's working directory. */
  readonly work: (replicaId: string) => string
}

/** The paths under an agent's directory. A replica id's slash becomes a dot: no name holds one. */
export function agentFiles(directory: string): AgentFiles {
  const flat = (replicaId: string): string => {
    // Directories are removed by these names: one that climbs out must never be made.
    assert(/^[a-zA-Z0-9]/.test(replicaId), 'a replica id begins with a letter or digit', replicaId)
    return replicaId.replaceAll('/', '.')
  }
  return {
    directory,
    state: join(directory, 'state.json'),
    lock: join(directory, 'agent.json'),
    journal: join(directory, 'processes.json'),
    silence: join(directory, 'engine-silent'),
    check: join(directory, 'check.bin'),
    logs: join(directory, 'logs'),
    log: (replicaId: string) => join(directory, 'logs', `${flat(replicaId)}.log`),
    work: (replicaId: string) => join(directory, 'replicas', flat(replicaId)),
  }
}

/** Replaces the file in one move. */
export function writeAtomically(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  const fresh = `${path}.new`
  writeFileSync(fresh, text)
  renameSync(fresh, path)
}

/**
 * As above where it can be: a disk that is full must not keep an agent from its work, nor take down
 * what runs. `what` says what is lost.
 */
export function writeIfPossible(
  path: string,
  text: string,
  { what, log }: { readonly what: string; readonly log: Logger },
): void {
  try {
    writeAtomically(path, text)
  } catch (error) {
    log.error(`${what} cannot be kept: ${describeError(error)}`, { path })
  }
}

/** Removes a directory, also where read-only ones are in it: only root could remove those. */
export function removeDirectory(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) makeWritable(path)
  rmSync(path, { recursive: true, force: true })
}

function makeWritable(directory: string): void {
  chmodSync(directory, 0o755)
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) makeWritable(join(directory, entry.name))
  }
}

/** The file's text; undefined when there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** What the last run left; a file that cannot be understood is as good as none, and is said so. */
export function readPersisted(path: string, log: Logger): Persisted | undefined {
  const text = readIfThere(path)
  if (text === undefined) return undefined
  try {
    return persistedSchema.parse(JSON.parse(text))
  } catch (error) {
    log.warn('the state file is not understood and is ignored', { path, error: String(error) })
    return undefined
  }
}
