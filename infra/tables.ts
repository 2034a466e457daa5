/**
 * The two tables, and who may do what to which items.
 *
 * The rule that each kind of item has one writer is not left to good manners: a function's role can
 * write only under the partition keys that are its own. Reading is wider, and still listed.
 */
import { RemovalPolicy } from 'aws-cdk-lib'
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb'
import type * as iam from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { must } from '#shared/base/assert.ts'
import { allow } from './drover-function.ts'

export class Tables extends Construct {
  readonly table: dynamodb.Table
  readonly history: dynamodb.Table

  constructor(scope: Construct, id: string) {
    super(scope, id)
    this.table = new dynamodb.Table(this, 'Table', {
      ...KEYS_AND_EXPIRY,
      stream: dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    })
    this.history = new dynamodb.Table(this, 'History', KEYS_AND_EXPIRY)
  }

  get streamArn(): string {
    return must(this.table.tableStreamArn, 'the stream of the table')
  }
}

const KEYS_AND_EXPIRY = {
  partitionKey: { name: 'pk', type: dynamodb.AttributeType.STRING },
  sortKey: { name: 'sk', type: dynamodb.AttributeType.STRING },
  billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
  timeToLiveAttribute: 'ttl',
  // Specs and the record of what runs: a deleted stack must not take them along.
  removalPolicy: RemovalPolicy.RETAIN,
  deletionProtection: true,
}

/**
 * Actions on items under the given partition keys alone; `*` at a key's end stands for the rest.
 */
export function onItems(
  table: dynamodb.Table,
  actions: string[],
  partitionKeys: readonly string[],
): iam.PolicyStatement {
  return allow(actions, [table.tableArn], {
    'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [...partitionKeys] },
    // ForAllValues holds of nothing at all; a request must name a key.
    Null: { 'dynamodb:LeadingKeys': 'false' },
  })
}

/** Reading everything: what a snapshot needs. A Scan names no key, so none can be demanded. */
export function readAll(table: dynamodb.Table): iam.PolicyStatement {
  return allow(
    ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:Query', 'dynamodb:Scan'],
    [table.tableArn],
  )
}

export const WRITE_ACTIONS = [
  'dynamodb:PutItem',
  'dynamodb:UpdateItem',
  'dynamodb:DeleteItem',
  'dynamodb:ConditionCheckItem',
]

/** The event lines that a function adds to the history. */
export function writeEvents(history: dynamodb.Table): iam.PolicyStatement {
  return onItems(history, ['dynamodb:PutItem', 'dynamodb:BatchWriteItem'], ['event#*'])
}
