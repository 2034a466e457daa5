/**
 * For those who wait or watch: a server that was there will be there again.
 *
 * A lost connection, a throttled or a failed request says nothing of what is waited for. Once there
 * has been an answer, such a question is asked again for a while, and the person is told once.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { Context } from './command.ts'
import { ConnectionError, InterruptedError, linesOf, ProblemError } from './errors.ts'

export type Patience = <T>(ask: () => Promise<T>) => Promise<T>

export type PatienceOptions = {
  /** No patience beyond it. */
  readonly untilMs?: number
  /** The server has answered this very command before. */
  readonly hasAnswered?: boolean
}

export function makePatience(
  { world, note, json }: Pick<Context, 'world' | 'note' | 'json'>,
  options: PatienceOptions = {},
): Patience {
  const { clock, interrupted } = world
  const { untilMs = Infinity } = options
  let { hasAnswered = false } = options
  return async (ask) => {
    const giveUpMs = Math.min(clock.now() + LIMITS.cliPatienceMs, untilMs)
    for (let tried = 1; ; tried += 1) {
      try {
        const answer = await ask()
        hasAnswered = true
        return answer
      } catch (error) {
        if (!hasAnswered || !isPassing(error) || clock.now() >= giveUpMs) throw error
        if (tried === 1 && !json) note(`${linesOf(error)[0] ?? ''}; asking again`)
      }
      await clock.sleep(LIMITS.cliWaitPollMs)
      if (interrupted.aborted) throw new InterruptedError()
    }
  }
}

const TOO_MANY = 429
const SERVER_ERROR = 500

function isPassing(error: unknown): boolean {
  if (error instanceof ConnectionError) return true
  if (!(error instanceof ProblemError)) return false
  const { status } = error.problem
  return status === TOO_MANY || status >= SERVER_ERROR
}
