/**
 * `drover version`: of the command, and of the drover it talks to.
 */
import packageFacts from '../../package.json' with { type: 'json' }
import { healthAnswerSchema } from '#shared/protocol/api.ts'
import type { Command } from '../command.ts'
import { CliError } from '../errors.ts'

export const version: Command = {
  name: 'version',
  group: 'Look',
  summary: 'say which drover this is, and which one answers',
  examples: ['drover version'],
  async run(context) {
    if (context.json) {
      const { body } = await context.api.get('/healthz', healthAnswerSchema)
      context.show(body, () => [])
      return
    }
    context.line(`command  ${packageFacts.version}`)
    try {
      const { value } = await context.api.get('/healthz', healthAnswerSchema)
      context.line(`server   ${value.version} at ${context.url}`)
    } catch (error) {
      // The command's own version is known all the same.
      if (!(error instanceof CliError)) throw error
      context.line(`server   none: ${error.text}`)
    }
  },
}
