/**
 * One Lambda function with a role of its own that may do what is listed, and nothing else.
 *
 * CDK's usual role comes with a managed policy for logs on every resource; this one may write to
 * its own log group only. What a function may touch is handed in as statements, so that its
 * construct shows the whole of it.
 */
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { bundleFunction } from './bundle.ts'

export type DroverFunctionProps = {
  /** File name in functions/, without its ending. */
  name: string
  /** False leaves the code out. */
  bundle: boolean
  timeoutMs: number
  memoryMib: number
  environment: Record<string, string>
  statements: readonly iam.PolicyStatement[]
  /** Where an asynchronous event goes that failed every attempt. */
  onFailure?: lambda.IDestination
}

export class DroverFunction extends Construct {
  readonly lambda: lambda.Function
  readonly role: iam.Role

  constructor(scope: Construct, id: string, props: DroverFunctionProps) {
    super(scope, id)
    const logGroup = new logs.LogGroup(this, 'Logs', {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    })
    for (const statement of props.statements) this.role.addToPolicy(statement)
    this.role.addToPolicy(
      allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroup.logGroupArn]),
    )
    this.lambda = new lambda.Function(this, 'Function', {
      description: `drover: ${props.name}`,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      handler: 'index.handler',
      code: codeOf(props),
      role: this.role,
      logGroup,
      timeout: Duration.millis(props.timeoutMs),
      memorySize: props.memoryMib,
      environment: props.environment,
      ...(props.onFailure === undefined ? {} : { onFailure: props.onFailure }),
    })
  }
}

/** An allowing statement; the one way in which this stack grants anything. */
export function allow(
  actions: string[],
  resources: string[],
  conditions: Record<string, unknown> = {},
): iam.PolicyStatement {
  return new iam.PolicyStatement({ effect: iam.Effect.ALLOW, actions, resources, conditions })
}

function codeOf(props: DroverFunctionProps): lambda.Code {
  if (!props.bundle) return lambda.Code.fromInline('exports.handler = async () => undefined')
  return lambda.Code.fromAsset(bundleFunction(props.name))
}
