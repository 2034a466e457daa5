/**
 * What the command says when it cannot do what it was asked.
 *
 * A refusal is no bug: no stack trace, one line that says what is wrong, each fault with its path,
 * and the next step. Misuse (exit 2) is told apart from refusals and failures (exit 1), so that
 * scripts can tell a typo from an outage. With `--json` the same facts leave as a problem document.
 */
import { DroverError, type ErrorFacts } from '#shared/base/errors.ts'
import type { Problem, ProblemFault } from '#shared/protocol/api.ts'

export type CliErrorFacts = ErrorFacts & { readonly faults?: readonly ProblemFault[] }

/** Refused or failed: exit 1. */
export class CliError extends DroverError {
  readonly text: string
  readonly faults: readonly ProblemFault[]

  constructor(facts: CliErrorFacts) {
    super(facts)
    this.text = facts.text
    this.faults = facts.faults ?? []
  }
}

/** The command line itself is wrong: exit 2. */
export class UsageError extends CliError {
  constructor(text: string, next?: string) {
    super({ code: 'Misused', text, ...(next === undefined ? {} : { next }) })
  }
}

/** Nobody answers at the URL, or not in time. */
export class ConnectionError extends CliError {}

/** Ctrl-C: the shell's own convention for the exit code, and nothing to explain. */
export class InterruptedError extends CliError {
  constructor() {
    super({ code: 'Interrupted', text: 'interrupted' })
  }
}

/** The server answered with a problem document, or with something that should have been one. */
export class ProblemError extends CliError {
  readonly problem: Problem

  constructor(problem: Problem, next?: string) {
    super({
      code: problem.code,
      text: problem.detail === '' ? problem.title : problem.detail,
      seen: problem.status,
      faults: problem.errors ?? [],
      ...(next === undefined ? {} : { next }),
    })
    this.problem = problem
  }
}

export const EXIT = { done: 0, refused: 1, misused: 2, interrupted: 130 } as const

export function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError) return EXIT.interrupted
  return error instanceof UsageError ? EXIT.misused : EXIT.refused
}

/** The error as RFC 9457 has it: the server's own document, or one of ours without a status. */
export function problemOf(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof ProblemError) return error.problem
  if (!(error instanceof CliError)) {
    const detail = error instanceof Error ? error.message : String(error)
    return { type: 'about:blank', title: 'drover failed', code: 'Failed', detail }
  }
  const detail = error.next === undefined ? error.text : `${error.text}; ${error.next}`
  return {
    type: 'about:blank',
    title: error.text,
    code: error.code,
    detail,
    ...(error.faults.length === 0 ? {} : { errors: error.faults }),
  }
}

/** The error as a person reads it, one line each. */
export function linesOf(error: unknown): readonly string[] {
  if (!(error instanceof CliError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return [`error: ${text}`, 'next: this is a bug in drover; please report it']
  }
  const faults = error.faults
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    // A single fault is all there is to tell, and the server's own words begin with it.
    .filter((fault) => fault !== error.text)
    .map((fault) => `  ${fault}`)
  return [
    `error: ${error.text}`,
    ...faults,
    ...(error.next === undefined ? [] : [`next: ${error.next}`]),
  ]
}
