/**
 * One agent a directory: two would start every replica twice.
 */
import { z } from 'zod'
import type { Logger } from '#shared/base/log.ts'
import { AgentRunsError } from '../errors.ts'
import { readIfThere, writeIfPossible } from './files.ts'
import { isAlive, startTimeOf } from './processes.ts'

const holderSchema = z.object({ pid: z.int(), startTime: z.string() })

/**
 * Takes the directory for this process; throws AgentRunsError while another agent lives in it. A
 * lock that cannot be written, for the disk is full, is done without.
 */
export function takeLock(path: string, log: Logger): void {
  const holder = holderOf(path)
  if (holder !== undefined && holder.pid !== process.pid && isAlive(holder)) {
    throw new AgentRunsError({
      text: 'another agent works in this directory',
      seen: holder.pid,
      next: `end process ${String(holder.pid)}, or set DROVER_AGENT_DIR`,
    })
  }
  const own = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '' }
  writeIfPossible(path, `${JSON.stringify(own)}\n`, { what: 'the lock', log })
}

function holderOf(path: string): { pid: number; startTime: string } | undefined {
  try {
    return holderSchema.parse(JSON.parse(readIfThere(path) ?? ''))
  } catch {
    // No file, or half of one: nobody who lives can have written it.
    return undefined
  }
}
