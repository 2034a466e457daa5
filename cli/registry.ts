/**
 * Every command there is, in the order in which help lists them.
 */
import type { Command } from './command.ts'
import { apply } from './commands/apply.ts'
import { burnInHistory } from './commands/burn-in.ts'
import { cost } from './commands/cost.ts'
import { remove } from './commands/delete.ts'
import { describe } from './commands/describe.ts'
import { events } from './commands/events.ts'
import { explain } from './commands/explain.ts'
import { get } from './commands/get.ts'
import { hardware } from './commands/hardware.ts'
import { releaseBrake, sweepAllow } from './commands/herd.ts'
import { metricPush } from './commands/metric.ts'
import { node } from './commands/node.ts'
import { plan } from './commands/plan.ts'
import { repack } from './commands/repack.ts'
import { rollout } from './commands/rollout.ts'
import { scale } from './commands/scale.ts'
import { simulate } from './commands/simulate.ts'
import { version } from './commands/version.ts'
import { wait } from './commands/wait.ts'

export const COMMANDS: readonly Command[] = [
  apply,
  plan,
  simulate,
  scale,
  metricPush,
  ...rollout,
  remove,
  get,
  describe,
  explain,
  events,
  cost,
  ...repack,
  burnInHistory,
  ...hardware,
  wait,
  version,
  ...node,
  releaseBrake,
  sweepAllow,
]
