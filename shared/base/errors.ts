/**
 * The root of drover's error families.
 *
 * Every error carries what a person needs at three in the morning: a stable code to search for, the
 * value that was seen, the next step, and the cause it wraps. Expected outcomes (a lost race, an
 * empty market) are not errors: they are return values.
 */
export type ErrorFacts = {
  /** Stable, CamelCase; documented where it is thrown. */
  code: string
  text: string
  /** The offending value, kept small. */
  seen?: unknown
  /** What the reader should do now. */
  next?: string
  cause?: unknown
}

export class DroverError extends Error {
  readonly code: string
  readonly seen: unknown
  readonly next: string | undefined

  constructor(facts: ErrorFacts) {
    const next = facts.next === undefined ? '' : ` (${facts.next})`
    super(`${facts.code}: ${facts.text}${next}`, { cause: facts.cause })
    this.name = new.target.name
    this.code = facts.code
    this.seen = facts.seen
    this.next = facts.next
  }
}

/** One line about anything thrown, for logs and for people. */
export function describeError(error: unknown): string {
  if (error instanceof Error) {
    const cause = error.cause === undefined ? '' : `; cause: ${describeError(error.cause)}`
    return `${error.name}: ${error.message}${cause}`
  }
  return String(error)
}
