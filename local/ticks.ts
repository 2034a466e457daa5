/**
 * The schedules: the tick that is the net under everything, and the rounds of `market`, `burn-in`,
 * `autoscale`, `repack` and the sweep that stands in for DynamoDB's time to live.
 *
 * The first of each comes at once: after a restart the queue is empty, and only the tick knows that
 * somebody should look.
 */
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'

export type Round = {
  readonly name: string
  readonly everyMs: number
  readonly run: () => void | Promise<void>
}

/** Starts all of them; the result stops them after the rounds under way. */
export function startRounds(rounds: readonly Round[], log: Logger): () => Promise<void> {
  const stops = rounds.map((round) => startRound(round, log))
  return async () => {
    await Promise.all(stops.map((stop) => stop()))
  }
}

function startRound({ name, everyMs, run }: Round, log: Logger): () => Promise<void> {
  let underWay: Promise<void> | undefined
  const go = async (): Promise<void> => {
    try {
      await run()
    } catch (error) {
      log.warn('a scheduled round failed', { name, error: describeError(error) })
    }
  }
  const begin = (): void => {
    // A round that takes longer than its pause is not doubled.
    underWay ??= go().finally(() => {
      underWay = undefined
    })
  }
  const timer = setInterval(begin, everyMs)
  begin()
  return async () => {
    clearInterval(timer)
    await underWay
  }
}
