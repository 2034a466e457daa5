/**
 * What a node may do with its credentials: read its own assignment, write its own report and beat,
 * fetch the agent, pull images, and read the data that the stack's settings name.
 *
 * Every process on a node may come by these credentials, so they are worth nothing beyond that
 * node. The instance's ARN is a condition value that EC2 itself fills in for credentials from
 * instance metadata; a partition key must be exactly its kind's prefix and that ARN. A Scan names
 * no key and is therefore never granted, and a request without a key fails the Null guard, for
 * `ForAllValues` holds of nothing at all.
 */
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as s3assets from 'aws-cdk-lib/aws-s3-assets'
import { Stack } from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { agentKeys } from '#shared/protocol/agent-keys.ts'
import { allow } from './drover-function.ts'

const OWN_ARN = '${ec2:SourceInstanceARN}'

type NodeRoleProps = {
  readonly table: dynamodb.Table
  readonly agent: s3assets.Asset
  /** Below it in the agent's bucket lies drover's own code, of earlier deploys too. */
  readonly assets: string
  /** `bucket` or `bucket/prefix` each. */
  readonly dataBuckets: readonly string[]
}

export class NodeRole extends Construct {
  readonly role: iam.Role

  constructor(scope: Construct, id: string, props: NodeRoleProps) {
    const { table, agent, assets, dataBuckets } = props
    super(scope, id)
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'),
      description: 'drover nodes: their own items, the agent and images, nothing else',
    })
    this.role.addToPolicy(
      allow(['dynamodb:GetItem'], [table.tableArn], ownItems([agentKeys.assignment(OWN_ARN).pk])),
    )
    this.role.addToPolicy(
      allow(
        ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
        [table.tableArn],
        ownItems([agentKeys.report(OWN_ARN).pk, agentKeys.beat(OWN_ARN).pk]),
      ),
    )
    this.role.addToPolicy(allow(['s3:GetObject'], [agent.bucket.arnForObjects(`${assets}*`)]))
    for (const bucket of dataBuckets) this.allowReading(bucket)
    // Images of this account's own registries: code that runs here anyway, and nothing to write.
    const { partition, account } = Stack.of(this)
    this.role.addToPolicy(allow(['ecr:GetAuthorizationToken'], ['*']))
    this.role.addToPolicy(
      allow(
        ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        [`arn:${partition}:ecr:*:${account}:repository/*`],
      ),
    )
  }

  /** `bucket`, or `bucket/prefix`: what lies there, and the list of it. */
  private allowReading(place: string): void {
    const { partition } = Stack.of(this)
    const slash = place.indexOf('/')
    const [bucket, prefix] =
      slash < 0 ? [place, ''] : [place.slice(0, slash), place.slice(slash + 1)]
    const arn = `arn:${partition}:s3:::${bucket}`
    this.role.addToPolicy(allow(['s3:GetObject'], [`${arn}/${prefix}*`]))
    const below = prefix === '' ? {} : { StringLike: { 's3:prefix': `${prefix}*` } }
    this.role.addToPolicy(allow(['s3:ListBucket'], [arn], below))
  }
}

function ownItems(partitionKeys: string[]): Record<string, unknown> {
  return {
    'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': partitionKeys },
    Null: { 'dynamodb:LeadingKeys': 'false' },
  }
}
