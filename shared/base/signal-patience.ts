/**
 * Ctrl-C comes twice where npm or npx stands in between: from the terminal, and passed on by npm.
 *
 * So the second signal is taken for impatience only if it comes a while after the first.
 */
const AGAIN_MS = 1_000

export type SignalPatience = {
  /** Asked at each signal: true where a person has waited, and asks again. */
  isOver(): boolean
}

/** `now`: milliseconds of any clock that does not go back. */
export function makeSignalPatience(now: () => number): SignalPatience {
  let firstMs: number | undefined
  return {
    isOver: () => {
      firstMs ??= now()
      return now() - firstMs >= AGAIN_MS
    },
  }
}
