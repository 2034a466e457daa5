/**
 * Drover's log on a laptop: everything goes to a file beside the herd's state, and what a person
 * should see goes to the terminal as well, in plain words.
 */
import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from 'node:fs'
import { dirname } from 'node:path'
import { makeLogger, type Logger } from '#shared/base/log.ts'

const MAX_BYTES = 20_000_000

export type LogFile = { readonly log: Logger; close(): Promise<void> }

/** `tell` gets a line for each warning and error. */
export function openLogFile(path: string, tell: (line: string) => void): LogFile {
  let stream: WriteStream | undefined
  const open = (): WriteStream => {
    mkdirSync(dirname(path), { recursive: true })
    const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    if (bytes > MAX_BYTES) renameSync(path, `${path}-before`)
    const made = createWriteStream(path, { flags: 'a' })
    // A full disk must not take the herd down.
    made.on('error', () => undefined)
    return made
  }
  const log = makeLogger((line) => {
    stream ??= open()
    const { level, text, ...fields } = JSON.parse(line) as { level: string; text: string }
    stream.write(`${JSON.stringify({ at: new Date().toISOString(), level, text, ...fields })}\n`)
    if (level === 'warn' || level === 'error') tell(lineOf(level, text, fields))
  })
  return {
    log,
    close: () =>
      new Promise((resolve) => {
        if (stream === undefined) resolve()
        else stream.end(resolve)
      }),
  }
}

const FIELD_MAX_CHARS = 200

function lineOf(level: string, text: string, fields: Readonly<Record<string, unknown>>): string {
  const facts = Object.entries(fields).map(([name, value]) => {
    const said = typeof value === 'string' ? value : JSON.stringify(value)
    return `${name}=${said.slice(0, FIELD_MAX_CHARS)}`
  })
  return [`${level}:`, text, ...facts].join(' ')
}
