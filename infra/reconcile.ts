/**
 * Reconcile: the only function that launches and ends machines, and the only consumer of the wakes.
 *
 * Its alarms are the herd's most important: errors, and the silence in which nothing is looked
 * after.
 */
import { Duration, Stack } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type * as iam from 'aws-cdk-lib/aws-iam'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Construct } from 'constructs'
import { METRIC_NAMESPACE, METRICS } from '#shared/cloud/metric-names.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { TAGS } from '#shared/model/launch.ts'
import type { Core } from './core.ts'
import { allow, DroverFunction } from './drover-function.ts'
import type { Network } from './network.ts'
import type { Nodes } from './nodes.ts'
import { onItems, readAll, WRITE_ACTIONS, writeEvents } from './tables.ts'
import { targetGroupStatements } from './target-groups.ts'

/** The first size with a whole processor: planning is arithmetic. */
const MEMORY_MIB = 1_769
const NO_GOOD_PASS_MS = 300_000

/** Partition keys of what reconcile writes; everything else has another writer. */
const OWN_ITEMS = ['pass', 'launch', 'node', 'assign#*', 'status#*', 'shortage', 'brake']

export type ReconcileProps = { core: Core; network: Network; nodes: Nodes }

export class Reconcile extends Construct {
  constructor(scope: Construct, id: string, { core, network, nodes }: ReconcileProps) {
    super(scope, id)
    const { settings, tables, queues, bus } = core
    const { lambda } = new DroverFunction(this, 'Reconcile', {
      name: 'reconcile',
      bundle: settings.bundle,
      timeoutMs: LIMITS.reconcileTimeoutMs,
      memoryMib: MEMORY_MIB,
      environment: {
        ...core.environment,
        DROVER_ACCOUNT: Stack.of(this).account,
        DROVER_BUS_NAME: bus.eventBusName,
        DROVER_LAUNCH: nodes.launchSettingsJson,
      },
      statements: [
        readAll(tables.table),
        onItems(tables.table, WRITE_ACTIONS, OWN_ITEMS),
        writeEvents(tables.history),
        onItems(tables.history, ['dynamodb:PutItem'], ['gone-node', 'launch']),
        allow(['sqs:SendMessage'], [queues.wakes.queueArn, queues.delayed.queueArn]),
        allow(['events:PutEvents'], [bus.eventBusArn]),
        ...launchStatements({ scope: this, network, nodes }),
        ...endStatements(this),
        ...targetGroupStatements(this, settings.targetGroups),
      ],
    })
    // One group: up to ten wakes become one pass, and no second one runs beside it.
    lambda.addEventSource(new SqsEventSource(queues.wakes, { batchSize: LIMITS.wakeBatchMax }))
    this.#addAlarms(core, lambda.metricErrors({ period: Duration.minutes(5) }))
  }

  #addAlarms({ alarms, settings }: Core, errors: cloudwatch.Metric): void {
    alarms.add(this, 'Errors', {
      metric: errors,
      threshold: 3,
      text: 'Reconcile failed three times in five minutes.',
      runbook: 'reconcile-fails',
    })
    alarms.add(this, 'NoGoodPass', {
      metric: new cloudwatch.Metric({
        namespace: METRIC_NAMESPACE,
        metricName: METRICS.goodPass,
        dimensionsMap: { cluster: settings.cluster },
        statistic: cloudwatch.Stats.SUM,
        period: Duration.millis(NO_GOOD_PASS_MS),
      }),
      threshold: 1,
      comparison: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
      missing: cloudwatch.TreatMissingData.BREACHING,
      text: 'No pass ended well for five minutes: the herd is not being looked after.',
      runbook: 'no-good-pass',
    })
  }
}

/**
 * What a launch needs. Machines, volumes and interfaces do not exist yet, so their names end in
 * `*`; templates, subnets, groups and the role are named one by one. A machine without drover's tag
 * could never be found again, so launching one is not allowed.
 */
function launchStatements(options: {
  scope: Construct
  network: Network
  nodes: Nodes
}): iam.PolicyStatement[] {
  const { scope, network, nodes } = options
  const { partition, region, account } = Stack.of(scope)
  const own = (kind: string): string => `arn:${partition}:ec2:${region}:${account}:${kind}`
  const launch = ['ec2:CreateFleet', 'ec2:RunInstances']
  const templates = Object.values(nodes.launchTemplates).map(({ launchTemplateId = '' }) =>
    own(`launch-template/${launchTemplateId}`),
  )
  const subnets = network.subnets.map(({ subnetId }) => own(`subnet/${subnetId}`))
  const group = own(`security-group/${network.securityGroup.securityGroupId}`)
  const born = ['fleet/*', 'volume/*', 'network-interface/*', 'spot-instances-request/*'].map(own)
  return [
    allow(launch, [...templates, ...subnets, group, ...born]),
    // Images and their snapshots belong to Amazon and change with every release.
    allow(launch, [
      `arn:${partition}:ec2:${region}::image/*`,
      `arn:${partition}:ec2:${region}::snapshot/*`,
    ]),
    allow(launch, [own('instance/*')], {
      Null: { [`aws:RequestTag/${TAGS.table}`]: 'false' },
    }),
    allow(['ec2:CreateTags'], [own('instance/*'), ...born], {
      StringEquals: { 'ec2:CreateAction': ['CreateFleet', 'RunInstances'] },
    }),
    allow(['iam:PassRole'], [nodes.role.role.roleArn], {
      StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' },
    }),
    // EC2 makes these two roles on an account's first launch, in the caller's name.
    allow(
      ['iam:CreateServiceLinkedRole'],
      [
        'spot.amazonaws.com/AWSServiceRoleForEC2Spot',
        'ec2fleet.amazonaws.com/AWSServiceRoleForEC2Fleet',
      ].map((role) => `arn:${partition}:iam::${account}:role/aws-service-role/${role}`),
    ),
    allow(['ssm:GetParameters'], nodes.imageParameterArns),
  ]
}

/** Seeing, ending and rebooting: only what carries drover's tag may be touched. */
function endStatements(scope: Construct): iam.PolicyStatement[] {
  const { partition, region, account } = Stack.of(scope)
  return [
    allow(
      ['ec2:TerminateInstances', 'ec2:RebootInstances'],
      [`arn:${partition}:ec2:${region}:${account}:instance/*`],
      { Null: { [`aws:ResourceTag/${TAGS.table}`]: 'false' } },
    ),
    // Describing actions know no resources; `*` is all IAM takes.
    allow(['ec2:DescribeInstances', 'ec2:DescribeInstanceStatus'], ['*']),
  ]
}
