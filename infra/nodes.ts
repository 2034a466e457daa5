/**
 * What a node is made of: image, role, first steps.
 *
 * There are three launch templates, for a machine's image must fit its processor and its GPUs; all
 * else (type, zone, subnet, tags) is said in each launch. Images are named by AWS's public
 * parameters and resolved when a machine starts, so nobody has to update ids; they bring Docker
 * and, for GPUs, the driver. A machine whose first steps fail never reports, and is replaced at its
 * boot deadline.
 */
import { Stack } from 'aws-cdk-lib'
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as s3assets from 'aws-cdk-lib/aws-s3-assets'
import { Construct } from 'constructs'
import { LIMITS } from '#shared/model/limits.ts'
import type { LaunchSettings } from '#shared/controllers/launch-settings.ts'
import { bundleAgent } from './bundle.ts'
import type { Network } from './network.ts'
import { NodeRole } from './node-role.ts'
import { assetsOf, type Settings } from './settings.ts'
import { nodeUserData } from './user-data.ts'

const IMAGES = '/aws/service/ecs/optimized-ami/amazon-linux-2023'
const IMAGE_PARAMETERS: Readonly<Record<TemplateName, string>> = {
  amd64: `${IMAGES}/recommended/image_id`,
  arm64: `${IMAGES}/arm64/recommended/image_id`,
  gpu: `${IMAGES}/gpu/recommended/image_id`,
}

type TemplateName = keyof LaunchSettings['launchTemplates']

export type NodesProps = { settings: Settings; network: Network; table: dynamodb.Table }

export class Nodes extends Construct {
  readonly role: NodeRole
  readonly launchTemplates: Readonly<Record<TemplateName, ec2.LaunchTemplate>>
  readonly #network: Network

  constructor(scope: Construct, id: string, props: NodesProps) {
    super(scope, id)
    this.#network = props.network
    // Without bundling any small folder will do: its contents are never looked at.
    const path = props.settings.bundle ? bundleAgent() : import.meta.dirname
    const agent = new s3assets.Asset(this, 'Agent', { path })
    this.role = new NodeRole(this, 'NodeRole', {
      ...{ table: props.table, agent, assets: assetsOf(props.settings) },
      dataBuckets: props.settings.dataBuckets ?? [],
    })
    const userData = ec2.UserData.custom(
      nodeUserData({
        agentUrl: agent.s3ObjectUrl,
        region: Stack.of(this).region,
        tableName: props.table.tableName,
      }),
    )
    this.launchTemplates = {
      amd64: this.#template('amd64', userData),
      arm64: this.#template('arm64', userData),
      gpu: this.#template('gpu', userData),
    }
  }

  /** The public parameters that name the images; whoever launches must be able to read them. */
  get imageParameterArns(): string[] {
    const { region, partition } = Stack.of(this)
    return Object.values(IMAGE_PARAMETERS).map(
      (name) => `arn:${partition}:ssm:${region}::parameter${name}`,
    )
  }

  /** `DROVER_LAUNCH`: JSON put together by hand, for zones may be keys that only a deploy knows. */
  get launchSettingsJson(): string {
    const templates = Object.entries(this.launchTemplates).map(
      ([name, { launchTemplateId = '', latestVersionNumber }]) =>
        `"${name}":{"id":"${launchTemplateId}","version":"${latestVersionNumber}"}`,
    )
    const subnets = this.#network.subnets.map(({ zone, subnetId }) => `"${zone}":"${subnetId}"`)
    return `{"launchTemplates":{${templates.join(',')}},"subnets":{${subnets.join(',')}}}`
  }

  #template(name: TemplateName, userData: ec2.UserData): ec2.LaunchTemplate {
    return new ec2.LaunchTemplate(this, name, {
      machineImage: ec2.MachineImage.resolveSsmParameterAtLaunch(IMAGE_PARAMETERS[name], {
        userData,
      }),
      userData,
      role: this.role.role,
      securityGroup: this.#network.securityGroup,
      requireImdsv2: true,
      // One hop: what runs in a container of its own network cannot ask for the node's credentials.
      httpPutResponseHopLimit: 1,
      httpEndpoint: true,
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: ec2.BlockDeviceVolume.ebs(LIMITS.rootVolumeGib, {
            volumeType: ec2.EbsDeviceVolumeType.GP3,
            encrypted: true,
            deleteOnTermination: true,
          }),
        },
      ],
    })
  }
}
