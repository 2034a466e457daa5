/**
 * What bounds each attempt of an AWS client, lest a connection that is dead takes all of a call's
 * time.
 */
import type { EC2ClientConfig } from '@aws-sdk/client-ec2'
import { LIMITS } from '../../model/limits.ts'

/** A handler's settings for attempts that end within so long, and throw when they do. */
export function boundedBy(
  attemptTimeoutMs: number,
): NonNullable<EC2ClientConfig['requestHandler']> {
  return {
    connectionTimeout: Math.min(LIMITS.connectTimeoutMs, attemptTimeoutMs),
    requestTimeout: attemptTimeoutMs,
    socketTimeout: attemptTimeoutMs,
    throwOnRequestTimeout: true,
  }
}
