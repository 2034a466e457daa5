/**
 * The ARN of an EC2 instance, which is the name a node's agent and drover share.
 */
export type InstanceAddress = { region: string; account: string; instanceId: string }

/** `arn:aws:ec2:REGION:ACCOUNT:instance/i-…`, in the partition that the region belongs to. */
export function instanceArn({ region, account, instanceId }: InstanceAddress): string {
  return `arn:${partitionOf(region)}:ec2:${region}:${account}:instance/${instanceId}`
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  if (region.startsWith('us-gov-')) return 'aws-us-gov'
  return 'aws'
}
