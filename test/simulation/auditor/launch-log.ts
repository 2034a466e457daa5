/**
 * What is known of every launch of the last two days: requests by token, intents, births.
 *
 * A launch item is gone once its answer is in, but its token lives on: a call of a pass that was
 * overtaken may still be in flight and reach EC2 a little later.
 */
import { createHash } from 'node:crypto'
import { canonicalJson } from '#shared/base/equal.ts'
import { TAGS, type Launch, type LaunchRequest } from '#shared/model/launch.ts'
import type { Limits } from './needs.ts'

export type KnownLaunch = {
  readonly id: string
  readonly pool: string
  readonly count: number
  readonly notAfterMs: number
  /** SHA-256 of the stored request. */
  readonly requestHash: string
  readonly createdAtMs: number
  /** The pool's limits as the pass that wrote the intent saw them. */
  readonly limits: Limits
}

export type LaunchLog = {
  byToken(token: string): KnownLaunch | undefined
  /** True when a launch of this id was ever in the table, as far as is remembered. */
  knows(id: string): boolean
  open(token: string, launch: KnownLaunch): void
  /** Counts instances born of a launch, over all its attempts; answers how many there are now. */
  bear(id: string, count: number, atMs: number): number
  forgetBefore(atMs: number): void
}

export function makeLaunchLog(): LaunchLog {
  const tokens = new Map<string, KnownLaunch>()
  const born = new Map<string, { count: number; atMs: number }>()
  const ids = new Map<string, number>()
  return {
    byToken: (token) => tokens.get(token),
    knows: (id) => ids.has(id),
    open: (token, launch) => {
      tokens.set(token, launch)
      ids.set(launch.id, launch.createdAtMs)
    },
    bear: (id, count, atMs) => {
      const own = born.get(id) ?? { count: 0, atMs }
      own.count += count
      born.set(id, own)
      return own.count
    },
    forgetBefore: (atMs) => {
      for (const [token, own] of tokens) if (own.createdAtMs < atMs) tokens.delete(token)
      for (const [id, createdAtMs] of ids) if (createdAtMs < atMs) ids.delete(id)
      for (const [id, own] of born) if (own.atMs < atMs) born.delete(id)
    },
  }
}

export function hashOfRequest(request: LaunchRequest): string {
  return createHash('sha256').update(canonicalJson(request)).digest('hex')
}

/** The launch's id in an instance's or a request's tags, without the attempt. */
export function launchIdOf(tags: Readonly<Record<string, string>>): string {
  return (tags[TAGS.launch] ?? '').split('/')[0] ?? ''
}

export function isSameIntent(a: Launch, b: Launch): boolean {
  return a.request === b.request && a.count === b.count && a.notAfterMs === b.notAfterMs
}
