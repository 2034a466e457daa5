/**
 * What a person may say about the herd as a whole: lift a brake, allow a sweep.
 */
import { poolObjectSchema, sweepAnswerSchema } from '#shared/protocol/api.ts'
import type { Command } from '../command.ts'
import { namedTarget, objectPath } from '../kinds.ts'
import { orSuggest } from '../lookup.ts'

export const releaseBrake: Command = {
  name: 'pool release-brake',
  group: 'Steer',
  summary: 'let a pool lose more machines than its brake allows, for ten minutes',
  arguments: [{ name: 'name', summary: 'the pool' }],
  examples: ['drover pool release-brake general'],
  async run(context, input) {
    const target = namedTarget('pool', input.argument('name'))
    const path = `${objectPath(target)}/release-brake`
    const answer = await orSuggest(context, target, () =>
      context.api.call({ method: 'POST', path, body: {} }, poolObjectSchema),
    )
    context.show(answer.body, () => [`pool/${target.name}: the brake is lifted for one window`])
    context.next(`drover describe pool ${target.name}`)
  },
}

export const sweepAllow: Command = {
  name: 'sweep allow',
  group: 'Steer',
  summary: 'let the sweep end machines that a restored table does not know',
  examples: ['drover sweep allow'],
  async run(context) {
    const answer = await context.api.call(
      { method: 'POST', path: '/v1/sweep/allow', body: {} },
      sweepAnswerSchema,
    )
    context.show(answer.body, () => [
      'the next sweep may end machines that the table does not know',
    ])
    context.next('drover events --follow')
  },
}
