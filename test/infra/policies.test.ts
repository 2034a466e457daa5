import { describe, expect, test } from 'vitest'
import { historyKeys } from '#shared/store/keys.ts'
import { list, policiesOf, policyOf, resourcesOf, synthesize, type Statement } from './template.ts'

const template = synthesize()
const policies = policiesOf(template)

/** Actions that know no resource; everything else must name one. */
const WITHOUT_RESOURCE = new Set([
  'cloudwatch:GetMetricData',
  'ec2:DescribeInstanceStatus',
  'ec2:DescribeInstanceTypeOfferings',
  'ec2:DescribeInstanceTypes',
  'ec2:DescribeInstances',
  'ec2:DescribeSpotPriceHistory',
  'ecr:GetAuthorizationToken',
  'elasticloadbalancing:DescribeTargetHealth',
  'pricing:GetProducts',
])

const statements = policies.flatMap(({ id, statements }) =>
  statements.map((statement) => [id, statement] as const),
)
const actionsOf = (statement: Statement): string[] => list(statement.Action) as string[]

describe('every role', () => {
  test('is there', () => {
    expect(policies.map(({ id }) => id.replace(/(Role)?DefaultPolicy.*/, '')).sort()).toEqual([
      'AdminApi',
      'Autoscale',
      'BurnIn',
      'Interruption',
      'Market',
      'NodesNode',
      'Reconcile',
      'Repack',
      'Wake',
    ])
  })

  test('lists its actions one by one', () => {
    for (const [id, statement] of statements) {
      expect(statement.Effect, id).toBe('Allow')
      for (const action of actionsOf(statement)) {
        expect(action, id).toMatch(/^[a-z0-9]+:[A-Za-z]+$/)
      }
    }
  })

  test('names its resources wherever one can be named', () => {
    for (const [id, statement] of statements) {
      if (!list(statement.Resource).includes('*')) continue
      const nameable = actionsOf(statement).filter((action) => !WITHOUT_RESOURCE.has(action))
      expect(nameable, id).toEqual([])
    }
  })

  test('has no policy of somebody else’s making', () => {
    for (const [id, role] of Object.entries(resourcesOf(template, 'AWS::IAM::Role'))) {
      expect(role.Properties['ManagedPolicyArns'], id).toBeUndefined()
    }
  })

  test('writes only to a queue, a log, a bus or items it was given', () => {
    for (const [id, statement] of statements) {
      const writes = actionsOf(statement).filter((action) =>
        /^dynamodb:(Put|Update|Delete|BatchWrite|ConditionCheck)/.test(action),
      )
      if (writes.length === 0) continue
      const condition = statement.Condition ?? {}
      const keys = condition['ForAllValues:StringLike'] ?? condition['ForAllValues:StringEquals']
      expect(keys?.['dynamodb:LeadingKeys'], id).toBeDefined()
      expect(condition['Null'], id).toEqual({ 'dynamodb:LeadingKeys': 'false' })
    }
  })
})

describe('each kind of item', () => {
  test('has one writer', () => {
    const writers = new Map<string, string>()
    for (const [id, statement] of statements) {
      const writes = actionsOf(statement).some((action) =>
        /^dynamodb:(Put|Update)Item/.test(action),
      )
      if (!writes || isHistory(statement)) continue
      for (const key of leadingKeys(statement)) {
        const prefix = key.replace('${ec2:SourceInstanceARN}', '*')
        expect(writers.get(prefix) ?? id, prefix).toBe(id)
        writers.set(prefix, id)
      }
    }
    expect([...writers.keys()].sort()).toEqual([
      'assign#*',
      'beat#*',
      'brake',
      'launch',
      'market#*',
      'node',
      'order',
      'pass',
      'proposal',
      'pushed#*',
      'rates',
      'report#*',
      'revision#*',
      'shortage',
      'signal#*',
      'spec#*',
      'status#*',
      'target',
      'verdict#*',
    ])
  })
})

