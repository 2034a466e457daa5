/**
 * Runs a program to its end, or to the end of its time, and keeps what it said.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { LIMITS } from '#shared/model/limits.ts'
import type { Ended } from '../../checks/command.ts'
import { pidsWith, signalGroup, signalPid } from '../processes.ts'

/** By process id: tools that run now. */
const running = new Set<number>()

/** Says in a tool's environment whose it is, so that an agent that comes back can end it. */
const MARK = 'DROVER_CHECK_OF'
let owner = ''

/** Ends what an earlier agent of this directory has left: nobody waits for it any more. */
export function adoptTools(directory: string): void {
  owner = directory
  for (const pid of pidsWith(MARK, directory)) signalPid(pid, 'SIGKILL')
}

/** Ends every tool that runs; for an agent that is about to end itself. */
export function endTools(): void {
  for (const pid of running) signalGroup(pid, 'SIGKILL')
}

function note(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined) return
  running.add(pid)
  child.once('close', () => running.delete(pid))
}

export type ToolRun = {
  readonly words: readonly string[]
  readonly timeoutMs: number
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** How it ended; throws where it could not even be started. */
export function runTool({ words, timeoutMs, environment }: ToolRun): Promise<Ended> {
  const [program = '', ...rest] = words
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      env: { ...process.env, ...environment, [MARK]: owner },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    note(child)
    const [stdout, stderr] = [keep(child.stdout), keep(child.stderr)]
    let isLate = false
    const over = (end: Pick<Ended, 'code' | 'signal'>): void => {
      resolve({ ...end, isLate, stdout: stdout(), stderr: stderr() })
    }
    // The whole group: what a script has started does not outlive it. One that waits for hardware
    // survives even that, and is not waited for.
    const timer = setTimeout(() => {
      isLate = true
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
      setTimeout(over, LIMITS.toolKillMs, {})
    }, timeoutMs)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      over({ ...(code === null ? {} : { code }), ...(signal === null ? {} : { signal }) })
    })
  })
}

/** The end of what it says: that is where results stand. */
function keep(stream: NodeJS.ReadableStream): () => string {
  const most = LIMITS.toolOutputMaxBytes
  let chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes <= 2 * most) return
    chunks = [Buffer.concat(chunks).subarray(-most)]
    bytes = most
  })
  return () => Buffer.concat(chunks).subarray(-most).toString('utf8')
}

export type RunningTool = {
  /** How it ended already, if it has. */
  readonly ended: number | string | undefined
  /** Ends it with all it has started. */
  readonly end: () => void
}

/** Starts a program, and gives it some time to get going; throws where it could not be started. */
export function startTool(words: readonly string[], warmUpMs: number): Promise<RunningTool> {
  const [program = '', ...rest] = words
  return new Promise((resolve, reject) => {
    const env = { ...process.env, [MARK]: owner }
    const child = spawn(program, rest, { stdio: 'ignore', detached: true, env })
    note(child)
    const end = (): void => {
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
    }
    const timer = setTimeout(() => {
      resolve({ ended: child.exitCode ?? child.signalCode ?? undefined, end })
    }, warmUpMs)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
  })
}
