/**
 * Runs a function as Lambda would: with a timeout, and a line in the log when it fails.
 *
 * A function that is past its timeout cannot be stopped inside this process. Its caller goes on as
 * if it had failed, and the fence keeps what it may still write from doing harm.
 */
import { describeError, DroverError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'

export class FunctionTimeoutError extends DroverError {
  constructor(name: string, timeoutMs: number) {
    super({
      code: 'FunctionTimedOut',
      text: `function ${name} did not end within ${String(timeoutMs / 1000)} s`,
      next: 'it is called again; look at the log if it lasts',
    })
  }
}

export type InvokeOptions = {
  readonly name: string
  readonly timeoutMs: number
  readonly log: Logger
}

/** Throws what the function throws, or FunctionTimeoutError. */
export async function invoke<T>(options: InvokeOptions, run: () => Promise<T>): Promise<T> {
  const { name, timeoutMs, log } = options
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new FunctionTimeoutError(name, timeoutMs))
    }, timeoutMs)
  })
  const startMs = performance.now()
  try {
    const result = await Promise.race([run(), late])
    log.debug('function ran', { name, tookMs: Math.round(performance.now() - startMs) })
    return result
  } catch (error) {
    log.warn('function failed', { name, error: describeError(error) })
    throw error
  } finally {
    clearTimeout(timer)
  }
}
