/**
 * Invariants that hold in production too.
 *
 * An expected outcome is a return value; a broken invariant is a bug, and the sooner it stops the
 * pass that met it, the less it can spoil: the loop is level-triggered and simply plans again.
 */
import { DroverError } from './errors.ts'

export class InvariantError extends DroverError {
  constructor(text: string, seen?: unknown) {
    super({
      code: 'InvariantViolated',
      text,
      seen,
      next: 'this is a bug in drover; please report it',
    })
  }
}

/** Throws InvariantError with `text` and the value seen unless `condition` holds. */
export function assert(condition: unknown, text: string, seen?: unknown): asserts condition {
  if (!condition) throw new InvariantError(text, seen)
}

/** The value, or an InvariantError saying what was missing. */
export function must<T>(value: T | null | undefined, what: string): T {
  assert(value !== undefined && value !== null, `${what} is missing`)
  return value
}

/** Ends an exhaustive switch: the compiler refuses the call while a case is unhandled. */
export function unreachable(value: never): never {
  throw new InvariantError('a case nobody handles', value)
}
