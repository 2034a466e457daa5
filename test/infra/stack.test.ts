import { Match } from 'aws-cdk-lib/assertions'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { launchSettingsSchema } from '#shared/controllers/launch-settings.ts'
import { WAKING_KINDS } from '#shared/controllers/wake.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { parseWakeMessage } from '#shared/protocol/wake-message.ts'
import { historyTable, mainTable, TTL_ATTRIBUTE } from '#shared/store/aws/tables.ts'
import { resourceOf, resourcesOf, synthesize, type Resource } from './template.ts'

const root = new URL('../../', import.meta.url)
const template = synthesize({}, true)
const all = (type: string): Resource[] => Object.values(resourcesOf(template, type))

describe('the tables', () => {
  test.each([
    ['CoreTablesTable', mainTable],
    ['CoreTablesHistory', historyTable],
  ])('%s is the one that local mode makes', (id, shape) => {
    const { Properties, ...resource } = resourceOf(template, 'AWS::DynamoDB::Table', id)
    const { StreamSpecification, ...plain }: Partial<typeof mainTable> = shape
    expect(Properties).toMatchObject({
      ...plain,
      TimeToLiveSpecification: { AttributeName: TTL_ATTRIBUTE, Enabled: true },
      DeletionProtectionEnabled: true,
    })
    const stream = Properties['StreamSpecification'] as { StreamViewType: string } | undefined
    expect(stream?.StreamViewType).toBe(StreamSpecification?.StreamViewType)
    expect(resource).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' })
  })

  test('the herd’s own can be restored to any second', () => {
    const table = resourceOf(template, 'AWS::DynamoDB::Table', 'CoreTablesTable')
    expect(table.Properties['PointInTimeRecoverySpecification']).toEqual({
      PointInTimeRecoveryEnabled: true,
    })
  })
})

describe('the queues', () => {
  test('wakes wait a second, stay hidden longer than a pass, and are set aside in the end', () => {
    template.hasResourceProperties('AWS::SQS::Queue', {
      FifoQueue: true,
      ContentBasedDeduplication: true,
      DelaySeconds: 1,
      VisibilityTimeout: 35,
      RedrivePolicy: {
        deadLetterTargetArn: {
          'Fn::GetAtt': [Match.stringLikeRegexp('^CoreQueuesWakesDeadLetters'), 'Arn'],
        },
        maxReceiveCount: LIMITS.wakeMaxReceives,
      },
    })
  })

  test('delayed wakes go through a standard queue with a dead-letter queue of its own', () => {
    const { Properties } = resourceOf(template, 'AWS::SQS::Queue', 'CoreQueuesDelayed3')
    expect(Properties['FifoQueue']).toBeUndefined()
    expect(JSON.stringify(Properties['RedrivePolicy'])).toContain('CoreQueuesDelayedDeadLetters')
  })

  test('all are encrypted', () => {
    for (const queue of all('AWS::SQS::Queue')) {
      expect(queue.Properties['SqsManagedSseEnabled']).toBe(true)
    }
  })
})

