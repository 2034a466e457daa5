/**
 * What a rule of the auditor is: a few questions about the traffic, with a memory of its own.
 *
 * Every rule hears every act in order, even after another rule has found a breach, so that no
 * memory falls behind. A rule answers with the breach in words, or with nothing.
 */
import type { Seen, SeenOf, Truth } from '../traffic.ts'
import type { Books } from './books.ts'
import type { Passes } from './passes.ts'
import type { RuleName } from './rules.ts'

export type Breach = { readonly rule: RuleName; readonly text: string }

type Hears = { readonly [K in Seen['kind']]?: (seen: SeenOf<K>) => Breach | undefined }

export type Rule = {
  readonly see?: Hears
  /** Heard for acts of every kind, after `see`. */
  readonly each?: (seen: Seen) => Breach | undefined
  /** Judges everything there is, from scratch. */
  readonly full?: () => Breach | undefined
  /** What keeps the herd from being whole, worst first. */
  readonly unsettled?: () => readonly string[]
}

/** What rules may look at. Books and passes have taken an act in before rules hear of it. */
export type Knowledge = {
  readonly truth: Truth
  readonly books: Books
  readonly passes: Passes
}

/** The first breach found among `all`; the rest is not looked at. */
export function firstOf<T>(
  all: Iterable<T>,
  judge: (one: T) => Breach | undefined,
): Breach | undefined {
  for (const one of all) {
    const breach = judge(one)
    if (breach !== undefined) return breach
  }
  return undefined
}

/** Clocks of functions differ by so much at most, in either direction, both counted. */
export const CLOCK_SLACK_MS = 1_000
