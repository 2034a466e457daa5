/**
 * Drover and its command as child processes, the way a person has them in two terminals.
 */
import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { DroverError } from '#shared/base/errors.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const READY = /^drover is ready at (\S+)$/m
const START_MS = 60_000
const COMMAND_MS = 180_000

export class ChildError extends DroverError {
  constructor(text: string, output: string) {
    super({ code: 'ChildFailed', text: `${text}\n${output.slice(-2_000)}` })
  }
}

export type DroverChild = {
  readonly url: string
  readonly pid: number
  /** What it printed so far. */
  output(): string
  /** Sends the signal and waits until it is over; answers how it ended. */
  end(signal: NodeJS.Signals): Promise<Ended>
  readonly exited: Promise<Ended>
}
export type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type ChildOptions = {
  readonly stateDirectory: string
  readonly port?: number
  readonly args?: readonly string[]
}

/** Resolves once it takes requests; throws ChildError when it ends before that. */
export async function startChild(options: ChildOptions): Promise<DroverChild> {
  const { stateDirectory, port = 0, args = [] } = options
  const child = spawn(
    process.execPath,
    [
      join(ROOT, 'local', 'main.ts'),
      ...['--port', String(port), '--state', stateDirectory],
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  const exited = new Promise<Ended>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve({ code, signal })
    })
  })
  const url = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new ChildError(`drover was not ready within ${String(START_MS / 1000)} s`, output))
    }, START_MS)
    const hear = (chunk: Buffer): void => {
      output += chunk.toString()
      const found = READY.exec(output)?.[1]
      if (found === undefined) return
      clearTimeout(late)
      resolve(found)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    void exited.then(({ code, signal }) => {
      clearTimeout(late)
      reject(new ChildError(`drover ended as it started (${String(code ?? signal)})`, output))
    })
  })
  return {
    url,
    pid: child.pid ?? -1,
    output: () => output,
    exited,
    end: (signal) => {
      child.kill(signal)
      return exited
    },
  }
}

export type CommandResult = { readonly code: number; readonly out: string; readonly err: string }

/** One command line of `drover`, whatever comes of it. */
export function runCommand(url: string, argv: readonly string[]): Promise<CommandResult> {
  const program = join(ROOT, 'cli', 'main.ts')
  const env = { ...process.env, DROVER_URL: url }
  return new Promise((resolve) => {
    const options = { env, cwd: ROOT, timeout: COMMAND_MS, encoding: 'utf8' } as const
    execFile(process.execPath, [program, ...argv], options, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
      resolve({ code, out, err })
    })
  })
}
