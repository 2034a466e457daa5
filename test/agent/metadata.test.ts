import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openMetadata } from '#agent/adapters/metadata.ts'
import { startMetadata, type FakeMetadata } from './world.ts'

let fake: FakeMetadata
beforeEach(async () => {
  fake = await startMetadata()
})
afterEach(() => fake.close())

const IDENTITY = '/latest/dynamic/instance-identity/document'
const ACTION = '/latest/meta-data/spot/instance-action'
const REBALANCE = '/latest/meta-data/events/recommendations/rebalance'

describe('identity', () => {
  it('is what the document says', async () => {
    expect(await openMetadata({ url: fake.url }).identity()).toEqual({
      instanceId: 'i-0abc',
      arn: 'arn:aws:ec2:us-east-1:123456789012:instance/i-0abc',
      region: 'us-east-1',
      zone: 'us-east-1a',
      instanceType: 'm7a.large',
      address: '127.0.0.1',
    })
  })

  it.each([
    ['cn-north-1', 'arn:aws-cn:ec2:cn-north-1:'],
    ['us-gov-west-1', 'arn:aws-us-gov:ec2:us-gov-west-1:'],
  ])('in %s has a partition of its own', async (region, start) => {
    fake.answers.set(IDENTITY, fake.answers.get(IDENTITY)!.replaceAll('us-east-1', region))
    expect((await openMetadata({ url: fake.url }).identity()).arn).toContain(start)
  })

  it('that makes no sense is refused', async () => {
    fake.answers.set(IDENTITY, '{"instanceId": 7}')
    await expect(openMetadata({ url: fake.url }).identity()).rejects.toMatchObject({
      code: 'MetadataUnreachable',
    })
  })
})

describe('notices', () => {
  it('are none while both paths answer 404', async () => {
    expect(await openMetadata({ url: fake.url }).notices()).toEqual({ rebalance: false })
  })

  it('name the action and its moment', async () => {
    fake.answers.set(ACTION, '{"action": "terminate", "time": "2026-11-22T10:02:00Z"}')
    fake.answers.set(REBALANCE, '{"noticeTime": "2026-11-22T10:00:00Z"}')
    expect(await openMetadata({ url: fake.url }).notices()).toEqual({
      rebalance: true,
      interruption: { action: 'terminate', deadlineMs: Date.UTC(2026, 10, 22, 10, 2) },
    })
  })
})

describe('the session token', () => {
  it('is asked for once', async () => {
    const metadata = openMetadata({ url: fake.url })
    await metadata.identity()
    await metadata.notices()
    expect(fake.tokens).toBe(1)
  })

  it('is renewed when it is refused', async () => {
    const metadata = openMetadata({ url: fake.url })
    await metadata.identity()
    fake.expireTokens()
    expect((await metadata.identity()).instanceId).toBe('i-0abc')
  })

  it('that could not be had is asked for again', async () => {
    const metadata = openMetadata({ url: fake.url })
    fake.broken = 503
    await expect(metadata.notices()).rejects.toMatchObject({ code: 'MetadataUnreachable' })
    fake.broken = undefined
    expect(await metadata.notices()).toEqual({ rebalance: false })
  })
})

describe('silence', () => {
  it('ends after the timeout', async () => {
    fake.hangs = true
    const startMs = performance.now()
    await expect(openMetadata({ url: fake.url, timeoutMs: 100 }).notices()).rejects.toThrow(
      'did not answer',
    )
    expect(performance.now() - startMs).toBeLessThan(1_000)
  })

  it('of a server that is not there is an error', async () => {
    const gone = openMetadata({ url: 'http://127.0.0.1:1' })
    await expect(gone.identity()).rejects.toMatchObject({ code: 'MetadataUnreachable' })
  })

  it('tells a server that is busy from one that is gone', async () => {
    fake.hangs = true
    const busy = openMetadata({ url: fake.url, timeoutMs: 100 })
    await expect(busy.notices()).rejects.toMatchObject({ isLate: true })
    const gone = openMetadata({ url: 'http://127.0.0.1:1' })
    await expect(gone.notices()).rejects.toMatchObject({ isLate: false })
  })
})
