/**
 * The files that the rules look at: what git tracks, and what it would track once added.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Source } from './source.ts'

export const ROOT = join(import.meta.dirname, '..', '..')

const GIT_TIMEOUT_MS = 10_000
const LISTING_MAX_BYTES = 16_000_000

/** Written by machines, or no text at all. */
const NOT_OURS = /^package-lock\.json$|\.(png|jpe?g|gif|ico|woff2?|gz|zip)$/

export function readSources(): readonly Source[] {
  const listing = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    { cwd: ROOT, encoding: 'utf8', timeout: GIT_TIMEOUT_MS, maxBuffer: LISTING_MAX_BYTES },
  )
  return listing
    .split('\0')
    .filter((path) => path !== '' && !NOT_OURS.test(path) && existsSync(join(ROOT, path)))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}
