/**
 * What reconcile may do with load balancers: put its nodes into target groups, and take them out.
 *
 * Target groups, listeners and load balancers themselves are people's own; drover makes none and
 * changes none. Without a list every target group of the account and region may be named in a
 * workload's `service`.
 */
import { Stack } from 'aws-cdk-lib'
import type * as iam from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { allow } from './drover-function.ts'

export function targetGroupStatements(
  scope: Construct,
  targetGroups: readonly string[] | undefined,
): iam.PolicyStatement[] {
  const { partition, region, account } = Stack.of(scope)
  const all = `arn:${partition}:elasticloadbalancing:${region}:${account}:targetgroup/*`
  return [
    allow(
      ['elasticloadbalancing:RegisterTargets', 'elasticloadbalancing:DeregisterTargets'],
      targetGroups === undefined ? [all] : [...targetGroups],
    ),
    // Describing actions know no resources; `*` is all IAM takes.
    allow(['elasticloadbalancing:DescribeTargetHealth'], ['*']),
  ]
}
