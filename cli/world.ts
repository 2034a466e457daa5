/**
 * The world as the command sees it: where it writes, what time it is, how it reaches the network.
 *
 * Everything outside comes in through here, so a test runs a command as a person would, with a
 * fixed clock and a terminal made of strings.
 */
import type { Environment } from '#shared/base/environment.ts'

export type Terminal = {
  write(text: string): void
  readonly isTty: boolean
  readonly columns: number
}

export type WorldClock = {
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves once `ms` have passed, or at once when the person interrupts. */
  sleep(ms: number): Promise<void>
}

export type World = {
  readonly env: Environment
  readonly out: Terminal
  readonly err: Terminal
  readonly clock: WorldClock
  readonly fetch: typeof fetch
  /** All of standard input. */
  readInput(): Promise<string>
  /** Aborts at Ctrl-C. */
  readonly interrupted: AbortSignal
}
