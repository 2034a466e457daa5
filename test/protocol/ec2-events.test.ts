import { describe, expect, test } from 'vitest'
import { Ec2EventError, parseEc2Event } from '#shared/protocol/ec2-events.ts'

const TIME = '2026-11-22T10:00:00Z'
const AT_MS = Date.parse(TIME)
const ID = 'i-0123456789abcdef0'
const ARN = `arn:aws:ec2:us-east-1:111122223333:instance/${ID}`

/**
 * An event as EventBridge delivers it; `resources` names a zone where a region belongs, as EC2
 * does.
 */
function event(detailType: string, detail: unknown, source = 'aws.ec2'): Record<string, unknown> {
  return {
    version: '0',
    id: '12345678-1234-1234-1234-123456789012',
    'detail-type': detailType,
    source,
    account: '111122223333',
    time: TIME,
    region: 'us-east-1',
    resources: [`arn:aws:ec2:us-east-1b:instance/${ID}`],
    detail,
  }
}

const notice = (fact: unknown): unknown => ({
  kind: 'notices',
  notices: [{ instanceId: ID, arn: ARN, atMs: AT_MS, fact }],
})

describe('what EC2 announces', () => {
  test.each(['terminate', 'stop', 'hibernate'])('a spot interruption (%s)', (action) => {
    const detail = { 'instance-id': ID, 'instance-action': action }
    expect(parseEc2Event(event('EC2 Spot Instance Interruption Warning', detail))).toEqual(
      notice({ sort: 'interruption', action }),
    )
  })

  test('a rebalance recommendation', () => {
    const detail = { 'instance-id': ID }
    expect(parseEc2Event(event('EC2 Instance Rebalance Recommendation', detail))).toEqual(
      notice({ sort: 'rebalance' }),
    )
  })

  test('a change of state', () => {
    const detail = { 'instance-id': ID, state: 'shutting-down' }
    expect(parseEc2Event(event('EC2 Instance State-change Notification', detail))).toEqual(
      notice({ sort: 'state', value: 'shutting-down' }),
    )
  })

  test.each([
    'EC2 Capacity Reservation Instance Interruption Warning',
    'EC2 Interruptible Capacity Reservation Instance Interruption Warning',
  ])('%s, in either spelling', (detailType) => {
    const detail = {
      'instance-id': ID,
      'instance-action': 'terminate',
      'instance-termination-time': '2026-11-22T10:02:00Z',
      azId: 'use1-az1',
    }
    expect(parseEc2Event(event(detailType, detail))).toEqual(
      notice({ sort: 'interruption', action: 'terminate', deadlineMs: AT_MS + 120_000 }),
    )
  })

  test('the end of a capacity block, which names no instance, under either key', () => {
    const detail = { 'capacity-reservation-id': 'cr-1', 'end-date': '2026-11-22T10:40:00Z' }
    const expected = {
      kind: 'unaddressed',
      text: 'capacity block cr-1 ends at 2026-11-22T10:40:00Z',
    }
    const usual = event('Capacity Block Reservation Expiration Warning', detail)
    const { 'detail-type': detailType, ...rest } = usual
    expect(parseEc2Event(usual)).toEqual(expected)
    expect(parseEc2Event({ ...rest, detail_type: detailType })).toEqual(expected)
  })
})

describe('what AWS Health announces', () => {
  const health = {
    eventArn: 'arn:aws:health:us-east-1::event/EC2/x/y',
    service: 'EC2',
    eventTypeCode: 'AWS_EC2_INSTANCE_STOP_SCHEDULED',
    eventTypeCategory: 'scheduledChange',
    communicationId: 'c-1',
    startTime: 'Sun, 06 Dec 2026 15:10:09 GMT',
    endTime: 'Sun, 06 Dec 2026 16:10:09 GMT',
    eventDescription: [{ language: 'en_US', latestDescription: 'words' }],
    affectedEntities: [{ entityValue: ID }, { entityValue: 'i-0abc' }, { entityValue: ID }],
    page: '1',
    totalPages: '3',
  }
  const healthEvent = (detail: unknown): Record<string, unknown> =>
    event('AWS Health Event', detail, 'aws.health')

  test('every affected instance once, with the announced start', () => {
    const fact = {
      sort: 'health',
      code: 'AWS_EC2_INSTANCE_STOP_SCHEDULED',
      startAtMs: Date.UTC(2026, 11, 6, 15, 10, 9),
    }
    expect(parseEc2Event(healthEvent(health))).toMatchObject({
      kind: 'notices',
      notices: [
        { instanceId: ID, arn: ARN, fact },
        { instanceId: 'i-0abc', fact },
      ],
    })
  })

  test('the region and account of the detail, for copies reach a backup region', () => {
    const parsed = parseEc2Event(
      healthEvent({ ...health, eventRegion: 'eu-west-1', affectedAccount: '999900001111' }),
    )
    expect(parsed).toMatchObject({
      notices: [{ arn: `arn:aws:ec2:eu-west-1:999900001111:instance/${ID}` }, {}],
    })
  })

  test.each(['issue', 'accountNotification', 'investigation'])('no %s', (eventTypeCategory) => {
    const code = 'AWS_EC2_OPERATIONAL_ISSUE'
    const told = healthEvent({ ...health, eventTypeCategory, eventTypeCode: code })
    expect(parseEc2Event(told).kind).toBe('ignored')
  })

  test('nothing of other services, and nothing that is over', () => {
    expect(parseEc2Event(healthEvent({ ...health, service: 'RDS' })).kind).toBe('ignored')
    expect(parseEc2Event(healthEvent({ ...health, statusCode: 'closed' })).kind).toBe('ignored')
  })

  test('an event that names volumes, or nothing, has nobody to be stored under', () => {
    const volumes = [{ entityValue: 'vol-1' }]
    expect(parseEc2Event(healthEvent({ ...health, affectedEntities: volumes })).kind).toBe(
      'unaddressed',
    )
    const { affectedEntities: _, ...none } = health
    expect(parseEc2Event(healthEvent(none)).kind).toBe('unaddressed')
  })
})

describe('everything else', () => {
  test('unknown kinds are ignored, whatever their detail', () => {
    expect(parseEc2Event(event('EC2 Something New', 7)).kind).toBe('ignored')
    expect(parseEc2Event(event('EC2 Instance State-change Notification', {}, 'my.app')).kind).toBe(
      'ignored',
    )
    expect(parseEc2Event(event('constructor', {}, '__proto__')).kind).toBe('ignored')
  })

  test.each([
    ['no object', null],
    ['no kind', { source: 'aws.ec2' }],
    ['no detail', event('EC2 Instance State-change Notification', undefined)],
    ['no state', event('EC2 Instance State-change Notification', { 'instance-id': ID })],
    ['a bad id', event('EC2 Instance Rebalance Recommendation', { 'instance-id': 'vol-1' })],
    [
      'a bad time',
      { ...event('EC2 Instance Rebalance Recommendation', { 'instance-id': ID }), time: 'soon' },
    ],
    [
      'a bad start',
      event(
        'AWS Health Event',
        { service: 'EC2', eventTypeCode: 'X', startTime: 'soon' },
        'aws.health',
      ),
    ],
  ])('%s is an error that says what was seen', (_, raw) => {
    expect(() => parseEc2Event(raw)).toThrow(Ec2EventError)
    expect(() => parseEc2Event(raw)).toThrow('MalformedEvent')
  })
})
