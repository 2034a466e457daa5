/**
 * Stream records as the engine gives them, made into what Lambda would hand a function.
 *
 * Two of dynoxide's habits end here, so that functions meet the same records as on AWS: a write
 * that changed nothing is no record, and the delete of an item whose time to live had passed is the
 * service's own (local mode's sweep does those deletes; see expiry.ts).
 */
import type { AttributeValue, DynamoDBRecord } from 'aws-lambda'
import type { _Record as EngineRecord } from '@aws-sdk/client-dynamodb-streams'
import { sameJson } from '#shared/base/equal.ts'
import { TTL_ATTRIBUTE } from '#shared/store/aws/tables.ts'

const TTL_IDENTITY = { type: 'Service', principalId: 'dynamodb.amazonaws.com' }

type Image = Record<string, AttributeValue>

export function lambdaRecordsOf(
  records: readonly EngineRecord[],
  streamArn: string,
): readonly DynamoDBRecord[] {
  return records.filter(changedSomething).map((record) => lambdaRecordOf(record, streamArn))
}

function changedSomething({ dynamodb }: EngineRecord): boolean {
  return dynamodb?.NewImage === undefined || !sameJson(dynamodb.OldImage, dynamodb.NewImage)
}

function lambdaRecordOf(record: EngineRecord, streamArn: string): DynamoDBRecord {
  const { dynamodb } = record
  const seconds = (dynamodb?.ApproximateCreationDateTime?.getTime() ?? 0) / 1000
  return {
    eventSource: 'aws:dynamodb',
    eventSourceARN: streamArn,
    ...(record.eventID !== undefined && { eventID: record.eventID }),
    ...(record.eventName !== undefined && { eventName: record.eventName }),
    ...(record.eventVersion !== undefined && { eventVersion: record.eventVersion }),
    ...(record.awsRegion !== undefined && { awsRegion: record.awsRegion }),
    ...(isExpiry(record, seconds) && { userIdentity: TTL_IDENTITY }),
    dynamodb: {
      ApproximateCreationDateTime: seconds,
      ...(dynamodb?.Keys && { Keys: dynamodb.Keys as Image }),
      ...(dynamodb?.OldImage && { OldImage: dynamodb.OldImage as Image }),
      ...(dynamodb?.NewImage && { NewImage: dynamodb.NewImage as Image }),
      ...(dynamodb?.SequenceNumber !== undefined && { SequenceNumber: dynamodb.SequenceNumber }),
      ...(dynamodb?.SizeBytes !== undefined && { SizeBytes: dynamodb.SizeBytes }),
      ...(dynamodb?.StreamViewType && { StreamViewType: dynamodb.StreamViewType }),
    },
  }
}

function isExpiry({ eventName, dynamodb }: EngineRecord, seconds: number): boolean {
  const ttl = dynamodb?.OldImage?.[TTL_ATTRIBUTE]?.N
  return eventName === 'REMOVE' && ttl !== undefined && Number(ttl) <= seconds
}