describe('a node', () => {
  const node = policyOf(template, 'NodesNodeRole')

  test('reads its own assignment, writes its own report and beat, fetches agent and images', () => {
    const [assignment, own, agent, token, images, ...rest] = node.statements
    expect(rest).toEqual([])
    expect(token?.Action).toBe('ecr:GetAuthorizationToken')
    expect(JSON.stringify(images)).toMatch(/:ecr:\*:.*:repository\/\*/)
    expect(JSON.stringify(images)).not.toMatch(/ecr:(Put|Upload|Initiate|Complete|Delete)/)
    expect(assignment).toMatchObject({
      Action: 'dynamodb:GetItem',
      Condition: {
        'ForAllValues:StringEquals': {
          'dynamodb:LeadingKeys': ['assign#${ec2:SourceInstanceARN}'],
        },
        Null: { 'dynamodb:LeadingKeys': 'false' },
      },
    })
    expect(own).toMatchObject({
      Action: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
      Condition: {
        'ForAllValues:StringEquals': {
          'dynamodb:LeadingKeys': [
            'report#${ec2:SourceInstanceARN}',
            'beat#${ec2:SourceInstanceARN}',
          ],
        },
        Null: { 'dynamodb:LeadingKeys': 'false' },
      },
    })
    expect(agent?.Action).toBe('s3:GetObject')
    // Older agents too, for machines that boot while a newer one is deployed.
    expect(JSON.stringify(agent?.Resource)).toMatch(/\/drover\/drover\/\*"/)
  })

  test('reads the buckets of data that are named, and no others', () => {
    const named = synthesize({ dataBuckets: 'acme-models,acme-recs/live/' })
    const role = policyOf(named, 'NodesNodeRole').statements
    const granted = role.flatMap(({ Action, Resource, Condition }) =>
      [...JSON.stringify(Resource).matchAll(/:s3:::([^"]*)"/g)].map(([, place]) =>
        [String(Action), place, JSON.stringify(Condition ?? '')].join(' '),
      ),
    )
    expect(granted.filter((own) => own.includes('acme')).sort()).toEqual([
      's3:GetObject acme-models/* ""',
      's3:GetObject acme-recs/live/* ""',
      's3:ListBucket acme-models ""',
      's3:ListBucket acme-recs {"StringLike":{"s3:prefix":"live/*"}}',
    ])
  })

  test('never scans or queries, and never deletes', () => {
    const actions = node.statements.flatMap(actionsOf)
    const ofTable = actions.filter((action) => action.startsWith('dynamodb:'))
    expect(ofTable.filter((action) => /Scan|Query|Delete|Batch/.test(action))).toEqual([])
  })
})

describe('reconcile', () => {
  const reconcile = policyOf(template, 'ReconcileRole')
  const allowing = (action: string): Statement[] =>
    reconcile.statements.filter((statement) => actionsOf(statement).includes(action))

  test('launches only machines that carry the table’s tag', () => {
    const onInstances = allowing('ec2:RunInstances').filter((statement) =>
      JSON.stringify(statement.Resource).includes(':instance/*'),
    )
    expect(onInstances).toHaveLength(1)
    expect(onInstances[0]?.Condition).toEqual({ Null: { 'aws:RequestTag/drover:table': 'false' } })
  })

  test('ends and reboots only machines that carry the table’s tag', () => {
    const [end, ...others] = allowing('ec2:TerminateInstances')
    expect(others).toEqual([])
    expect(end?.Condition).toEqual({ Null: { 'aws:ResourceTag/drover:table': 'false' } })
    expect(allowing('ec2:RebootInstances')).toEqual([end])
  })

  test('hands on the nodes’ role alone, and to EC2 alone', () => {
    const [pass, ...others] = allowing('iam:PassRole')
    expect(others).toEqual([])
    expect(pass).toMatchObject({
      Resource: { 'Fn::GetAtt': [expect.stringMatching(/^NodesNodeRole/), 'Arn'] },
      Condition: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
    })
  })

  test('registers and deregisters with target groups, and does nothing else to them', () => {
    const [change, ...others] = allowing('elasticloadbalancing:RegisterTargets')
    expect(others).toEqual([])
    expect(allowing('elasticloadbalancing:DeregisterTargets')).toEqual([change])
    expect(JSON.stringify(change?.Resource)).toMatch(/:targetgroup\/\*"\]\]\}$/)
    const ofBalancers = reconcile.statements
      .flatMap(actionsOf)
      .filter((action) => action.startsWith('elasticloadbalancing:'))
    expect(ofBalancers.sort()).toEqual([
      'elasticloadbalancing:DeregisterTargets',
      'elasticloadbalancing:DescribeTargetHealth',
      'elasticloadbalancing:RegisterTargets',
    ])
  })

  test('touches no target groups but those that were listed', () => {
    const arn = (name: string): string =>
      `arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/${name}/0123456789abcdef`
    const restricted = synthesize({ targetGroups: `${arn('web')},${arn('api')}` })
    const change = policyOf(restricted, 'ReconcileRole').statements.find((own) =>
      actionsOf(own).includes('elasticloadbalancing:RegisterTargets'),
    )
    expect(change?.Resource).toEqual([arn('api'), arn('web')])
  })

  test('is the only function that changes anything in EC2 or a load balancer', () => {
    const changing = statements
      .filter(([, statement]) =>
        actionsOf(statement).some((own) => /^(ec2|elasticloadbalancing):(?!Describe)/.test(own)),
      )
      .map(([id]) => id)
    expect(new Set(changing)).toEqual(new Set([reconcile.id]))
  })
})

test('the admin API may read whatever history keeps', () => {
  const api = policyOf(template, 'AdminApi')
  const readable = api.statements
    .filter((own) => isHistory(own) && actionsOf(own).includes('dynamodb:Query'))
    .flatMap(leadingKeys)
  const partitions = Object.values(historyKeys).map((key) => key('2026-11-29', 'id').pk)
  const isCovered = (pk: string): boolean =>
    readable.some((own) => pk === own || (own.endsWith('*') && pk.startsWith(own.slice(0, -1))))
  expect(partitions.filter((own) => !isCovered(own))).toEqual([])
})

function leadingKeys(statement: Statement): string[] {
  const condition = statement.Condition ?? {}
  const keys = condition['ForAllValues:StringLike'] ?? condition['ForAllValues:StringEquals']
  return list(keys?.['dynamodb:LeadingKeys'] ?? []) as string[]
}

function isHistory(statement: Statement): boolean {
  return JSON.stringify(statement.Resource).includes('History')
}
