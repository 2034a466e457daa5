/**
 * Tests that an engine is known to fail, because the engine and not drover departs from AWS.
 *
 * Such a test still runs. If it fails as it was seen to fail, it counts as skipped, with its
 * reason; if it fails in another way or passes, the entry is wrong and the test says so. So a list
 * of differences can neither hide a new fault nor outlive the engine's mending.
 */
import { describe, expect, it } from 'vitest'

export type KnownDifference = {
  /** The test's title within its suite. */
  readonly test: string
  /** What the engine does instead. */
  readonly does: string
  /** Words of the failure that show it is this difference and no other. */
  readonly shows: string
}

export type Titled = (title: string, run: () => Promise<void>) => void

/** `it` for a suite, minding its known differences. To be called once, inside its `describe`. */
export function itMinding(known: readonly KnownDifference[]): Titled {
  const titles = new Set<string>()
  if (known.length > 0) {
    describe('known differences', () => {
      it('name tests that exist', () => {
        expect(known.map(({ test }) => test).filter((test) => !titles.has(test))).toEqual([])
      })
    })
  }
  return (title, run) => {
    titles.add(title)
    const difference = known.find(({ test }) => test === title)
    if (difference === undefined) {
      it(title, run)
      return
    }
    it(title, async ({ skip }) => {
      skip(await departure(difference, run))
    })
  }
}

/** The reason to skip a test that fails as it is known to; throws when it does anything else. */
export async function departure(
  { test, does, shows }: KnownDifference,
  run: () => Promise<void>,
): Promise<string> {
  const failure = await run().then(
    () => undefined,
    (error: unknown) => error,
  )
  if (failure === undefined) {
    throw new Error(`'${test}' passes: the entry in the table of differences is out of date`)
  }
  const text = failure instanceof Error ? failure.message : String(failure)
  if (!text.includes(shows)) {
    throw new Error(`'${test}' fails, but not by '${shows}' as it is known to`, { cause: failure })
  }
  return `the engine ${does}`
}
