/**
 * The one way to make a DynamoDB client: every call bounded in time and in attempts.
 *
 * A table that does not answer must cost a pass seconds, not the SDK's default of for ever.
 */
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { Logger } from '../../base/log.ts'
import { boundedBy } from '../../cloud/aws/bounded-attempts.ts'
import { LIMITS } from '../../model/limits.ts'

/** One table through one client: what every verb of the store needs. */
export type TableBinding = {
  readonly client: DynamoDBDocumentClient
  readonly tableName: string
  readonly log: Logger
  readonly sleep: (ms: number) => Promise<void>
}

/**
 * Plain values in and out; what is undefined is left out, as JSON does. Machines write items of
 * their own, so a number that is none of drover's must not keep a whole page from being read: it
 * comes as the nearest that there is, and the item's schema judges it.
 */
export function makeDynamoClient(config: DynamoDBClientConfig = {}): DynamoDBDocumentClient {
  const client = new DynamoDBClient({
    retryMode: 'standard',
    maxAttempts: LIMITS.storeAttempts,
    requestHandler: boundedBy(LIMITS.storeRequestTimeoutMs),
    ...config,
  })
  return DynamoDBDocumentClient.from(client, {
    marshallOptions: { removeUndefinedValues: true },
    unmarshallOptions: { wrapNumbers: Number },
  })
}
