/**
 * Where the engines depart from AWS, in one table: what drover's suites demand of AWS and these
 * engines do not do.
 *
 * Each entry names a test that is skipped for it. The test runs all the same, and an entry whose
 * test does not exist, passes, or fails in some other way than it says, fails the run. What
 * drover's suites demand nothing of (a conflict of two transactions, throttling, interruption,
 * streams) stands here no more than it is tested.
 */
import type { KnownDifference } from '../conformance/known-differences.ts'

type Place =
  | { readonly engine: 'dynamodb-local'; readonly suite: 'store' }
  | { readonly engine: 'moto'; readonly suite: 'store' | 'queue' | 'fleet' | 'balancer' }

export type EngineName = Place['engine']

export type Difference = Place &
  KnownDifference & {
    /** What AWS does. */
    readonly aws: string
    /** Where that is written. */
    readonly source: string
  }

const REJECTED_NOT = 'instead of rejecting'

/** The files named are moto 5.2.5's; DynamoDB Local 3.3.0 does all of this as AWS does. */
export const DIFFERENCES: readonly Difference[] = [
  {
    engine: 'moto',
    suite: 'store',
    test: '{"is":"below","field":"text","value":100} on an item: false; on none: true',
    does: 'answers 500 when a condition compares a text with a number',
    shows: 'PutItem failed: SyntaxError',
    aws: 'such a comparison is false, and the condition fails',
    source: 'moto/dynamodb/comparisons.py, OpLessThan; DynamoDB API reference, Condition',
  },
  {
    engine: 'moto',
    suite: 'store',
    test: 'creates the item where there is none',
    does: 'answers 500 to an UpdateItem that has a key and no expression',
    shows: 'UpdateItem failed: SyntaxError',
    aws: 'creates an item of the key alone',
    source: 'moto/dynamodb/models/__init__.py, update_item; DynamoDB API reference, UpdateItem',
  },
  {
    engine: 'moto',
    suite: 'store',
    test: 'is applied once, however often it is sent',
    does: 'ignores the ClientRequestToken and carries a transaction out again',
    shows: 'to deeply equal { applied: true }',
    aws: 'answers a repeated transaction for ten minutes without carrying it out',
    source: 'moto/dynamodb/models/__init__.py; DynamoDB API reference, TransactWriteItems',
  },
  {
    engine: 'moto',
    suite: 'store',
    test: 'refuses other writes under a token that was used',
    does: 'ignores the ClientRequestToken and carries the other writes out',
    shows: REJECTED_NOT,
    aws: 'IdempotentParameterMismatchException',
    source: 'moto/dynamodb/models/__init__.py; DynamoDB API reference, TransactWriteItems',
  },
  {
    engine: 'moto',
    suite: 'store',
    test: 'refuses more than 4 MB together',
    does: 'takes a transaction of any size',
    shows: REJECTED_NOT,
    aws: 'ValidationException beyond 4 MB',
    source: 'moto/dynamodb/models/__init__.py; DynamoDB API reference, TransactWriteItems',
  },
  {
    engine: 'moto',
    suite: 'store',
    test: 'an item has 400 KB at most, its names and keys counted',
    does: 'ends an item at about 405,000 bytes',
    shows: 'DynamoDB refuses the request',
    aws: 'ends an item at 409,600 bytes',
    source:
      'moto/dynamodb/models/dynamo_type.py, LimitedSizeDict; DynamoDB developer guide, Constraints',
  },
  {
    engine: 'moto',
    suite: 'store',
    test: 'values nest 31 levels below the item',
    does: 'takes values nested to any depth',
    shows: REJECTED_NOT,
    aws: 'ValidationException beyond 32 levels',
    source: 'DynamoDB developer guide, Constraints',
  },
  {
    engine: 'moto',
    suite: 'fleet',
    test: 'names a type that a zone does not sell',
    does: 'launches any type in any zone, and never answers CreateFleet with errors',
    shows: 'expected [] to match object',
    aws: 'an error for each place tried, Unsupported where a zone does not sell the type',
    source: 'moto/ec2/models/fleets.py; EC2 user guide, instant fleets',
  },
  {
    engine: 'moto',
    suite: 'fleet',
    test: 'launches once for one token',
    does: "ignores CreateFleet's ClientToken and launches again",
    shows: 'to deeply equal',
    aws: 'answers a repeated call as the first time and launches nothing',
    source: 'moto/ec2/models/fleets.py; EC2 developer guide, ensuring idempotency',
  },
  {
    engine: 'moto',
    suite: 'fleet',
    test: 'does not know what became of a token used for something else',
    does: "ignores CreateFleet's ClientToken and launches",
    shows: "to match object { outcome: 'unknown' }",
    aws: 'IdempotentParameterMismatch',
    source: 'moto/ec2/models/fleets.py; EC2 developer guide, ensuring idempotency',
  },
  {
    engine: 'moto',
    suite: 'balancer',
    test: 'does not call healthy what it has not yet checked',
    does: 'checks nothing, and calls healthy whatever is registered',
    shows: "expected [ 'healthy' ] to deeply equal [ 'initial' ]",
    aws: 'initial, until the first checks are through',
    source: 'moto/elbv2/models.py, health_for; ELB API reference, TargetHealth',
  },
  {
    engine: 'moto',
    suite: 'balancer',
    test: 'no longer calls healthy what does not answer any more',
    does: 'checks nothing, and calls healthy whatever is registered',
    shows: "expected 'healthy' to be 'unhealthy'",
    aws: 'unhealthy, after as many failed checks as the group says',
    source: 'moto/elbv2/models.py, health_for; ELB API reference, TargetHealth',
  },
  {
    engine: 'moto',
    suite: 'balancer',
    test: 'takes two ports of one instance for two targets',
    does: 'knows a target by its instance alone, so that a second port replaces the first',
    shows: 'to deeply equal [ ',
    aws: 'registers an instance several times, with different ports',
    source: 'moto/elbv2/models.py, register; ELB API reference, RegisterTargets',
  },
]

export function differencesOf({ engine, suite }: Place): readonly KnownDifference[] {
  return DIFFERENCES.filter((own) => own.engine === engine && own.suite === suite)
}
