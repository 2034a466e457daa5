/**
 * Where nodes live: a small network of drover's own, or one that exists.
 *
 * The own one has public subnets and no NAT gateway, which would cost more than an idle herd; nodes
 * reach the table and S3 through gateway endpoints, which cost nothing. Nothing may come in from
 * outside the herd but what load balancers send: nodes talk to one another and go out.
 */
import { CfnOutput } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'
import type { Settings } from './settings.ts'

/** One subnet a zone: `zone` may be known only when the stack is deployed. */
export type ZoneSubnet = { zone: string; subnetId: string }

const MAX_ZONES = 3

export class Network extends Construct {
  readonly vpc: ec2.IVpc
  readonly securityGroup: ec2.SecurityGroup
  readonly subnets: readonly ZoneSubnet[]

  constructor(scope: Construct, id: string, { settings }: { settings: Settings }) {
    super(scope, id)
    const { vpcId, subnets } = settings
    if (vpcId === undefined) this.vpc = this.#makeVpc()
    else if (subnets === undefined) this.vpc = ec2.Vpc.fromLookup(this, 'Vpc', { vpcId })
    else {
      const availabilityZones = Object.keys(subnets)
      this.vpc = ec2.Vpc.fromVpcAttributes(this, 'Vpc', { vpcId, availabilityZones })
    }
    this.subnets =
      subnets === undefined
        ? onePerZone(this.vpc.publicSubnets)
        : Object.entries(subnets).map(([zone, subnetId]) => ({ zone, subnetId }))
    this.securityGroup = new ec2.SecurityGroup(this, 'Nodes', {
      vpc: this.vpc,
      description: 'drover nodes: among themselves and out',
      allowAllOutbound: true,
    })
    this.securityGroup.addIngressRule(
      this.securityGroup,
      ec2.Port.allTraffic(),
      'replicas reach one another',
    )
    for (const id of settings.loadBalancerSecurityGroups ?? []) {
      const balancer = ec2.Peer.securityGroupId(id)
      this.securityGroup.addIngressRule(balancer, ec2.Port.allTcp(), 'a load balancer')
    }
    new CfnOutput(this, 'NodesSecurityGroup', {
      value: this.securityGroup.securityGroupId,
      description: 'the security group of every node',
    })
  }

  #makeVpc(): ec2.IVpc {
    const vpc = new ec2.Vpc(this, 'Vpc', {
      maxAzs: MAX_ZONES,
      natGateways: 0,
      // Emptying the default group takes a function with rights of its own; nothing here uses it.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [{ name: 'Nodes', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 20 }],
      gatewayEndpoints: {
        DynamoDb: { service: ec2.GatewayVpcEndpointAwsService.DYNAMODB },
        S3: { service: ec2.GatewayVpcEndpointAwsService.S3 },
      },
    })
    // CDK's class leaves optional fields undefined, which its own interface does not spell out.
    return vpc as ec2.IVpc
  }
}

/** A network may have several public subnets in a zone; CreateFleet takes one. */
function onePerZone(subnets: readonly ec2.ISubnet[]): readonly ZoneSubnet[] {
  const byZone = new Map<string, ZoneSubnet>()
  for (const { availabilityZone: zone, subnetId } of subnets) {
    if (!byZone.has(zone)) byZone.set(zone, { zone, subnetId })
  }
  return [...byZone.values()]
}
