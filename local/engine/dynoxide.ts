/**
 * The table's engine on a laptop: dynoxide, a DynamoDB-compatible server that is one static binary.
 *
 * It runs in a process group of its own, so that Ctrl-C ends drover first and drover ends the
 * engine. The price is that it outlives a drover that crashes and keeps its port: a file says who
 * it is, and the next start ends that one process, and never a stranger that got its number.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as sleepMs } from 'node:timers/promises'
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { DroverError } from '#shared/base/errors.ts'
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.ts'

const START_MS = 10_000
const TERMINATE_MS = 3_000
const KILL_MS = 2_000
const POLL_MS = 20
const PROBE_MS = 500

export class EngineError extends DroverError {
  constructor(text: string, seen?: unknown, cause?: unknown) {
    super({ code: 'EngineFailed', text, seen, cause, next: 'see whether another drover runs' })
  }
}

export type EngineOptions = {
  /** From findEngine(). */
  readonly binary: string
  /** A free one where none is given. */
  readonly port?: number
  /** The database file; in memory where none is given. */
  readonly dbPath?: string
  /** Where to write who the engine is, for stopStray. */
  readonly pidFile?: string
}

export type Engine = {
  readonly endpoint: string
  readonly port: number
  readonly pid: number
  /** Resolves when the engine's process is over, however it ended. */
  readonly exited: Promise<void>
  /** Ends the engine and removes its pid file. Idempotent. */
  stop(): Promise<void>
}

/** The engine's binary, or undefined where the platform has none. */
export function findEngine(): string | undefined {
  const name = `@dynoxide/${process.platform}-${process.arch}/dynoxide`
  try {
    return createRequire(import.meta.url).resolve(name)
  } catch {
    return undefined
  }
}

/** A client's settings for an engine: it asks for credentials but looks at none. */
export function engineClientConfig(endpoint: string): DynamoDBClientConfig {
  return {
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'drover', secretAccessKey: 'local' },
  }
}

/** Starts the engine and waits until it answers; throws EngineError when it does not. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const port = await claimPort(options.port ?? 0)
  if (options.dbPath !== undefined) mkdirSync(dirname(options.dbPath), { recursive: true })
  const args = ['--port', String(port)]
  if (options.dbPath !== undefined) args.push('--db-path', options.dbPath)
  const child = spawn(options.binary, args, { stdio: 'ignore', detached: true })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve()
    })
    child.once('error', () => {
      resolve()
    })
  })
  const { pid } = child
  if (pid === undefined) throw new EngineError('the engine cannot be started', options.binary)
  const identity = identityOf(pid)
  if (options.pidFile !== undefined && identity !== undefined) writePid(options.pidFile, identity)
  const stop = async (): Promise<void> => {
    await endProcess(() => isRunning(child), pid)
    if (options.pidFile !== undefined) rmSync(options.pidFile, { force: true })
  }
  const endpoint = `http://127.0.0.1:${String(port)}`
  try {
    await waitUntilAnswering(child, endpoint)
  } catch (error) {
    await stop()
    throw error
  }
  return { endpoint, port, pid, exited, stop }
}

/** Ends the engine that a crashed drover left behind; true when there was one. */
export async function stopStray(pidFile: string): Promise<boolean> {
  const identity = readPid(pidFile)
  const wasAlive = identity !== undefined && isAlive(identity)
  if (wasAlive) await endProcess(() => isAlive(identity), identity.pid)
  rmSync(pidFile, { force: true })
  return wasAlive
}

/** The port, shown to be free; any free one for 0. */
async function claimPort(port: number): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new EngineError(`port ${String(port)} is taken`, port, cause))
    })
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : port)
      })
    })
  })
}

async function waitUntilAnswering(child: ChildProcess, endpoint: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_MS; waitedMs += POLL_MS) {
    if (!isRunning(child)) {
      throw new EngineError('the engine ended as it started', child.exitCode ?? child.signalCode)
    }
    if (await answers(endpoint)) return
    await sleepMs(POLL_MS)
  }
  throw new EngineError(`the engine does not answer within ${String(START_MS / 1000)} s`, endpoint)
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(PROBE_MS) })
    return (await answer.text()).startsWith('healthy')
  } catch {
    return false
  }
}

const isRunning = (child: ChildProcess): boolean =>
  child.exitCode === null && child.signalCode === null

/** Asks a process to end, then makes it. */
async function endProcess(runs: () => boolean, pid: number): Promise<void> {
  signal(pid, 'SIGTERM')
  if (await isOver(runs, TERMINATE_MS)) return
  signal(pid, 'SIGKILL')
  if (await isOver(runs, KILL_MS)) return
  throw new EngineError('the engine does not end', pid)

  function signal(target: number, name: NodeJS.Signals): void {
    try {
      if (runs()) process.kill(target, name)
    } catch {
      // It ended between the look and the signal.
    }
  }
}

async function isOver(runs: () => boolean, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < withinMs && runs(); waitedMs += POLL_MS) await sleepMs(POLL_MS)
  return !runs()
}

function writePid(pidFile: string, identity: ProcessIdentity): void {
  mkdirSync(dirname(pidFile), { recursive: true })
  writeFileSync(pidFile, `${JSON.stringify(identity)}\n`)
}

function readPid(pidFile: string): ProcessIdentity | undefined {
  try {
    const { pid, born } = JSON.parse(readFileSync(pidFile, 'utf8')) as Partial<ProcessIdentity>
    return typeof pid === 'number' && typeof born === 'string' ? { pid, born } : undefined
  } catch {
    return undefined
  }
}
