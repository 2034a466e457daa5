import { describe, expect, it } from 'vitest'
import { launchFailure } from '#shared/cloud/fleet-outcome.ts'

const rows: readonly [string, number | undefined, string][] = [
  ['RequestLimitExceeded', 503, 'refused, again'],
  ['Throttling', 400, 'refused, again'],
  ['SomethingNew', 429, 'refused, again'],
  ['RequestExpired', 400, 'refused, again'],
  ['UnauthorizedOperation', 403, 'refused'],
  ['InvalidLaunchTemplateId.NotFound', 400, 'refused'],
  ['IdempotentParameterMismatch', 400, 'unknown'],
  ['InternalError', 500, 'unknown'],
  ['Unavailable', 503, 'unknown'],
  ['InsufficientInstanceCapacity', 500, 'unknown'],
  ['SyntaxError', undefined, 'unknown'],
  ['ECONNRESET', undefined, 'unknown'],
  ['AbortError', undefined, 'unknown'],
  ['ECONNREFUSED', undefined, 'refused, again'],
  ['CredentialsProviderError', undefined, 'refused, again'],
]

describe('what a failed launch means', () => {
  it.each(rows)('%s (HTTP %s) is %s', (code, httpStatus, expected) => {
    const failure = { code, text: 'text', ...(httpStatus === undefined ? {} : { httpStatus }) }
    const outcome = launchFailure(failure)
    const again = outcome.outcome === 'refused' && outcome.retryable ? ', again' : ''
    expect(`${outcome.outcome}${again}`).toBe(expected)
  })
})
