import { describe, expect, it } from 'vitest'
import type { DynamoDBRecord } from 'aws-lambda'
import { fieldsFromWire, fieldsToWire } from '#shared/store/aws/attribute-values.ts'
import { changeOf } from '#shared/store/aws/stream-records.ts'

const Keys = { pk: { S: 'node' }, sk: { S: 'n1' } }
const record = (facts: DynamoDBRecord): DynamoDBRecord => ({
  eventID: '1',
  eventSource: 'aws:dynamodb',
  ...facts,
})

describe('a stream record', () => {
  it('of an insert has an after alone', () => {
    const NewImage = { ...Keys, n: { N: '1.5' }, list: { L: [{ BOOL: true }, { NULL: true }] } }
    expect(changeOf(record({ eventName: 'INSERT', dynamodb: { Keys, NewImage } }))).toStrictEqual({
      key: { pk: 'node', sk: 'n1' },
      after: { pk: 'node', sk: 'n1', n: 1.5, list: [true, null] },
      expired: false,
    })
  })

  it('of a change has both', () => {
    const OldImage = { ...Keys, map: { M: { a: { S: '' } } } }
    const NewImage = { ...Keys, map: { M: {} } }
    const dynamodb = { Keys, OldImage, NewImage }
    expect(changeOf(record({ eventName: 'MODIFY', dynamodb }))).toMatchObject({
      before: { map: { a: '' } },
      after: { map: {} },
      expired: false,
    })
  })

  it('of a delete is expired only when time-to-live did it', () => {
    const gone = (userIdentity?: unknown) =>
      changeOf(record({ eventName: 'REMOVE', dynamodb: { Keys, OldImage: Keys }, userIdentity }))
    expect(gone()).toStrictEqual({
      key: { pk: 'node', sk: 'n1' },
      before: { pk: 'node', sk: 'n1' },
      expired: false,
    })
    expect(gone({ type: 'Service', principalId: 'dynamodb.amazonaws.com' }).expired).toBe(true)
    expect(gone({ Type: 'Service', PrincipalId: 'dynamodb.amazonaws.com' }).expired).toBe(true)
    expect(gone({ type: 'User', principalId: 'somebody' }).expired).toBe(false)
  })

  it('without keys is refused', () => {
    expect(() => changeOf(record({ dynamodb: {} }))).toThrow('BadStreamRecord')
    expect(() => changeOf(record({}))).toThrow('BadStreamRecord')
  })

  it('with a type that drover never writes can be read, so that others wake all the same', () => {
    const NewImage = { ...Keys, set: { SS: ['a'] }, list: { L: [{ B: 'AA==' }] } }
    const { after } = changeOf(record({ dynamodb: { Keys, NewImage } }))
    expect(after).toEqual({ pk: 'node', sk: 'n1', set: null, list: [null] })
  })
})

describe('attribute values', () => {
  it('say the same there and back', () => {
    const fields = { s: 'x', n: -1.5e-7, b: false, z: null, l: [1, ['a']], m: { k: { d: '' } } }
    expect(fieldsFromWire(fieldsToWire(fields))).toEqual(fields)
  })
})
