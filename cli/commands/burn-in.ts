/**
 * `drover burn-in history`: the verdicts of the last day, oldest first.
 */
import { burnInRecordAnswerSchema } from '#shared/protocol/api.ts'
import { durationOption, type Command } from '../command.ts'
import { table } from '../render/table.ts'
import { burnInColumns } from '../views/burn-in.ts'
import { cursorAt } from './events.ts'

const SINCE_DEFAULT_MS = 86_400_000

export const burnInHistory: Command = {
  name: 'burn-in history',
  group: 'Look',
  summary: 'show what became of the machines that were tested in the last day',
  options: [
    { flags: '--pool <name>', summary: 'only of this pool' },
    { flags: '--node <name>', summary: 'only of this node' },
    { flags: '--gpu <uuid>', summary: 'only of machines with this GPU' },
    { flags: '--since <duration>', summary: 'how far back (1d)', parse: durationOption },
  ],
  examples: ['drover burn-in history --pool gpu', 'drover burn-in history --since 30d'],
  async run(context, input) {
    const query = {
      ...{ pool: input.text('pool'), node: input.text('node'), gpu: input.text('gpu') },
      after: cursorAt(context, input.number('since') ?? SINCE_DEFAULT_MS),
    }
    const answer = await context.api.list('/v1/burn-ins', burnInRecordAnswerSchema, query)
    const nowMs = context.world.clock.now()
    context.show(answer.body, () =>
      answer.value.length === 0 ? [] : table(burnInColumns(nowMs), answer.value, context.style),
    )
    if (answer.value.length === 0 && !context.json)
      context.note('no machine was tested in that time')
  },
}
