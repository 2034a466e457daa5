/**
 * Options that several commands have, so that they are called the same everywhere.
 */
import { LIMITS } from '#shared/model/limits.ts'
import { durationOption, type Input, type Option } from '../command.ts'

export const FILE_OPTION: Option = {
  flags: '-f, --file <path>',
  summary: 'a file of YAML or JSON documents, a folder of them, or - for input',
  many: true,
}

export const timeoutOption: Option = {
  flags: '--timeout <duration>',
  summary: 'how long to wait (5m)',
  parse: durationOption,
}

export const waitTimeoutMs = (input: Input): number =>
  input.number('timeout') ?? LIMITS.cliWaitDefaultMs
