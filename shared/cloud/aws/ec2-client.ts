/**
 * The EC2 client and how its failures are read.
 *
 * Two clients, for two temperaments: a launch is sent once and never again by the SDK, because only
 * the caller knows whether its time has passed; everything else may be repeated and is. Each call
 * has a deadline of its own by AbortSignal, retries included, and an attempt may have one too, lest
 * a connection that is dead takes all of it.
 */
import { EC2Client, EC2ServiceException } from '@aws-sdk/client-ec2'
import { describeError } from '../../base/errors.ts'
import type { CallFailure } from '../fleet-outcome.ts'
import { boundedBy } from './bounded-attempts.ts'

export type Ec2Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string }

export type Ec2ClientOptions = {
  readonly region: string
  /** Set in local mode, where an emulated EC2 speaks the same protocol. */
  readonly endpoint?: string | undefined
  /** From the environment where left out. */
  readonly credentials?: Ec2Credentials | undefined
  /** Of calls that may be repeated; 3 by default. */
  readonly attempts?: number | undefined
  /** Of one attempt of those; without it, all that the call may take. */
  readonly attemptTimeoutMs?: number | undefined
}

const ATTEMPTS = 3

export type Ec2Clients = { readonly once: EC2Client; readonly retrying: EC2Client }

export function makeEc2Clients(options: Ec2ClientOptions): Ec2Clients {
  const { region, endpoint, credentials, attempts = ATTEMPTS, attemptTimeoutMs } = options
  const config = {
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  }
  return {
    once: new EC2Client({ ...config, maxAttempts: 1 }),
    retrying: new EC2Client({
      ...{ ...config, maxAttempts: attempts },
      ...(attemptTimeoutMs === undefined ? {} : { requestHandler: boundedBy(attemptTimeoutMs) }),
    }),
  }
}

/** The options of one `send`: it ends, one way or the other, within `timeoutMs`. */
export function within(timeoutMs: number): { abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(timeoutMs) }
}

/**
 * A failed call's code, text and HTTP status. An answer that could not be parsed has none: a 200
 * whose body is broken says nothing of what was done.
 */
export function failureOf(error: unknown): CallFailure {
  if (error instanceof EC2ServiceException) {
    const { name, message, $metadata } = error
    const httpStatus = $metadata.httpStatusCode
    return { code: name, text: message, ...(httpStatus === undefined ? {} : { httpStatus }) }
  }
  return { code: codeOf(error), text: describeError(error) }
}

/** Node's `code` of a socket error, deepest first known; otherwise the error's name. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError) {
    // One error for each address tried: all of them must have failed alike to conclude anything.
    const codes = new Set(error.errors.map(codeOf))
    const [code] = codes
    return codes.size === 1 && code !== undefined ? code : error.name
  }
  if (!(error instanceof Error)) return 'Error'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
