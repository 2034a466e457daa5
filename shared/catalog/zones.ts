/**
 * The zones that local mode, tests and benchmarks use: the catalogue's prices are us-east-1's.
 */
export const REGION = 'us-east-1'

export const REGION_ZONES: readonly string[] = ['a', 'b', 'c', 'd', 'e', 'f'].map(
  (letter) => `${REGION}${letter}`,
)

/** Enough for a spread to mean something, few enough to read. */
export const DEFAULT_ZONES: readonly string[] = REGION_ZONES.slice(0, 3)
