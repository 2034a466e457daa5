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
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const buffer = Buffer.alloc(RECORD_MAX_BYTES)
  const parts: string[] = []
  try {
    for (let read = 0; read < LIMITS.kernelRecordsMax; read += 1) {
      const bytes = readRecord(file, buffer)
      if (bytes === 'end') break
      if (bytes !== 'overrun') parts.push(buffer.toString('utf8', 0, bytes))
    }
  } finally {
    closeSync(file)
  }
  return messagesOf(parts.join(''))
}

/** Overrun: the record was overwritten while we came to it; the next read goes on behind. */
function readRecord(file: number, buffer: Buffer): number | 'end' | 'overrun' {
  try {
    const bytes = readSync(file, buffer)
    return bytes === 0 ? 'end' : bytes
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return 'end'
    if (codeOf(error) === 'EPIPE') return 'overrun'
    throw error
  }
}

/** Records as `/dev/kmsg` gives them, or plain lines. */
export function messagesOf(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    if (line === '' || line.startsWith(' ')) return []
    const message = /^\d+,\d+,\d+,[^;]*;(.*)$/.exec(line)?.[1]
    return [(message ?? line).replaceAll('\\x0a', ' ')]
  })
}
