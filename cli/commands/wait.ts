/**
 * `drover wait`: return once things are as asked; for scripts, and for the impatient.
 */
import type { Command } from '../command.ts'
import { UsageError } from '../errors.ts'
import { targetFrom } from '../kinds.ts'
import { GOALS, waitFor } from '../wait.ts'
import { timeoutOption, waitTimeoutMs } from './options.ts'

const WAITABLE = ['workload', 'pool', 'team', 'node'] as const

export const wait: Command = {
  name: 'wait',
  group: 'Look',
  summary: 'return once things are ready, or gone',
  arguments: [{ name: 'targets', summary: 'KIND/NAME, one or more', many: true }],
  options: [
    { flags: '--for <goal>', summary: 'ready or deleted (ready)', parse: goalFrom },
    timeoutOption,
  ],
  examples: [
    'drover wait --for ready workload/web',
    'drover wait --for deleted node/general-4-1 --timeout 20m',
  ],
  async run(context, input) {
    const targets = input.rest('targets').map((typed) => targetFrom(typed, WAITABLE))
    const goal = goalFrom(input.text('for') ?? 'ready')
    const bodies = await waitFor(context, targets, { goal, timeoutMs: waitTimeoutMs(input) })
    if (goal === 'ready') {
      context.show(targets.length === 1 ? bodies[0] : { items: bodies }, () => [])
    }
  },
}

function goalFrom(text: string): (typeof GOALS)[number] {
  const goal = GOALS.find((own) => own === text)
  if (goal !== undefined) return goal
  throw new UsageError(`--for: "${text}" is nothing to wait for`, `use ${GOALS.join(' or ')}`)
}
