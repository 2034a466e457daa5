/**
 * The sum of numbers, in their order: the same numbers in the same order give the same sum.
 */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
