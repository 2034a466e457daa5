/**
 * Processes of this machine, told apart from those that get the same number later.
 *
 * A pid alone names nobody: it may be another's by the time a signal is sent. A pid and its start
 * time do. Linux says both under /proc, and the environment a process was started with too, which
 * is how strays are found; elsewhere `ps` knows the start time and strays are found by their
 * journals only.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export type ProcessId = {
  readonly pid: number
  /** Opaque; equal for the same process only. */
  readonly startTime: string
}

export type FoundProcess = ProcessId & {
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

const HAS_PROC = process.platform === 'linux'
const PS_TIMEOUT_MS = 2_000

/** When the process started; undefined when there is none, or only its unreaped rest. */
export function startTimeOf(pid: number): string | undefined {
  return HAS_PROC ? procStat(pid)?.startTime : psStartTime(pid)
}

export function isRunning(known: ProcessId): boolean {
  return startTimeOf(known.pid) === known.startTime
}

/**
 * As `isRunning`, but cheap everywhere: without /proc another process of the same pid passes too.
 */
export function seemsRunning(known: ProcessId): boolean {
  return HAS_PROC ? isRunning(known) : known.pid > 0 && sent(known.pid, 0)
}

/** Sends a signal to exactly this process; false when it is gone. */
export function signalProcess(known: ProcessId, signal: NodeJS.Signals): boolean {
  return isRunning(known) && sent(known.pid, signal)
}

/** Sends a signal to the process and, where it leads a group, to its whole group. */
export function signalGroup(known: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isRunning(known)) return false
  const group = HAS_PROC ? procStat(known.pid)?.group : Number(psField(known.pid, 'pgid='))
  return sent(group === known.pid ? -known.pid : known.pid, signal)
}

function sent(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, signal)
  } catch {
    return false
  }
}

/**
 * Every process whose environment has all the variables given, this one left out. Empty where the
 * system does not show environments.
 */
export function processesWith(
  variables: Readonly<Record<string, string>>,
): readonly FoundProcess[] {
  if (!HAS_PROC) return []
  const wanted = Object.entries(variables)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid)
    .flatMap((pid) => {
      const environment = procEnvironment(pid)
      if (!wanted.every(([name, value]) => environment[name] === value)) return []
      const startTime = startTimeOf(pid)
      if (startTime === undefined) return []
      return [{ pid, startTime, environment, command: procList(pid, 'cmdline') }]
    })
}

function procEnvironment(pid: number): Readonly<Record<string, string>> {
  const pairs = procList(pid, 'environ').map((text) => {
    const at = text.indexOf('=')
    return [text.slice(0, at), text.slice(at + 1)]
  })
  return Object.fromEntries(pairs) as Record<string, string>
}

/** A file of texts that end in NUL; empty when the process is gone or another user's. */
function procList(pid: number, file: 'environ' | 'cmdline'): readonly string[] {
  const text = readProc(pid, file)
  return text === undefined ? [] : text.split('\0').slice(0, -1)
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}

/** Fields of /proc/PID/stat, counted after the name, which may hold spaces and parentheses. */
function procStat(pid: number): { startTime: string; group: number } | undefined {
  const text = readProc(pid, 'stat')
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  // proc(5): state is field 3, pgrp 5, starttime 22. A zombie has ended, and nobody noticed yet.
  const [state, group, startTime] = [fields[0], fields[2], fields[19]]
  if (state === 'Z' || state === 'X' || startTime === undefined) return undefined
  return { startTime, group: Number(group) }
}

function psStartTime(pid: number): string | undefined {
  const [state, ...start] = psField(pid, 'stat=,lstart=')?.split(/\s+/) ?? []
  return state === undefined || state.startsWith('Z') ? undefined : start.join(' ')
}

function psField(pid: number, field: string): string | undefined {
  try {
    const options = { encoding: 'utf8', timeout: PS_TIMEOUT_MS, stdio: 'pipe' } as const
    const text = execFileSync('ps', ['-o', field, '-p', String(pid)], options).trim()
    return text === '' ? undefined : text
  } catch {
    return undefined
  }
}
