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
  constructor(facts: Facts) {
    super({ code: 'MetadataUnreachable', ...facts })
  }
}

/** Another agent already works in this directory. */
export class AgentRunsError extends DroverError {
  constructor(facts: Facts) {
    super({ code: 'AgentAlreadyRuns', ...facts })
  }
}
