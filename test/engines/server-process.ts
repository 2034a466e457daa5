/**
 * A server of somebody else's as a child process that cannot outlive the tests.
 *
 * A test run may be killed before any clean-up of its own. So the server stands under a few lines
 * of shell that hold the reading end of a pipe: when the pipe closes, because `stop` closed it or
 * because this process is gone, however it went, the shell kills the server. It runs in a process
 * group of its own, or Ctrl-C would end it under the tests' feet.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A JVM on a busy machine. */
const START_MS = 120_000
const STOP_MS = 5_000
const POLL_MS = 50
const PROBE_MS = 2_000
/** Between the look for a free port and its use, somebody else may take it. */
const ATTEMPTS = 3
const OUTPUT_MAX_CHARS = 4_000

const KEEPER = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(read -r _ <&3; kill -KILL $server 2>/dev/null) >/dev/null 2>&1 &
reader=$!
wait $server
status=$?
kill $reader 2>/dev/null
exit $status
`

export type ServerCommand = {
  readonly command: string
  argumentsFor(port: number): readonly string[]
  /** Added to this process's own. */
  readonly environment?: Readonly<Record<string, string>>
  /** A path that the server answers, with whatever status, once it is up. */
  readonly probePath: string
}

export type RunningServer = { readonly endpoint: string; stop(): Promise<void> }

/** Starts a server on a free port of the loopback; throws with its last words if it ends. */
export async function startServer(server: ServerCommand): Promise<RunningServer> {
  let failure: unknown
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    try {
      return await startOnce(server, await freePort())
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

async function startOnce(server: ServerCommand, port: number): Promise<RunningServer> {
  const own = ['-c', KEEPER, 'keeper', server.command, ...server.argumentsFor(port)]
  const env = { ...process.env, ...server.environment }
  const child = spawn('sh', own, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = `${output}${chunk.toString()}`.slice(-OUTPUT_MAX_CHARS)
    })
  }
  // A keeper that is gone closes its end first; that is no error of the tests.
  child.stdin.on('error', () => undefined)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve()
    })
  })
  const stop = async (): Promise<void> => {
    child.stdin.end()
    await Promise.race([exited, sleep(STOP_MS, undefined, { ref: false })])
    if (isRunning(child)) throw new Error(`${server.command} does not end`)
  }
  const endpoint = `http://127.0.0.1:${String(port)}`
  if (await isUp(child, `${endpoint}${server.probePath}`)) return { endpoint, stop }
  await stop()
  throw new Error(`${server.command} did not start: ${output.trim()}`)
}

async function isUp(child: ChildProcess, address: string): Promise<boolean> {
  for (const untilMs = Date.now() + START_MS; Date.now() < untilMs && isRunning(child);) {
    const answer = await fetch(address, { signal: AbortSignal.timeout(PROBE_MS) }).catch(
      () => undefined,
    )
    await answer?.text()
    // Who answers is the server itself only if it has not just ended for want of the port.
    if (answer !== undefined && isRunning(child)) return true
    await sleep(POLL_MS)
  }
  return false
}

const isRunning = (child: ChildProcess): boolean =>
  child.exitCode === null && child.signalCode === null

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve()
    })
  })
  return port
}
