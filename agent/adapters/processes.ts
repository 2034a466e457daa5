/**
 * Which processes are alive, and whose they are.
 *
 * A pid alone names nothing for long: it is reused. Pid and start time together do. On Linux /proc
 * also shows every process's environment, so a replica's processes are found even where no journal
 * knows of them, and even those that left their group. Elsewhere `ps` tells the start time, and
 * that is all.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export type FoundProcess = {
  readonly pid: number
  /** The group it belongs to; its leader's pid. */
  readonly groupId: number
  readonly startTime: string
  readonly environment: Readonly<Record<string, string>>
}

const hasProc = process.platform === 'linux'

/**
 * The start time of a live process; undefined for none, and for one that is dead but not yet
 * reaped.
 */
export function startTimeOf(pid: number): string | undefined {
  return hasProc ? readStat(pid)?.startTime : startTimeByPs(pid)
}

/** True while the very process that started then is alive. */
export function isAlive(target: { pid: number; startTime: string }): boolean {
  return startTimeOf(target.pid) === target.startTime
}

export type WhoseProcesses = {
  readonly instanceId: string
  /** The agent's own directory: two emulated herds may have instances of the same id. */
  readonly directory?: string
  readonly replicaId?: string
}

/** Live processes of one node's replicas, by their environment; none where /proc is missing. */
export function processesOf(whose: WhoseProcesses): readonly FoundProcess[] {
  const { instanceId, directory, replicaId } = whose
  if (!hasProc) return []
  const found: FoundProcess[] = []
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const environment = environmentOfPid(pid)
    if (environment?.DROVER_INSTANCE_ID !== instanceId) continue
    if (directory !== undefined && environment.DROVER_AGENT_DIR !== directory) continue
    const own = environment.DROVER_REPLICA_ID
    if (own === undefined || (replicaId !== undefined && own !== replicaId)) continue
    const stat = readStat(pid)
    if (stat === undefined) continue
    const { groupId, startTime } = stat
    found.push({ pid, groupId, startTime, environment })
  }
  return found
}

/** Live processes that have a variable so in their environment; none where /proc is missing. */
export function pidsWith(variable: string, value: string): readonly number[] {
  if (!hasProc) return []
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
    .filter((pid) => environmentOfPid(pid)?.[variable] === value)
}

/** What a group of processes has used so far. */
export type GroupUse = { readonly cpuMs: number; readonly memoryMib: number }

/**
 * By the leader's pid: processor time, of children that are over too, and memory in residence, what
 * processes share counted once for each. Empty where /proc is missing.
 */
export function useOfGroups(leaders: ReadonlySet<number>): ReadonlyMap<number, GroupUse> {
  const groups = new Map<number, GroupUse>()
  if (!hasProc) return groups
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    const stat = readStat(pid)
    if (stat === undefined || !leaders.has(stat.groupId)) continue
    const before = groups.get(stat.groupId) ?? { cpuMs: 0, memoryMib: 0 }
    groups.set(stat.groupId, {
      cpuMs: before.cpuMs + stat.cpuMs,
      memoryMib: before.memoryMib + residentMib(pid),
    })
  }
  return groups
}

function residentMib(pid: number): number {
  const text = readProc(`/proc/${String(pid)}/status`) ?? ''
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) / 1024
}

/** Sends to a whole group; false when there is no such group. */
export function signalGroup(leaderPid: number, signal: NodeJS.Signals): boolean {
  return signalPid(-leaderPid, signal)
}

/** Sends to one process; false when there is none. */
export function signalPid(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false
    // macOS answers so for a group of which only zombies are left.
    if (codeOf(error) === 'EPERM' && pid < 0) return false
    throw error
  }
}

/** The system's code of a failed call: `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** What the kernel counts processor time in for everybody outside it: a hundredth of a second. */
const TICK_MS = 10

type Stat = { readonly groupId: number; readonly startTime: string; readonly cpuMs: number }

function readStat(pid: number): Stat | undefined {
  const text = readProc(`/proc/${String(pid)}/stat`)
  if (text === undefined) return undefined
  // The command, in parentheses, may hold anything; fields are counted from behind it (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, , group] = fields
  const startTime = fields[19]
  if (state === 'Z' || state === 'X' || startTime === undefined) return undefined
  // Its own in user and system mode, and the same of children it has waited for.
  const ticks = fields.slice(11, 15).reduce((sum, own) => sum + Number(own), 0)
  return { groupId: Number(group), startTime, cpuMs: ticks * TICK_MS }
}

function environmentOfPid(pid: number): Record<string, string> | undefined {
  const text = readProc(`/proc/${String(pid)}/environ`)
  if (text === undefined) return undefined
  const pairs = text.split('\0').filter((pair) => pair.includes('='))
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Gone while we looked, or another user's: either way not ours.
    return undefined
  }
}

function startTimeByPs(pid: number): string | undefined {
  try {
    const options = { timeout: 2_000, stdio: ['ignore', 'pipe', 'ignore'] as const }
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      timeout: options.timeout,
      stdio: [...options.stdio],
      encoding: 'utf8',
    }).trim()
    const [stat = '', ...started] = text.split(/\s+/)
    return text === '' || stat.startsWith('Z') ? undefined : started.join(' ')
  } catch {
    return undefined
  }
}
