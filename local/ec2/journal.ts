/**
 * The emulated EC2's journal: one JSON file that is always whole.
 *
 * It is written before an agent is started and after every change, by a new file renamed over the
 * old one, so that a `kill -9` at any moment leaves the last state or the one before, never half of
 * one. The write is synchronous on purpose: nothing may happen between the intent and the spawn.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { DroverError } from '#shared/base/errors.ts'
import type { Ec2Dump } from '#shared/cloud/memory-ec2/types.ts'

export class JournalError extends DroverError {
  constructor(path: string, cause: unknown) {
    super({
      code: 'BadJournal',
      text: `${path} is no journal of the emulated EC2`,
      next: 'start with --fresh to forget the herd, or with another --state',
      cause,
    })
  }
}

const agentRecordSchema = z.object({
  instanceId: z.string(),
  bootId: z.string(),
  /** Absent between the intent and the spawn. */
  process: z.object({ pid: z.int(), startTime: z.string() }).optional(),
})
export type AgentRecord = z.infer<typeof agentRecordSchema>

const contentSchema = z.object({
  version: z.literal(2),
  agents: z.array(agentRecordSchema),
  /** Written and read by the world alone. */
  world: z.custom<Ec2Dump>((value) => typeof value === 'object' && value !== null),
})
export type JournalContent = Omit<z.infer<typeof contentSchema>, 'version'>

export type Journal = {
  /** Undefined when there is none yet; throws JournalError for one that cannot be read. */
  read(): JournalContent | undefined
  write(content: JournalContent): void
}

export function openJournal(path: string): Journal {
  mkdirSync(dirname(path), { recursive: true })
  const draft = `${path}.new`
  return {
    read: () => {
      const text = readText(path)
      if (text === undefined) return undefined
      try {
        return contentSchema.parse(JSON.parse(text))
      } catch (cause) {
        throw new JournalError(path, cause)
      }
    },
    write: (content) => {
      writeFileSync(draft, JSON.stringify({ version: 2, ...content }))
      renameSync(draft, path)
    },
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
