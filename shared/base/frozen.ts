/**
 * Deep freezing of plain JSON, so that a value handed out can be trusted not to move.
 */

/** Freezes the value and all it holds; what is frozen already is taken to be so throughout. */
export function frozen<T>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const own of Object.values(value)) frozen(own)
  return value
}
