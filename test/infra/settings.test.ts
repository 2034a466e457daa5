import { describe, expect, test } from 'vitest'
import { readSettings, SettingsError } from '#infra/settings.ts'

const read = (context: Record<string, unknown>) => readSettings((name) => context[name])

describe('the stack’s settings', () => {
  test('need nothing to be given', () => {
    expect(read({})).toEqual({
      cluster: 'drover',
      quotaPolicy: 'guaranteed-with-borrowing',
      bundle: true,
    })
  })

  test('read zones and their subnets', () => {
    expect(
      read({ vpcId: 'vpc-1', subnets: 'us-east-1a=subnet-1,us-east-1b=subnet-2' }),
    ).toMatchObject({ subnets: { 'us-east-1a': 'subnet-1', 'us-east-1b': 'subnet-2' } })
  })

  test('read target groups from the command line, and as a list from cdk.json', () => {
    const [web, api] = ['web', 'api'].map(
      (name) => `arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/${name}/0123`,
    )
    expect(read({ targetGroups: `${String(web)},${String(api)}` }).targetGroups).toEqual([web, api])
    expect(read({ targetGroups: [web] }).targetGroups).toEqual([web])
  })

  test('read buckets of data, from a list or from the command line', () => {
    const both = ['acme-models', 'acme-recs/live/']
    expect(read({ dataBuckets: both }).dataBuckets).toEqual(both)
    expect(read({ dataBuckets: both.join(',') }).dataBuckets).toEqual(both)
  })

  test('take the words of the command line', () => {
    expect(read({ bundle: 'false' }).bundle).toBe(false)
  })

  test.each([
    [{ cluster: 'Not A Name' }, 'cluster'],
    [{ vpcId: 'subnet-1' }, 'vpcId'],
    [{ subnets: 'us-east-1a=subnet-1' }, 'vpcId'],
    [{ vpcId: 'vpc-1', subnets: 'us-east-1a' }, 'us-east-1a=subnet-1'],
    [{ alarmTopicArn: 'pager' }, 'alarmTopicArn'],
    [{ targetGroups: 'web' }, 'ARNs of target groups'],
    [{ targetGroups: [] }, 'targetGroups'],
    [{ loadBalancerSecurityGroups: 'web' }, 'ids of security groups'],
    [{ dataBuckets: '*' }, 'dataBuckets'],
    [{ dataBuckets: 'acme-recs/*' }, 'dataBuckets'],
  ])('refuse %j', (context, named) => {
    expect(() => read(context)).toThrow(SettingsError)
    expect(() => read(context)).toThrow(named)
  })
})
