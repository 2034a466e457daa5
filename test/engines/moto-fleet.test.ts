import {
  CreateLaunchTemplateCommand,
  DescribeSubnetsCommand,
  EC2Client,
  RegisterImageCommand,
} from '@aws-sdk/client-ec2'
import { beforeAll } from 'vitest'
import { makeEc2Fleet } from '#shared/cloud/aws/ec2-fleet.ts'
import { overridesOf } from '../cloud/world-kit.ts'
import { fleetConformance, type FleetUnderTest } from '../conformance/fleet.ts'
import { differencesOf } from './differences.ts'
import { CREDENTIALS, describeOn, REGION } from './on-engine.ts'

/** How fast an engine is says nothing of what it does. */
const CALL_MS = 60_000

describeOn('moto', (endpoint) => {
  const config = { endpoint, region: REGION, credentials: CREDENTIALS }
  const fleet = makeEc2Fleet({
    ...config,
    attempts: 1,
    pageItems: 5,
    launchTimeoutMs: CALL_MS,
    callTimeoutMs: CALL_MS,
  })
  let world: Omit<FleetUnderTest, 'fleet'>

  beforeAll(async () => {
    world = await furnish(new EC2Client(config))
  })

  const known = differencesOf({ engine: 'moto', suite: 'fleet' })
  fleetConformance('AWS', () => Promise.resolve({ fleet, ...world }), known)
})

/** Makes in EC2 what a launch names: an image, a launch template of it, a subnet in each zone. */
async function furnish(ec2: EC2Client): Promise<Omit<FleetUnderTest, 'fleet'>> {
  const { ImageId: imageId = '' } = await ec2.send(
    new RegisterImageCommand({ Name: 'drover-node', RootDeviceName: '/dev/xvda' }),
  )
  const { LaunchTemplate: template } = await ec2.send(
    new CreateLaunchTemplateCommand({
      LaunchTemplateName: 'drover-node',
      LaunchTemplateData: { ImageId: imageId },
    }),
  )
  const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}))
  ec2.destroy()
  const subnets = new Map(Subnets.map((own) => [own.AvailabilityZone, own.SubnetId ?? '']))
  const subnetOf = (zone: string): string => subnets.get(zone) ?? ''
  return {
    overridesOf: (types, zones) =>
      overridesOf(types, zones).map((own) => ({
        ...own,
        launchTemplateId: template?.LaunchTemplateId ?? '',
        launchTemplateVersion: '1',
        subnetId: subnetOf(own.zone),
      })),
    imageId,
    subnetOf,
    nowMs: () => Date.now(),
    pass: () => undefined,
    close: () => Promise.resolve(),
  }
}
