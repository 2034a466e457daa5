/** The adapter's error paths, and what exactly it sends. */
import {
  CreateFleetCommand,
  DescribeInstancesCommand,
  EC2Client,
  EC2ServiceException,
  RebootInstancesCommand,
} from '@aws-sdk/client-ec2'
import { mockClient } from 'aws-sdk-client-mock'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { must } from '#shared/base/assert.ts'
import { makeEc2Fleet } from '#shared/cloud/aws/ec2-fleet.ts'
import { createFleetInput } from '#shared/cloud/aws/ec2-launch.ts'
import { aRequest, overridesOf } from '../world-kit.ts'

const fleet = makeEc2Fleet({ region: 'eu-west-1', launchTimeoutMs: 200, callTimeoutMs: 300 })

function serviceError(name: string, httpStatusCode: number): EC2ServiceException {
  const $fault = httpStatusCode < 500 ? 'client' : 'server'
  return new EC2ServiceException({ name, $fault, message: 'no', $metadata: { httpStatusCode } })
}

describe('with a mocked client', () => {
  const ec2 = mockClient(EC2Client)
  beforeEach(() => {
    ec2.reset()
  })
  afterEach(() => {
    ec2.reset()
  })

  it('sends a stored request again as the very same call', () => {
    const request = aRequest({
      overrides: [...overridesOf(['m7a.large', 'c7a.large']), ...overridesOf(['g5.xlarge'])].map(
        (own, at) => ({
          ...own,
          launchTemplateId: at === 2 ? 'lt-gpu' : 'lt-x86',
          imageId: 'ami-1',
        }),
      ),
    })
    const stored = JSON.parse(JSON.stringify(request)) as typeof request
    const first = JSON.stringify(createFleetInput(request))
    expect(JSON.stringify(createFleetInput(stored))).toBe(first)
    const reordered = { ...stored, tags: Object.fromEntries(Object.entries(stored.tags).reverse()) }
    expect(JSON.stringify(createFleetInput(reordered))).toBe(first)
  })

  it('gives each machine the root volume that its pool asks for', () => {
    const [own] = overridesOf(['m7a.large'])
    const overrides = [{ ...must(own, 'an override'), rootVolumeGib: 200 }]
    expect(
      createFleetInput(aRequest({ overrides })).LaunchTemplateConfigs?.[0]?.Overrides?.[0],
    ).toMatchObject({
      BlockDeviceMappings: [
        {
          DeviceName: '/dev/xvda',
          Ebs: {
            ...{ VolumeSize: 200, VolumeType: 'gp3' },
            ...{ Encrypted: true, DeleteOnTermination: true },
          },
        },
      ],
    })
  })

  it('says everything EC2 must know', () => {
    const own = overridesOf(['m7a.large', 'g5.xlarge'])
    const overrides = own.map((override, at) => ({
      ...override,
      ...(at === 1 ? { launchTemplateId: 'lt-gpu', subnetId: 'subnet-1', imageId: 'ami-1' } : {}),
    }))
    const input = createFleetInput(
      aRequest({ token: 'tok', count: 4, overrides, tags: { b: '2', a: '1' } }),
    )
    const Tags = [
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: '2' },
    ]
    expect(input).toEqual({
      Type: 'instant',
      ClientToken: 'tok',
      LaunchTemplateConfigs: [
        {
          LaunchTemplateSpecification: { LaunchTemplateId: 'lt-0a1b2c3d4e5f60718', Version: '3' },
          Overrides: [{ InstanceType: 'm7a.large', AvailabilityZone: 'us-east-1a' }],
        },
        {
          LaunchTemplateSpecification: { LaunchTemplateId: 'lt-gpu', Version: '3' },
          Overrides: [
            {
              InstanceType: 'g5.xlarge',
              AvailabilityZone: 'us-east-1a',
              SubnetId: 'subnet-1',
              ImageId: 'ami-1',
            },
          ],
        },
      ],
      TargetCapacitySpecification: { TotalTargetCapacity: 4, DefaultTargetCapacityType: 'spot' },
      SpotOptions: { AllocationStrategy: 'price-capacity-optimized' },
      TagSpecifications: [
        { ResourceType: 'instance', Tags },
        { ResourceType: 'fleet', Tags },
      ],
    })
    const onDemand = createFleetInput(aRequest({ capacityType: 'on-demand' }))
    expect(onDemand.OnDemandOptions).toEqual({ AllocationStrategy: 'lowest-price' })
    expect(onDemand.SpotOptions).toBeUndefined()
  })

  it('reads instances and errors together, several ids an entry', async () => {
    ec2.on(CreateFleetCommand).resolves({
      Instances: [
        {
          InstanceType: 'm7a.large',
          InstanceIds: ['i-1', 'i-2'],
          LaunchTemplateAndOverrides: { Overrides: { AvailabilityZone: 'eu-west-1b' } },
        },
      ],
      Errors: [
        {
          ErrorCode: 'InsufficientInstanceCapacity',
          ErrorMessage: 'none',
          LaunchTemplateAndOverrides: {
            Overrides: { InstanceType: 'c7a.large', AvailabilityZone: 'eu-west-1a' },
          },
        },
        { ErrorCode: 'MaxSpotInstanceCountExceeded', ErrorMessage: 'quota' },
      ],
    })
    expect(await fleet.launch(aRequest({ count: 3 }))).toEqual({
      outcome: 'answered',
      instances: [
        { instanceId: 'i-1', instanceType: 'm7a.large', zone: 'eu-west-1b' },
        { instanceId: 'i-2', instanceType: 'm7a.large', zone: 'eu-west-1b' },
      ],
      errors: [
        {
          instanceType: 'c7a.large',
          zone: 'eu-west-1a',
          code: 'InsufficientInstanceCapacity',
          text: 'none',
        },
        { code: 'MaxSpotInstanceCountExceeded', text: 'quota' },
      ],
    })
  })

  it('counts an answer that leaves a zone open as unread', async () => {
    ec2.on(CreateFleetCommand).resolves({ Instances: [{ InstanceIds: ['i-1'] }] })
    expect(await fleet.launch(aRequest())).toMatchObject({ outcome: 'unknown' })
  })

  it.each([
    ['UnauthorizedOperation', 403, { outcome: 'refused', retryable: false }],
    ['InternalError', 500, { outcome: 'unknown' }],
    ['IdempotentParameterMismatch', 400, { outcome: 'unknown' }],
  ])('takes %s for what it is', async (name, httpStatus, expected) => {
    ec2.on(CreateFleetCommand).rejects(serviceError(name, httpStatus))
    expect(await fleet.launch(aRequest())).toMatchObject(expected)
  })

  it('throws when one page of a list fails, and when one item cannot be read', async () => {
    ec2
      .on(DescribeInstancesCommand)
      .resolvesOnce({ Reservations: [], NextToken: 'more' })
      .rejectsOnce(serviceError('Unavailable', 503))
    await expect(fleet.list('t')).rejects.toThrow('FleetFailed')
    ec2.on(DescribeInstancesCommand).resolves({
      Reservations: [{ OwnerId: '1', Instances: [{ InstanceId: 'i-1' }] }],
    })
    await expect(fleet.list('t')).rejects.toThrow('without its type')
  })

  it('does not follow a list for ever', async () => {
    ec2.on(DescribeInstancesCommand).resolves({ NextToken: 'again' })
    await expect(fleet.list('t')).rejects.toThrow('more than 100 pages')
  })

  it('names the region it was given, and leaves out what EC2 does not say', async () => {
    ec2.on(DescribeInstancesCommand).resolves({
      Reservations: [
        {
          OwnerId: '111122223333',
          Instances: [
            {
              InstanceId: 'i-1',
              InstanceType: 'm7a.large',
              State: { Name: 'stopped' },
              Placement: { AvailabilityZone: 'eu-west-1c' },
              LaunchTime: new Date(5_000),
            },
          ],
        },
      ],
    })
    expect(await fleet.describe(['i-1'])).toEqual([
      {
        instanceId: 'i-1',
        arn: 'arn:aws:ec2:eu-west-1:111122223333:instance/i-1',
        instanceType: 'm7a.large',
        zone: 'eu-west-1c',
        capacityType: 'on-demand',
        state: 'stopped',
        launchedAtMs: 5_000,
        tags: {},
      },
    ])
    const [call] = ec2.commandCalls(DescribeInstancesCommand)
    expect(call?.args[0].input.Filters).toEqual([{ Name: 'instance-id', Values: ['i-1'] }])
  })

  it('reports a batch that failed, and does not lose its reason', async () => {
    ec2.on(RebootInstancesCommand).rejects(serviceError('UnauthorizedOperation', 403))
    expect((await fleet.reboot(['i-1'])).failed).toEqual([
      { instanceId: 'i-1', text: 'UnauthorizedOperation: no' },
    ])
  })
})
