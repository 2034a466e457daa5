/**
 * The journal of spawned processes: what lets a new agent find the processes of the last one.
 *
 * It is written right after each spawn. For the instant in between, Linux's /proc stands in: the
 * environment of a process says whose it is.
 */
import { z } from 'zod'
import { gpuShareSchema } from '#shared/model/assignment.ts'
import type { Logger } from '#shared/base/log.ts'
import { readIfThere, writeIfPossible } from './files.ts'
import { isAlive, type FoundProcess } from './processes.ts'

const entrySchema = z.object({
  replicaId: z.string(),
  workload: z.string(),
  version: z.string(),
  bootId: z.string(),
  pid: z.int(),
  startTime: z.string(),
  startedAtMs: z.int(),
  ports: z.record(z.string(), z.int()),
  gpus: z.array(gpuShareSchema),
  graceSeconds: z.int(),
})
export type JournalEntry = z.infer<typeof entrySchema>

/** The entries of the file; none when it is missing or not understood. */
export function readJournal(path: string, log: Logger): readonly JournalEntry[] {
  const text = readIfThere(path)
  if (text === undefined) return []
  try {
    return z.array(entrySchema).parse(JSON.parse(text))
  } catch (error) {
    log.warn('the journal is not understood; /proc must do', { path, error: String(error) })
    return []
  }
}

/** Where the disk is full, /proc must do. */
export function writeJournal(path: string, entries: Iterable<JournalEntry>, log: Logger): void {
  const text = `${JSON.stringify([...entries], null, 1)}\n`
  writeIfPossible(path, text, { what: 'the journal', log })
}

export type Survivors = {
  readonly adopted: readonly JournalEntry[]
  /** Processes of replicas whose leader is dead: nobody's any more. */
  readonly strays: readonly FoundProcess[]
}

/**
 * Tells what of the journal, and of what /proc shows, is still a replica. One process group each.
 */
export function survivorsOf(
  journal: readonly JournalEntry[],
  found: readonly FoundProcess[],
  now: { bootId: string; nowMs: number },
): Survivors {
  const adopted = new Map<string, JournalEntry>()
  for (const entry of journal) {
    if (entry.bootId === now.bootId && isAlive(entry)) adopted.set(entry.replicaId, entry)
  }
  const leaders = found.filter((own) => own.pid === own.groupId)
  leaders.sort((a, b) => Number(a.startTime) - Number(b.startTime))
  for (const leader of leaders) {
    const replicaId = leader.environment.DROVER_REPLICA_ID
    if (replicaId === undefined || adopted.has(replicaId)) continue
    // A journalled leader that died left its children, perhaps leaders of groups of their own.
    if (journal.some((entry) => entry.replicaId === replicaId)) continue
    adopted.set(replicaId, entryOfFound(leader, replicaId, now))
  }
  const strays = found.filter(
    ({ environment }) => !adopted.has(environment.DROVER_REPLICA_ID ?? ''),
  )
  return { adopted: [...adopted.values()], strays }
}

function entryOfFound(
  found: FoundProcess,
  replicaId: string,
  now: { bootId: string; nowMs: number },
): JournalEntry {
  const { environment, pid, startTime } = found
  const gpus = (environment.CUDA_VISIBLE_DEVICES ?? '').split(',').filter((index) => index !== '')
  return {
    replicaId,
    workload: environment.DROVER_WORKLOAD ?? replicaId,
    version: environment.DROVER_VERSION ?? '',
    bootId: now.bootId,
    pid,
    startTime,
    startedAtMs: now.nowMs,
    ports: portsOfEnvironment(environment),
    gpus: gpus.map((index) => ({ index: Number(index), milli: 1000 })),
    graceSeconds: Number(environment.DROVER_GRACE_SECONDS ?? 30),
  }
}

function portsOfEnvironment(environment: FoundProcess['environment']): Record<string, number> {
  const own = Object.entries(environment).filter(([name]) => name.startsWith('PORT_'))
  return Object.fromEntries(
    own.map(([name, port]) => [
      name.slice('PORT_'.length).toLowerCase().replaceAll('_', '-'),
      Number(port),
    ]),
  )
}
