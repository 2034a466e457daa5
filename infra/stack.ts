/**
 * The whole of drover on AWS: one stack, one construct a subsystem.
 *
 * Each construct owns its function, queue, dead letters, rights and alarms; this file only says how
 * they hang together.
 */
import {
  DefaultStackSynthesizer,
  Stack,
  Tags,
  type IStackSynthesizer,
  type StackProps,
} from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { AdminApi } from './admin-api.ts'
import { Autoscale } from './autoscale.ts'
import { BurnIn } from './burn-in.ts'
import { Core } from './core.ts'
import { Interruption } from './interruption.ts'
import { Market } from './market.ts'
import { Network } from './network.ts'
import { Nodes } from './nodes.ts'
import { Reconcile } from './reconcile.ts'
import { Repack } from './repack.ts'
import { assetsOf, type Settings } from './settings.ts'
import { Wake } from './wake.ts'

export type DroverStackProps = StackProps & { settings: Settings }

export class DroverStack extends Stack {
  constructor(scope: Construct, id: string, props: DroverStackProps) {
    const { settings } = props
    // CDK's class leaves optional fields undefined, which its own interface does not spell out.
    const synthesizer = new DefaultStackSynthesizer({
      bucketPrefix: assetsOf(settings),
    }) as IStackSynthesizer
    super(scope, id, { ...props, synthesizer })
    Tags.of(this).add('drover:cluster', settings.cluster)

    const core = new Core(this, 'Core', { settings })
    const network = new Network(this, 'Network', { settings })
    const nodes = new Nodes(this, 'Nodes', { settings, network, table: core.tables.table })

    new AdminApi(this, 'AdminApi', { core, nodes })
    new Interruption(this, 'Interruption', { core })
    new BurnIn(this, 'BurnIn', { core })
    new Market(this, 'Market', { core })
    new Autoscale(this, 'Autoscale', { core })
    new Repack(this, 'Repack', { core, nodes })
    new Wake(this, 'Wake', { core })
    new Reconcile(this, 'Reconcile', { core, network, nodes })
  }
}
