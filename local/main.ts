/**
 * `npm start`: the local drover in the foreground, until it is told to end.
 *
 * The first signal ends it in order, with every process it started; another one a while later ends
 * it at once, and the next start tidies up.
 */
import { join } from 'node:path'
import { describeError, DroverError } from '#shared/base/errors.ts'
import { makeSignalPatience } from '#shared/base/signal-patience.ts'
import { startDrover, type LocalDrover } from './drover.ts'
import { openLogFile } from './log-file.ts'
import { readOptions, USAGE, type StartOptions } from './options.ts'
import { StartError } from './errors.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const complain = (line: string): void => void process.stderr.write(`${line}\n`)

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (options.help) {
    say(USAGE)
    return
  }
  const logPath = join(options.stateDirectory, 'drover.log')
  const { log, close } = openLogFile(logPath, complain)
  const patience = makeSignalPatience(() => performance.now())
  const told = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        resolve(signal)
        if (patience.isOver()) process.exit(1)
      })
    }
  })
  const drover = await start(options, { log })
  say(`drover is ready at ${drover.url}`)
  say(`the herd is kept in ${options.stateDirectory}, the log in ${logPath}`)
  say('next: npx drover apply -f examples/quickstart.yaml')
  await told
  say('drover ends, and every process it started')
  await drover.stop()
  await close()
}

function start(
  options: StartOptions,
  rest: Pick<Parameters<typeof startDrover>[0], 'log'>,
): Promise<LocalDrover> {
  const { port, stateDirectory, keepsState, fresh, speed, quotaPolicy, marketFile } = options
  return startDrover({
    ...{ port, stateDirectory, keepsState, fresh, speed, quotaPolicy },
    ...(marketFile === undefined ? {} : { marketFile }),
    ...rest,
  })
}

function explain(error: unknown): string {
  if (error instanceof DroverError) {
    const next = error.next === undefined ? '' : `\nnext: ${error.next}`
    return `error: ${textOf(error)}${next}`
  }
  return `error: ${describeError(error)}`
}

/** The message without the code before it and the advice behind it: both are told apart here. */
function textOf({ message, code, next }: DroverError): string {
  const bare = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message
  return next === undefined ? bare : bare.replace(` (${next})`, '')
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    complain(explain(error))
    process.exit(error instanceof StartError && error.code === 'Misused' ? 2 : 1)
  },
)
