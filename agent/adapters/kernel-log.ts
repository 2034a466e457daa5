/**
 * The kernel's log since this boot, one message a line.
 *
 * `/dev/kmsg` gives one record a read and says EAGAIN behind the last. A record is
 * `priority,sequence,microseconds,flags;message`, and lines of its own that begin with a space hold
 * what devices it speaks of (Documentation/ABI/testing/dev-kmsg).
 */
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { LIMITS } from '#shared/model/limits.ts'
import { codeOf } from './processes.ts'

const RECORD_MAX_BYTES = 8_192

/** The messages, oldest first; throws where the log may not be read. */
export function readKernelLog(path = '/dev/kmsg'): readonly string[] {
  return messagesOf(readRecords(path))
}

/** The number of its last record; undefined where records have none. Throws as above. */
export function lastRecordOf(path: string): number | undefined {
  const numbers = readRecords(path)
    .split('\n')
    .flatMap((line) => numberOf(line) ?? [])
  return numbers.at(-1)
}

function readRecords(path: string): string {
  const file = openLog(path)
  try {
    return readToEnd(file)
  } finally {
    closeSync(file)
  }
}

export type KernelLog = {
  /** Messages since the last time, oldest first; all there are the first time. Throws. */
  readOn(): readonly string[]
  close(): void
}

/** Stays open where it was read to, so that nothing is read twice; throws where it may not be. */
export function openKernelLog(path: string): KernelLog {
  const file = openLog(path)
  let rest = ''
  return {
    readOn: () => {
      const text = `${rest}${readToEnd(file)}`
      // A plain file may end in the middle of a line that somebody writes.
      const whole = text.lastIndexOf('\n') + 1
      rest = text.slice(whole)
      return messagesOf(text.slice(0, whole))
    },
    close: () => {
      closeSync(file)
    },
  }
}

function openLog(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
}

const buffer = Buffer.alloc(RECORD_MAX_BYTES)

function readToEnd(file: number): string {
  const parts: string[] = []
  for (let read = 0; read < LIMITS.kernelRecordsMax; read += 1) {
    const bytes = readRecord(file, buffer)
    if (bytes === 'end') break
    if (bytes !== 'overrun') parts.push(buffer.toString('utf8', 0, bytes))
  }
  return parts.join('')
}

/** Overrun: the record was overwritten while we came to it; the next read goes on behind. */
function readRecord(file: number, into: Buffer): number | 'end' | 'overrun' {
  try {
    const bytes = readSync(file, into)
    return bytes === 0 ? 'end' : bytes
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return 'end'
    if (codeOf(error) === 'EPIPE') return 'overrun'
    throw error
  }
}

const RECORD = /^\d+,(\d+),\d+,[^;]*;(.*)$/

function numberOf(line: string): number | undefined {
  const digits = RECORD.exec(line)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** What was there up to the record, and what came behind it; all of it where none is named. */
export function readKernelLogAround(
  path: string,
  record: number | undefined,
): readonly [before: readonly string[], after: readonly string[]] {
  const lines = readRecords(path).split('\n')
  const isBefore = (line: string): boolean => (numberOf(line) ?? Infinity) <= (record ?? -1)
  const behind = lines.findLastIndex(isBefore) + 1
  return [messagesOfLines(lines.slice(0, behind)), messagesOfLines(lines.slice(behind))]
}

/** Records as `/dev/kmsg` gives them, or plain lines. */
export function messagesOf(text: string): readonly string[] {
  return messagesOfLines(text.split('\n'))
}

function messagesOfLines(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => {
    if (line === '' || line.startsWith(' ')) return []
    const message = RECORD.exec(line)?.[2]
    return [(message ?? line).replaceAll('\\x0a', ' ')]
  })
}
