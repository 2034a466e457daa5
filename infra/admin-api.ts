/**
 * The admin API: one function behind an HTTP API that lets in whoever IAM lets in.
 *
 * Every path goes to the function, which knows them all and answers 404 and 405 in the contract's
 * own words. Signing is SigV4, so people and CI use the credentials they have.
 */
import { CfnOutput, Duration } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Construct } from 'constructs'
import type { Core } from './core.ts'
import { DroverFunction } from './drover-function.ts'
import type { Nodes } from './nodes.ts'
import { onItems, readAll, WRITE_ACTIONS, writeEvents } from './tables.ts'

/** An HTTP API gives up after 30 s whatever the function thinks. */
const TIMEOUT_MS = 28_000

/** Partition keys of what people's wishes are kept under. */
const OWN_ITEMS = ['spec#*', 'revision#*', 'order', 'pushed#*']

export class AdminApi extends Construct {
  constructor(scope: Construct, id: string, { core, nodes }: { core: Core; nodes: Nodes }) {
    super(scope, id)
    const { settings, tables, alarms } = core
    const { lambda } = new DroverFunction(this, 'AdminApi', {
      name: 'admin-api',
      bundle: settings.bundle,
      timeoutMs: TIMEOUT_MS,
      memoryMib: 1_769,
      // A foreseen plan buys where reconcile would.
      environment: { ...core.environment, DROVER_LAUNCH: nodes.launchSettingsJson },
      statements: [
        readAll(tables.table),
        onItems(tables.table, WRITE_ACTIONS, OWN_ITEMS),
        onItems(
          tables.history,
          ['dynamodb:GetItem', 'dynamodb:Query'],
          ['event#*', 'burn-in#*', 'hardware#*', 'gone-node'],
        ),
        writeEvents(tables.history),
      ],
    })
    const api = new apigateway.HttpApi(this, 'Api', {
      apiName: settings.cluster,
      description: `drover: the admin API of ${settings.cluster}`,
      defaultAuthorizer: new HttpIamAuthorizer(),
      defaultIntegration: new HttpLambdaIntegration('Function', lambda),
    })
    alarms.add(this, 'ServerErrors', {
      metric: api.metricServerError({ period: Duration.minutes(5), statistic: 'Sum' }),
      threshold: 5,
      text: 'The admin API answered five requests with an error of its own in five minutes.',
      runbook: 'the-admin-api-answers-with-errors',
    })
    new CfnOutput(this, 'Url', {
      value: api.apiEndpoint,
      description: 'DROVER_URL for the drover command',
    })
  }
}
