/**
 * What a failed launch call means: refused, or unknown.
 *
 * A refusal is certain: EC2 said no, or the request never left. Everything else may have launched
 * machines. A throttled call answers 503 and is still a refusal; any other 5xx is not one, for EC2
 * may have failed after it began. A mismatched token says that an earlier call with it got through.
 */
import type { LaunchOutcome } from './fleet.ts'

export type CallFailure = {
  readonly code: string
  readonly text: string
  /** Absent where no HTTP answer came. */
  readonly httpStatus?: number
}

/** EC2 does nothing for these; the same request may be sent again, later. */
const THROTTLED: ReadonlySet<string> = new Set([
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'TooManyRequestsException',
  'RequestThrottled',
  'RequestThrottledException',
  'EC2ThrottledException',
  'BandwidthLimitExceeded',
])

/** Nothing was sent: the connection never stood, or there was nothing to sign with. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'CredentialsProviderError',
])

/** A signature's time window was missed: the SDK corrects its clock, and the next call passes. */
const SKEWED: ReadonlySet<string> = new Set(['RequestExpired', 'RequestTimeTooSkewed'])

const TOO_MANY_REQUESTS = 429

export function launchFailure({ code, text, httpStatus }: CallFailure): LaunchOutcome {
  const words = `${code}: ${text}`
  if (NEVER_SENT.has(code)) return { outcome: 'refused', code, text, retryable: true }
  if (httpStatus === undefined) return { outcome: 'unknown', text: words }
  if (THROTTLED.has(code) || httpStatus === TOO_MANY_REQUESTS) {
    return { outcome: 'refused', code, text, retryable: true }
  }
  if (code === 'IdempotentParameterMismatch') return { outcome: 'unknown', text: words }
  if (httpStatus >= 400 && httpStatus < 500) {
    return { outcome: 'refused', code, text, retryable: SKEWED.has(code) }
  }
  return { outcome: 'unknown', text: words }
}

/** EC2's answer when it is whole; one that names nothing at all is a burnt token's replay. */
export function launchAnswer(
  answer: Omit<Extract<LaunchOutcome, { outcome: 'answered' }>, 'outcome'>,
): LaunchOutcome {
  if (answer.instances.length === 0 && answer.errors.length === 0) {
    return { outcome: 'unknown', text: 'EC2 answered with neither instances nor errors' }
  }
  return { outcome: 'answered', ...answer }
}