describe('the functions', () => {
  test('are the ones in functions/, on arm64 and Node 24', () => {
    const functions = all('AWS::Lambda::Function')
    expect(functions.map(({ Properties }) => Properties['Description']).sort()).toEqual([
      'drover: admin-api',
      'drover: autoscale',
      'drover: burn-in',
      'drover: interruption',
      'drover: market',
      'drover: reconcile',
      'drover: repack',
      'drover: wake',
    ])
    for (const { Properties } of functions) {
      expect(Properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'] })
    }
  })

  test('find every setting they read in their environment', () => {
    for (const { Properties } of all('AWS::Lambda::Function')) {
      const name = String(Properties['Description']).replace('drover: ', '')
      const code = readFileSync(new URL(`functions/${name}.ts`, root), 'utf8')
      const read = [...code.matchAll(/'(DROVER_[A-Z_]+)'/g)].map(([, variable]) => variable)
      const { Variables } = Properties['Environment'] as { Variables: Record<string, unknown> }
      expect(read.length, name).toBeGreaterThan(0)
      expect(Object.keys(Variables), name).toEqual(expect.arrayContaining(read))
    }
  })

  test('that are called asynchronously hand their failures on', () => {
    const configs = resourcesOf(template, 'AWS::Lambda::EventInvokeConfig')
    expect(Object.keys(configs).map((id) => id.replace(/Function.*/, ''))).toEqual([
      'Interruption',
      'BurnIn',
      'Market',
      'Autoscale',
      'Repack',
    ])
    for (const { Properties } of Object.values(configs)) {
      expect(JSON.stringify(Properties['DestinationConfig'])).toMatch(/DeadLetters/)
    }
  })

  test('reconcile ends before its message shows again', () => {
    const { Properties } = resourceOf(template, 'AWS::Lambda::Function', 'Reconcile')
    expect(Properties['Timeout']).toBe(30)
  })
})

describe('the stream', () => {
  const streams = all('AWS::Lambda::EventSourceMapping').filter(({ Properties }) =>
    JSON.stringify(Properties['EventSourceArn']).includes('StreamArn'),
  )
  const patternsOf = (id: string): unknown[] => {
    const { Properties } = resourceOf(template, 'AWS::Lambda::EventSourceMapping', id)
    const { Filters } = Properties['FilterCriteria'] as { Filters: { Pattern: string }[] }
    return Filters.map(({ Pattern }) => JSON.parse(Pattern) as unknown)
  }

  test('has the two consumers that AWS allows, each bounded', () => {
    expect(streams).toHaveLength(2)
    for (const { Properties } of streams) {
      expect(Properties).toMatchObject({
        StartingPosition: 'TRIM_HORIZON',
        BisectBatchOnFunctionError: true,
        MaximumRetryAttempts: 5,
        MaximumRecordAgeInSeconds: 600,
      })
      expect(JSON.stringify(Properties['DestinationConfig'])).toMatch(/DeadLetters/)
    }
  })

  test('wakes only for kinds that may matter', () => {
    expect(patternsOf('WakeFunctionStream')).toEqual([
      { dynamodb: { NewImage: { kind: { S: [...WAKING_KINDS] } } } },
      { eventName: ['REMOVE'], dynamodb: { OldImage: { kind: { S: ['spec', 'order'] } } } },
    ])
  })

  test('calls burn-in only for a machine’s first report, and those of a finished run', () => {
    expect(patternsOf('BurnInFunctionStream')).toEqual([
      { eventName: ['INSERT'], dynamodb: { NewImage: { kind: { S: ['report'] } } } },
      {
        dynamodb: {
          NewImage: { kind: { S: ['report'] }, burnIn: { M: { state: { S: ['finished'] } } } },
        },
      },
    ])
  })
})

describe('the rules', () => {
  const patterns = all('AWS::Events::Rule').flatMap(({ Properties }) => {
    const pattern = Properties['EventPattern'] as { 'detail-type': string[] } | undefined
    return pattern === undefined ? [] : [pattern]
  })

  test('match every announcement that interruption knows', () => {
    expect(patterns.flatMap((pattern) => pattern['detail-type']).sort()).toEqual([
      'AWS Health Event',
      'Capacity Block Reservation Expiration Warning',
      'EC2 Capacity Reservation Instance Interruption Warning',
      'EC2 Instance Rebalance Recommendation',
      'EC2 Instance State-change Notification',
      'EC2 Interruptible Capacity Reservation Instance Interruption Warning',
      'EC2 Spot Instance Interruption Warning',
    ])
  })

  test('each have a dead-letter queue for what cannot be delivered', () => {
    for (const [id, rule] of Object.entries(resourcesOf(template, 'AWS::Events::Rule'))) {
      for (const target of rule.Properties['Targets'] as Record<string, unknown>[]) {
        expect(JSON.stringify(target['DeadLetterConfig']), id).toMatch(/DeadLetters/)
      }
    }
  })

  test('tick each minute, straight into the queue, with a body that differs', () => {
    const { Properties } = resourceOf(template, 'AWS::Events::Rule', 'WakeTick')
    expect(Properties['ScheduleExpression']).toBe('rate(1 minute)')
    const [target] = Properties['Targets'] as {
      SqsParameters: unknown
      InputTransformer: { InputPathsMap: Record<string, string>; InputTemplate: string }
    }[]
    expect(target?.SqsParameters).toEqual({ MessageGroupId: 'drover' })
    expect(Object.values(target!.InputTransformer.InputPathsMap)).toEqual(['$.time'])
    const body = target!.InputTransformer.InputTemplate.replace(
      /"?<[^>]+>"?/,
      '"2026-11-22T10:00:00Z"',
    )
    expect(parseWakeMessage(body)).toEqual({
      reason: 'tick',
      sentAtMs: Date.UTC(2026, 10, 22, 10),
    })
  })
})

describe('the admin API', () => {
  test('lets nobody in whom IAM does not', () => {
    const routes = all('AWS::ApiGatewayV2::Route')
    expect(routes.map(({ Properties }) => Properties['RouteKey'])).toEqual(['$default'])
    for (const { Properties } of routes) expect(Properties['AuthorizationType']).toBe('AWS_IAM')
  })
})

describe('the launch templates', () => {
  const dataOf = (name: string): Record<string, unknown> =>
    resourceOf(template, 'AWS::EC2::LaunchTemplate', `Nodes${name}`).Properties[
      'LaunchTemplateData'
    ] as Record<string, unknown>

  test.each([
    ['amd64', 'amazon-linux-2023/recommended/image_id'],
    ['arm64', 'amazon-linux-2023/arm64/recommended/image_id'],
    ['gpu', 'amazon-linux-2023/gpu/recommended/image_id'],
  ])('%s: public image, metadata version 2 within one hop, encrypted disk', (name, parameter) => {
    const data = dataOf(name)
    expect(data).toMatchObject({
      ImageId: `resolve:ssm:/aws/service/ecs/optimized-ami/${parameter}`,
      MetadataOptions: {
        HttpEndpoint: 'enabled',
        HttpTokens: 'required',
        HttpPutResponseHopLimit: 1,
      },
      BlockDeviceMappings: [{ Ebs: { Encrypted: true, DeleteOnTermination: true } }],
    })
    expect(JSON.stringify(data['IamInstanceProfile'])).toContain(`Nodes${name}Profile`)
  })

  test('start the agent under systemd on Node 24', () => {
    const script = JSON.stringify(dataOf('amd64')['UserData'])
    for (const needed of [
      'dnf install -y nodejs24',
      'ExecStart=/usr/bin/node-24 /opt/drover/agent/main.mjs',
      'Environment=DROVER_TABLE=',
      'KillMode=process',
      'OOMPolicy=continue',
      'TasksMax=infinity',
      'live-restore',
      'systemctl enable --now drover-agent',
    ]) {
      expect(script).toContain(needed)
    }
    // EC2 takes 16 KB at most, before it is encoded.
    expect(script.length).toBeLessThan(16_000)
  })

  test('reach reconcile by id and version number, with a subnet for each zone', () => {
    const { Properties } = resourceOf(template, 'AWS::Lambda::Function', 'Reconcile')
    const { Variables } = Properties['Environment'] as { Variables: Record<string, unknown> }
    const settings = launchSettingsSchema.parse(JSON.parse(resolve(Variables['DROVER_LAUNCH'])))
    expect(settings).toEqual({
      launchTemplates: {
        amd64: { id: expect.stringMatching(/^Nodesamd64/), version: '1' },
        arm64: { id: expect.stringMatching(/^Nodesarm64/), version: '1' },
        gpu: { id: expect.stringMatching(/^Nodesgpu/), version: '1' },
      },
      subnets: {
        'zone-0': expect.stringMatching(/^NetworkVpcNodesSubnet1/),
        'zone-1': expect.stringMatching(/^NetworkVpcNodesSubnet2/),
      },
    })
  })
})

describe('the network', () => {
  test('has no NAT gateway and lets nothing in from outside', () => {
    expect(all('AWS::EC2::NatGateway')).toEqual([])
    for (const { Properties } of all('AWS::EC2::SecurityGroup')) {
      expect(Properties['SecurityGroupIngress']).toBeUndefined()
    }
    const [ingress, ...others] = all('AWS::EC2::SecurityGroupIngress')
    expect(others).toEqual([])
    expect(ingress?.Properties['SourceSecurityGroupId']).toEqual(ingress?.Properties['GroupId'])
  })

  test('lets in the load balancers that are named, and nobody else', () => {
    const given = synthesize({ loadBalancerSecurityGroups: 'sg-0123456a,sg-0123456789abcdef0' })
    const [nodes] = Object.values(given.findResources('AWS::EC2::SecurityGroup'))
    const { SecurityGroupIngress: rules } = nodes?.['Properties'] as Record<string, unknown>
    expect(rules).toMatchObject([
      { SourceSecurityGroupId: 'sg-0123456a', IpProtocol: 'tcp', ToPort: 65_535 },
      { SourceSecurityGroupId: 'sg-0123456789abcdef0' },
    ])
  })

  test('can be one that exists', () => {
    const given = synthesize({
      vpcId: 'vpc-0123456789abcdef0',
      subnets: 'eu-west-1a=subnet-1,eu-west-1b=subnet-2',
      cluster: 'prod',
    })
    given.resourceCountIs('AWS::EC2::VPC', 0)
    given.hasResourceProperties('AWS::EC2::SecurityGroup', {
      VpcId: 'vpc-0123456789abcdef0',
    })
    const { Properties } = resourceOf(given, 'AWS::Lambda::Function', 'Reconcile')
    const { Variables } = Properties['Environment'] as { Variables: Record<string, unknown> }
    const settings = launchSettingsSchema.parse(JSON.parse(resolve(Variables['DROVER_LAUNCH'])))
    expect(settings.subnets).toEqual({ 'eu-west-1a': 'subnet-1', 'eu-west-1b': 'subnet-2' })
    expect(Variables['DROVER_CLUSTER']).toBe('prod')
  })
})

describe('the alarms', () => {
  const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm')
  const runbook = readFileSync(new URL('docs/runbook.md', root), 'utf8')
  const anchors = runbook
    .split('\n')
    .filter((line) => line.startsWith('## '))
    .map((line) =>
      line
        .slice(3)
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    )

  test('watch every dead-letter queue', () => {
    const queues = Object.keys(resourcesOf(template, 'AWS::SQS::Queue')).filter((id) =>
      id.includes('DeadLetters'),
    )
    const watched = Object.values(alarms).flatMap(({ Properties }) =>
      queues.filter((id) => JSON.stringify(Properties['Dimensions'] ?? '').includes(id)),
    )
    expect(watched.sort()).toEqual(queues.sort())
    expect(queues).toHaveLength(8)
  })

  test('ring when reconcile fails, and when no pass ends well for five minutes', () => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'GoodPass',
      Namespace: 'Drover',
      Period: 300,
      Statistic: 'Sum',
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
      TreatMissingData: 'breaching',
      Dimensions: [{ Name: 'cluster', Value: 'drover' }],
    })
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'Errors',
      Namespace: 'AWS/Lambda',
      TreatMissingData: 'notBreaching',
    })
  })

  test('each have a section in the runbook, and no section is left over', () => {
    const named = Object.values(alarms).map(({ Properties }) => {
      const text = String(Properties['AlarmDescription'])
      return /docs\/runbook\.md#([a-z0-9-]+)$/.exec(text)?.[1]
    })
    expect(new Set(named)).toEqual(new Set(anchors))
  })

  test('are sent where the person who deploys wants them', () => {
    const topic = 'arn:aws:sns:us-east-1:111122223333:pager'
    const paged = synthesize({ alarmTopicArn: topic })
    for (const alarm of Object.values(resourcesOf(paged, 'AWS::CloudWatch::Alarm'))) {
      expect(alarm.Properties['AlarmActions']).toEqual([topic])
    }
  })
})

/** A joined text as a deploy would make it: references become their logical ids. */
function resolve(value: unknown): string {
  if (typeof value === 'string') return value
  const own = value as { 'Fn::Join'?: [string, unknown[]] } & Record<string, unknown>
  if (own['Fn::Join'] !== undefined) return own['Fn::Join'][1].map(resolve).join(own['Fn::Join'][0])
  if (typeof own['Ref'] === 'string') return own['Ref']
  if (own['Fn::Select'] !== undefined) return `zone-${String((own['Fn::Select'] as unknown[])[0])}`
  if (own['Fn::GetAtt'] !== undefined) return '1'
  throw new Error(`cannot resolve ${JSON.stringify(value)}`)
}
