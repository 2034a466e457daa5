/**
 * Structured logs: one JSON object a line, as CloudWatch Logs Insights likes them.
 *
 * A logger is a value passed in, so tests can collect lines and the planner, which gets none,
 * cannot log at all.
 */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, unknown>>

export type Logger = {
  debug(text: string, fields?: LogFields): void
  info(text: string, fields?: LogFields): void
  warn(text: string, fields?: LogFields): void
  error(text: string, fields?: LogFields): void
  /** A logger whose every line carries `fields` too. */
  with(fields: LogFields): Logger
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/** A logger that hands each line of `level` or above to `write`. */
export function makeLogger(write: (line: string) => void, level: LogLevel = 'info'): Logger {
  const at =
    (own: LogLevel, fixed: LogFields) =>
    (text: string, fields: LogFields = {}): void => {
      if (RANK[own] < RANK[level]) return
      write(JSON.stringify({ level: own, text, ...fixed, ...fields }))
    }
  const build = (fixed: LogFields): Logger => ({
    debug: at('debug', fixed),
    info: at('info', fixed),
    warn: at('warn', fixed),
    error: at('error', fixed),
    with: (fields) => build({ ...fixed, ...fields }),
  })
  return build({})
}

/** Swallows every line. */
export const silentLogger: Logger = makeLogger(() => undefined, 'error')
