/**
 * What can go wrong between an agent and the world around it.
 *
 * None of these ends the agent: the loop logs them and tries again. They exist so that the log line
 * says what was asked, of whom, and what to look at.
 */
import { DroverError, type ErrorFacts } from '#shared/base/errors.ts'

type Facts = Omit<ErrorFacts, 'code'>

/** The table did not answer, or answered with an error. */
export class TableError extends DroverError {
  constructor(facts: Facts) {
    super({ code: 'TableUnreachable', ...facts })
  }
}

/** Instance metadata did not answer, or with something else than it documents. */
export class MetadataError extends DroverError {
  /** Somebody took the question and was too slow to answer it: busy, and not gone. */
  readonly isLate: boolean

  constructor({ isLate = false, ...facts }: Facts & { readonly isLate?: boolean }) {
    super({ code: 'MetadataUnreachable', ...facts })
    this.isLate = isLate
  }
}

/** The Docker Engine did not answer, or would not do what it was asked. */
export class DockerError extends DroverError {
  /** Absent where there was no answer. */
  readonly status: number | undefined
  /** The engine's or a registry's own words. */
  readonly said: string | undefined

  constructor({ status, said, ...facts }: Facts & { status?: number; said?: string }) {
    super({ code: 'DockerFailed', ...facts })
    this.status = status
    this.said = said
  }
}

/** Another agent already works in this directory. */
export class AgentRunsError extends DroverError {
  constructor(facts: Facts) {
    super({ code: 'AgentAlreadyRuns', ...facts })
  }
}

/** Data that did not come, whole and as it should be; the code is the reason in the report. */
export class DataError extends DroverError {
  /** What a report says: short, the most telling first. */
  readonly said: string
  /** Worth another try at once: a connection that broke, a server that is busy. */
  readonly isPassing: boolean

  constructor({ text, code = 'DataFetchFailed', isPassing = false, cause, next }: DataFacts) {
    super({ code, text, cause, ...(next === undefined ? {} : { next }) })
    this.said = `${code}: ${text}${next === undefined ? '' : ` (${next})`}`
    this.isPassing = isPassing
  }
}

type DataFacts = {
  readonly text: string
  readonly code?: 'DataFetchFailed' | 'DataChanged' | 'DataDoesNotFit'
  readonly isPassing?: boolean
  readonly cause?: unknown
  readonly next?: string
}
