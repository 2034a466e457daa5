import {
  DescribeVpcsCommand,
  EC2Client,
  RegisterImageCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import {
  CreateTargetGroupCommand,
  ElasticLoadBalancingV2Client,
} from '@aws-sdk/client-elastic-load-balancing-v2'
import { afterAll, beforeAll } from 'vitest'
import { makeElbv2Balancer } from '#shared/cloud/aws/elbv2-balancer.ts'
import { describeBalancer, type BalancerHarness } from '../conformance/balancer.ts'
import { differencesOf } from './differences.ts'
import { CREDENTIALS, describeOn, REGION } from './on-engine.ts'

/** How fast an engine is says nothing of what it does. */
const CALL_MS = 60_000

describeOn('moto', (endpoint) => {
  const config = { endpoint, region: REGION, credentials: CREDENTIALS }
  const balancer = makeElbv2Balancer({ ...config, attempts: 1, callTimeoutMs: CALL_MS })
  const ec2 = new EC2Client(config)
  const elb = new ElasticLoadBalancingV2Client(config)
  let imageId = ''
  let vpcId = ''
  let groups = 0

  beforeAll(async () => {
    const image = new RegisterImageCommand({ Name: 'drover-web', RootDeviceName: '/dev/xvda' })
    imageId = (await ec2.send(image)).ImageId ?? ''
    vpcId = (await ec2.send(new DescribeVpcsCommand({}))).Vpcs?.[0]?.VpcId ?? ''
  })
  afterAll(() => {
    ec2.destroy()
    elb.destroy()
  })

  const launch = async (count: number): Promise<string[]> => {
    const { Instances = [] } = await ec2.send(
      new RunInstancesCommand({
        ...{ ImageId: imageId, InstanceType: 'm7a.large', MinCount: count, MaxCount: count },
      }),
    )
    return Instances.map(({ InstanceId = '' }) => InstanceId)
  }

  async function open(): Promise<BalancerHarness> {
    groups += 1
    const { TargetGroups = [] } = await elb.send(
      new CreateTargetGroupCommand({
        ...{ Name: `web-${String(groups)}`, Protocol: 'HTTP', Port: 80, VpcId: vpcId },
      }),
    )
    const targetGroupArn = TargetGroups[0]?.TargetGroupArn ?? ''
    // Time passes as fast as it is asked for: nothing in moto takes any.
    const pass = (): Promise<void> => Promise.resolve()
    return {
      ...{ balancer, targetGroupArn, unknownArn: targetGroupArn.replace('web', 'none') },
      targets: async (count) =>
        (await launch(count)).map((instanceId) => ({ instanceId, port: 8080 })),
      beside: ({ instanceId }) => Promise.resolve({ instanceId, port: 8081 }),
      ended: async () => {
        const ids = await launch(1)
        await ec2.send(new TerminateInstancesCommand({ InstanceIds: ids }))
        return { instanceId: ids[0] ?? '', port: 8080 }
      },
      fail: pass,
      ...{ check: pass, drain: pass, close: pass },
    }
  }

  describeBalancer('ELBv2', open, differencesOf({ engine: 'moto', suite: 'balancer' }))
})
