/**
 * The CDK app: one stack for one cluster.
 *
 * Without any context it makes a small network of its own and needs no account to synthesize; see
 * settings.ts for what may be set with `-c name=value`.
 */
import { App } from 'aws-cdk-lib'
import { readSettings } from './settings.ts'
import { DroverStack } from './stack.ts'

const app = new App()
const settings = readSettings((name) => app.node.tryGetContext(name) as unknown)
const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env

new DroverStack(app, settings.cluster, {
  settings,
  description: `drover: the herd "${settings.cluster}"`,
  // Known while deploying, unknown while synthesizing offline; both must work.
  ...(account !== undefined && region !== undefined ? { env: { account, region } } : {}),
})
