/**
 * A command is a value: what it is called, what it takes, what it does.
 *
 * The list in `registry.ts` is all there is to the command line; `program.ts` turns it into a
 * parser and a help text. `run` gets a context and either returns, which is exit 0, or throws.
 */
import type { Api } from './api.ts'
import { UsageError } from './errors.ts'
import type { TableStyle } from './render/table.ts'
import { formatDuration, parseDuration } from './render/time.ts'
import type { World } from './world.ts'

export type Context = {
  readonly world: World
  readonly api: Api
  /** The server's address, for people. */
  readonly url: string
  /** True with `--json`: only the API's own JSON goes to standard output. */
  readonly json: boolean
  readonly style: TableStyle
  /** A line of the answer. */
  line(text: string): void
  /** A line about the work, on standard error: progress and warnings. */
  note(text: string): void
  /** Shows an answer: the API's JSON with `--json`, the lines otherwise. */
  show(body: unknown, lines: () => readonly string[]): void
  /** What the person will want to do now; silent with `--json`. */
  next(text: string): void
}

export type Argument = {
  readonly name: string
  readonly summary: string
  readonly optional?: true
  /** Takes all that follow. */
  readonly many?: true
}

export type Option = {
  /** `-f, --file <path>`; without `<…>` it is a switch. */
  readonly flags: string
  readonly summary: string
  /** Turns the text into a value; throws UsageError. */
  readonly parse?: (text: string, flags: string) => unknown
  /** May be given several times; the value is a list. */
  readonly many?: true
  readonly required?: true
}

export type Command = {
  /** `node drain`: the words a person types. */
  readonly name: string
  readonly group: 'Say what should run' | 'Look' | 'Steer'
  readonly summary: string
  readonly arguments?: readonly Argument[]
  readonly options?: readonly Option[]
  readonly examples: readonly string[]
  run(context: Context, input: Input): Promise<void>
}

/** What was typed, by name. */
export class Input {
  readonly #arguments: Readonly<Record<string, unknown>>
  readonly #options: Readonly<Record<string, unknown>>

  constructor(
    given: Readonly<Record<string, unknown>>,
    options: Readonly<Record<string, unknown>>,
  ) {
    this.#arguments = given
    this.#options = options
  }

  argument(name: string): string {
    const value = this.optional(name)
    if (value === undefined) throw new UsageError(`${name.toUpperCase()} is missing`)
    return value
  }

  optional(name: string): string | undefined {
    const value = this.#arguments[name]
    return typeof value === 'string' ? value : undefined
  }

  rest(name: string): readonly string[] {
    const value = this.#arguments[name]
    return Array.isArray(value) ? value.map(String) : []
  }

  flag(name: string): boolean {
    return this.#options[name] === true
  }

  text(name: string): string | undefined {
    const value = this.#options[name]
    return typeof value === 'string' ? value : undefined
  }

  texts(name: string): readonly string[] {
    const value = this.#options[name]
    return Array.isArray(value) ? value.map(String) : []
  }

  number(name: string): number | undefined {
    const value = this.#options[name]
    return typeof value === 'number' ? value : undefined
  }
}

/** An option's text as a duration in milliseconds. */
export function durationOption(text: string, flags: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) {
    throw new UsageError(`${flags}: "${text}" is no duration`, 'write it like 90s, 15m or 1h30m')
  }
  return ms
}

/** A duration option with bounds, in whole seconds, as the API takes it. */
export function secondsOption(maxSeconds: number): (text: string, flags: string) => number {
  return (text, flags) => {
    const seconds = Math.ceil(durationOption(text, flags) / 1000)
    if (seconds > maxSeconds) {
      throw new UsageError(`${flags}: must be at most ${formatDuration(maxSeconds * 1000)}`)
    }
    return seconds
  }
}

/** A count typed as an argument; throws UsageError unless it is a whole number from 0 on. */
export function countFrom(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new UsageError(`${name}: "${text}" is no whole number from 0 on`)
  return Number(text)
}
