/**
 * Quantiles as benches report them: an observed value and never one between two, so that few
 * samples do not pretend to know more than they do.
 */

/** The smallest observed value that `share` of all values do not exceed; NaN for none. */
export function quantileOf(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export const medianOf = (values: readonly number[]): number => quantileOf(values, 0.5)
