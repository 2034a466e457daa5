/**
 * A record of the table's stream, as Lambda delivers it, made into the port's Change.
 *
 * Time-to-live deletes carry the service's own identity; everyone else's deletes carry none. The
 * two must be told apart, because an item that merely grew old wakes nobody.
 */
import type { DynamoDBRecord } from 'aws-lambda'
import { StoreError, type Change, type Item } from '../store.ts'
import { fieldsFromWire, type WireFields } from './attribute-values.ts'

const TTL_PRINCIPAL = 'dynamodb.amazonaws.com'

/** Throws StoreError for a record without keys: such a stream is not the table's. */
export function changeOf(record: DynamoDBRecord): Change {
  const { Keys, OldImage, NewImage } = record.dynamodb ?? {}
  const pk = Keys?.pk?.S
  const sk = Keys?.sk?.S
  if (pk === undefined || sk === undefined) {
    throw new StoreError({
      code: 'BadStreamRecord',
      text: 'a stream record has no keys pk and sk',
      seen: record.eventID,
      next: 'see which table the event source is mapped to',
    })
  }
  return {
    key: { pk, sk },
    ...(OldImage && { before: itemOf(OldImage) }),
    ...(NewImage && { after: itemOf(NewImage) }),
    expired: record.eventName === 'REMOVE' && principalOf(record) === TTL_PRINCIPAL,
  }
}

function itemOf(image: NonNullable<NonNullable<DynamoDBRecord['dynamodb']>['NewImage']>): Item {
  return fieldsFromWire(image as WireFields) as Item
}

function principalOf(record: DynamoDBRecord): unknown {
  const identity: unknown = record.userIdentity
  if (typeof identity !== 'object' || identity === null) return undefined
  // Lambda spells it principalId; the streams API itself, PrincipalId.
  const { principalId, PrincipalId } = identity as { principalId?: unknown; PrincipalId?: unknown }
  return principalId ?? PrincipalId
}
