/**
 * Everything that runs on one emulated instance, and how it is ended.
 *
 * An instance is a set of processes: its agent, which leads a process group, and the replicas that
 * the agent started, each with a group of its own. They are found twice over: by the agent's own
 * journal (`processes.json`) and, on Linux, by the environment that marks them. A pid is never
 * signalled unless its start time matches.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { isRunning, processesWith, signalGroup, type ProcessId } from '../processes.ts'

/** Where a state directory keeps what belongs to an instance. */
export function instanceDirectory(stateDirectory: string, instanceId: string): string {
  return join(stateDirectory, 'instances', instanceId)
}

/** The agent's own: its state, its replicas, and `processes.json`. */
export function agentDirectory(stateDirectory: string, instanceId: string): string {
  return join(instanceDirectory(stateDirectory, instanceId), 'agent')
}

/** Where its agent keeps data. */
export function dataDirectory(stateDirectory: string, instanceId: string): string {
  return join(agentDirectory(stateDirectory, instanceId), 'data')
}

const journalSchema = z.array(z.object({ pid: z.int().min(2), startTime: z.coerce.string() }))

/** The replicas the agent has journalled; none when it has not, or was cut off while writing. */
function journalled(directory: string): readonly ProcessId[] {
  try {
    const text = readFileSync(join(directory, 'processes.json'), 'utf8')
    return journalSchema.parse(JSON.parse(text))
  } catch {
    return []
  }
}

export type InstanceProcesses = {
  readonly stateDirectory: string
  readonly instanceId: string
  readonly agent?: ProcessId | undefined
}

function runningOn(own: InstanceProcesses): readonly ProcessId[] {
  const { stateDirectory, instanceId } = own
  const marks = { DROVER_STATE_DIR: stateDirectory, DROVER_INSTANCE_ID: instanceId }
  const known = journalled(agentDirectory(stateDirectory, instanceId)).filter(isRunning)
  return [...known, ...processesWith(marks)]
}

const ROUNDS_MAX = 40
const ROUND_MS = 50

/**
 * Kills the agent first, so that it starts nothing more, then whatever is left, until nothing is.
 * The first round happens before this returns to the event loop. Resolves to false when something
 * still runs after two seconds.
 */
export async function endProcesses(own: InstanceProcesses): Promise<boolean> {
  if (own.agent !== undefined) signalGroup(own.agent, 'SIGKILL')
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const left = runningOn(own)
    const agentLeft = own.agent !== undefined && isRunning(own.agent)
    if (left.length === 0 && !agentLeft) return true
    for (const each of left) signalGroup(each, 'SIGKILL')
    await sleep(ROUND_MS)
  }
  return false
}
