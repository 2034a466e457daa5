/**
 * `drover metric push`: what a metric is, from whoever knows it.
 */
import { pushAnswerSchema } from '#shared/protocol/scale-answer.ts'
import type { Command } from '../command.ts'
import { UsageError } from '../errors.ts'
import { namedTarget, objectPath } from '../kinds.ts'
import { orSuggest } from '../lookup.ts'

export const metricPush: Command = {
  name: 'metric push',
  group: 'Say what should run',
  summary: 'say what a metric is now, for a workload that is scaled by it',
  arguments: [
    { name: 'name', summary: 'the workload' },
    { name: 'metric', summary: 'as its scale.metrics name it, of type pushed' },
    { name: 'value', summary: 'what it is in all: the replicas share it' },
  ],
  examples: ['drover metric push orders backlog 420'],
  async run(context, input) {
    const target = namedTarget('workload', input.argument('name'))
    const [metric, text] = [input.argument('metric'), input.argument('value')]
    if (!/^\d+(\.\d+)?$/.test(text)) throw new UsageError(`value: "${text}" is no number from 0 on`)
    const path = `${objectPath(target)}/metrics/${encodeURIComponent(metric)}`
    const request = { method: 'POST', path, body: { value: Number(text) } } as const
    const answer = await orSuggest(context, target, () =>
      context.api.call(request, pushAnswerSchema),
    )
    context.show(answer.body, () => [`workload/${target.name}: ${metric} is ${text} now`])
    context.next(`drover describe workload ${target.name}`)
  },
}
